"""An analysis is a typed value: a slip in one is an error and never a number; a fold may be the peak of what lives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import shapeviz
from shapeviz import analyses, symbols
from shapeviz.analyses.bytes_moved import element
from shapeviz.analyses.params import own
from shapeviz.analysis import BYTES, Analysis, Part, Ratio, runs, weight_sets
from shapeviz.errors import InputError
from shapeviz.expr import Expr, product
from shapeviz.fold import Fold, live_peak
from shapeviz.ir import Block, Model, Node, Op, Sizes, Tensor
from shapeviz.lang import Variable, block, param, record, repeat, source
from shapeviz.tally import Tally

LIVE = "the peak of what lives at once"


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ({"weigh": "copy"}, "parameters: weigh = 'copy': a function is needed, such as runs, weight_sets or sets_met"),
        ({"own": None}, "parameters: own = None: a function is needed, such as own(node)"),
        ({"fold": "sum"}, "parameters: fold = 'sum': it must be a Fold"),
        ({"unit": "B"}, "parameters: unit = 'B': it must be a Unit"),
        ({"knows": ("sizes",)}, "parameters: knows = ('sizes',): it must be a Known"),
    ],
)
def test_a_slip_in_an_analysis_is_an_error_at_once(slip: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Analysis(**{"title": "parameters", "convention": "unique", "own": own, **slip})
    assert str(caught.value) == message


def test_a_ratio_is_over_two_columns() -> None:
    with pytest.raises(InputError, match="the names of two columns are needed"):
        Ratio("intensity", "FLOPs per byte", over=("flops",), unit=BYTES)  # type: ignore[arg-type]


def test_mypy_sees_the_slip_that_once_gave_46_473_216_parameters(tmp_path: Path) -> None:
    file = tmp_path / "slip.py"
    lines = (
        "from shapeviz.analyses.params import own",
        "from shapeviz.analysis import Analysis, weight_sets",
        'good = Analysis("parameters", "unique", own, weigh=weight_sets)',
        'bad = Analysis("parameters", "unique", own, weigh="copy")',
    )
    file.write_text("\n".join(lines) + "\n")
    root = Path(shapeviz.__file__).parents[1]
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(root / "pyproject.toml"), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    errors = [line for line in done.stdout.splitlines() if "slip.py" in line]
    assert ["slip.py:4: error"] == [error.partition(": Arg")[0][-16:] for error in errors], done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('title = "parameters"\n', "must end in analysis = Analysis"),
        ('analysis = "params"\n', "its analysis is 'params'"),
        ("from shapeviz.analysis import Analysis\nanalysis = Analysis('x')\n", "cannot be read"),
        ("import nothing_of_this_name\n", "cannot be read: No module named"),
    ],
)
def test_a_file_without_an_analysis_is_named_with_what_is_missing(monkeypatch, tmp_path, text: str, message: str):
    (tmp_path / "odd_column.py").write_text(text)
    monkeypatch.setattr(analyses, "__path__", [*analyses.__path__, str(tmp_path)])
    monkeypatch.setattr("shapeviz.plugins.has", lambda *_: True)
    monkeypatch.delitem(sys.modules, "shapeviz.analyses.odd_column", raising=False)
    with pytest.raises(InputError) as caught:
        analyses.load("odd_column")
    assert "shapeviz/analyses/odd_column.py" in str(caught.value)
    assert message in str(caught.value)


def test_every_file_of_the_folder_is_an_analysis_with_words_and_letters_of_the_glossary() -> None:
    for name in analyses.names():
        found = analyses.load(name)
        assert all((found.title, found.convention)), name
        for part in analyses.parts(name):
            assert part.letters.keys() <= symbols.BY_LETTER.keys(), name


# the peak of what lives at once


def made(node: Node) -> Iterator[Part]:
    if isinstance(node, Op) and node.kind != "input" and not node.view:
        yield Part(node.name, product(node.output.shape) * element(node.output), node.output)


def peak(root: Block, **sizes: int) -> Expr:
    analysis = Analysis("live", LIVE, made, fold=live_peak, unit=BYTES)
    model = Model("test", "test", "", root, Sizes({"b_a": 1, "b_w": 1, **sizes}))
    return Tally(model, analysis).total(root)


def linear(x: Variable, width: Any) -> Variable:
    return x @ param("W", x.shape[-1], width)


def test_the_peak_of_a_chain_with_a_skip_is_that_worked_out_by_hand() -> None:
    # a = x W [B 8], b = a W [B 32], c = b W [B 8], y = a + c [B 8]; b_a bytes each, x is an input
    # a: 8 · b: 8 + 32 = 40 · c: a, b and c, 8 + 32 + 8 = 48 · y: a, c and y, 24
    @block
    def chain() -> Variable:
        a = linear(source("x", "B", 4), 8)
        return a + linear(linear(a, 32), 8)

    assert Expr.of("B") * 48 * "b_a" == peak(record(chain), B=1)


def test_repeated_layers_take_the_peak_of_one_and_what_is_carried() -> None:
    # m [B 8] is read by every layer; a layer: t = x W [B 16], u = t W [B 8], y = u + m [B 8]
    # in a layer that gets x from the one before: m + x + t = 8 + 8 + 16 = 32; m + t + u = 32; m + u + y = 24
    @block
    def layer(x: Variable, m: Variable) -> Variable:
        return linear(linear(x, 16), 8) + m

    @block
    def stack() -> Variable:
        m = linear(source("ids", "B", 4), 8)
        x = linear(source("x", "B", 4), 8)
        return repeat("N", layer, x, m)

    assert Expr.of("B") * 32 * "b_a" == peak(record(stack), B=1, N=5)


@dataclass
class Unrolled:
    """The oracle: every run of every block one after the other, each tensor a number of its own."""

    sizes: dict[str, int]
    made: list[dict[int, int]] = field(default_factory=list)
    read: list[set[int]] = field(default_factory=list)
    count: int = 0

    def run(self, node: Node, storage: dict[Tensor, int]) -> None:
        """Appends the operations of a node; `storage` is the number of the storage of each tensor so far."""
        if isinstance(node, Op):
            self.read.append({storage[t] for t in node.inputs if t in storage})
            self.made.append({})
            if node.view:
                storage[node.output] = storage.get(node.inputs[0], -1)
                return
            self.count += 1
            storage[node.output] = self.count
            if node.kind != "input":
                self.made[-1][self.count] = product(node.output.shape).at(self.sizes)
            return
        for run in range(node.repeat.at(self.sizes)):
            if run and node.inputs:
                storage[node.inputs[0]] = storage[node.output]
            for inner in node.body:
                self.run(inner, storage)

    def peak(self, result: int) -> int:
        last = {number: i for i, numbers in enumerate(self.read) for number in numbers} | {result: len(self.read)}
        size = {number: bytes for made in self.made for number, bytes in made.items()}
        born = {number: i for i, made in enumerate(self.made) for number in made}
        lives = [sum(size[n] for n in born if born[n] <= i <= max(last.get(n, i), born[n]) and
                     (i == born[n] or n in last)) for i in range(len(self.read))]  # fmt: skip
        return max(lives)


@pytest.mark.parametrize("flags", [
    {"enc": 3, "dec": 4}, {"enc": 0, "dec": 3}, {"enc": 5, "dec": 0}, {"gated": True, "norm_position": "pre"},
    {"kv_heads": 2, "positions": "rotary"},
])  # fmt: skip
def test_the_peak_of_a_model_is_that_of_the_unrolled_run(flags: dict[str, Any]) -> None:
    sizes = {"d_model": 12, "heads": 6, "vocab": 17, "batch": 2, "seq": 5, "ff": "7", "enc": 3, "dec": 3, **flags}
    model = shapeviz.read(**sizes)
    numbers = {**model.sizes.numbers, "b_a": 1, "b_w": 1}
    oracle, storage = Unrolled(numbers), dict[Tensor, int]()
    oracle.run(model.root, storage)
    assert oracle.peak(storage[model.root.output]) == peak(model.root).at(numbers)


def test_folds_and_weights_are_named_values() -> None:
    assert isinstance(live_peak, Fold)
    assert not live_peak.adds
    assert (runs.__name__, weight_sets.__name__) == ("runs", "weight_sets")
