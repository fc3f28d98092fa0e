"""`shapeviz params` answers before torch could be imported: a light analytic path, and cost flat in depth."""

import json
import subprocess
import sys

import pytest

import shapeviz

HEAVY = (
    "torch",
    "torchinfo",
    "fvcore",
    "sympy",
    "numpy",
    "graphviz",
    "rich",
    "matplotlib",
    "tokenizers",
    "transformers",
)
PROGRAM = """
import sys
sys.argv = ["shapeviz", *{arguments!r}]
{before}
from shapeviz.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
sys.stderr.write(" ".join(name for name in {heavy!r} if name in sys.modules))
"""


def loaded(*arguments: str, before: str = "") -> str:
    """The heavy packages that a run of the program has imported."""
    program = PROGRAM.format(arguments=arguments, heavy=HEAVY, before=before)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("params",), ("params", "--json"), ("trace",), ("flops", "-f", "md"), ("params", "-f", "csv"),
        ("explain", "encoder.layer"), ("trace", "-f", "dot"),
    ],
)  # fmt: skip
def test_the_analytic_path_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) == ""


def test_the_test_above_can_fail() -> None:
    assert loaded("params", before="import sympy") == "sympy"


def test_counting_needs_neither_the_canonical_form_of_atoms_nor_factoring_nor_the_parser() -> None:
    unneeded = {"shapeviz.expr.canonical", "shapeviz.expr.factor", "shapeviz.expr.parse"}
    code = "import sys, shapeviz; shapeviz.measure(shapeviz.read('gpt2')).total['flops'].value; {}; print(*sys.modules)"
    after = []
    for atoms in ("0", "from shapeviz.expr import ceil; x = ceil('S'); ceil(x / 2) == ceil(x / 3)"):
        done = subprocess.run([sys.executable, "-c", code.format(atoms)], capture_output=True, text=True, check=True)
        after.append(unneeded & set(done.stdout.split()))
    assert [set(), {"shapeviz.expr.canonical"}] == after


def test_importing_shapeviz_imports_none_of_its_parts() -> None:
    code = "import shapeviz, sys; print([n for n in sys.modules if n.startswith('shapeviz.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_million_layers_are_the_same_tree_as_six() -> None:
    six, million = shapeviz.measure(shapeviz.read(enc=6)), shapeviz.measure(shapeviz.read(enc=10**6))
    assert len(six.rows) == len(million.rows)
    # 10⁶ · 4_465_920 + 8 · 7_617_024
    assert million.total["params"].value == 10**6 * 4_465_920 + 8 * 7_617_024
    assert six.total["params"] == million.total["params"]


def test_everything_in_all_is_there() -> None:
    assert all(callable(getattr(shapeviz, name)) for name in {*shapeviz.__all__} - {"testing", "errors", "__version__"})
    assert callable(shapeviz.testing.check)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = shapeviz.nothing


def test_json_of_the_program_is_the_json_of_the_library() -> None:
    command = [sys.executable, "-m", "shapeviz", "params", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(shapeviz.render(shapeviz.measure(shapeviz.read()), "json")) == json.loads(done.stdout)
