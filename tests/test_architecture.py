"""The folders show the architecture: imports go one way, files stay short."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "shapeviz"
LEFT_TO_RIGHT = """
errors files plugins schemas published
symbols keys
expr layer_order tensor sizes interpolation
ir lang blocks models
fold saving analysis analyses dtypes wiring quotient quantity tally column report comparison
wording budget figure page nets
tracing testing frontends renderers claims verify train cli
"""
ORDER = LEFT_TO_RIGHT.split()
HEAVY = {
    "torch": {"nets", "tracing", "verify", "train"}, "torchinfo": {"verify"}, "fvcore": {"verify"}, "numpy": {"train"},
    "matplotlib": {"train"}, "tokenizers": {"train"}, "transformers": {"tracing"}, "sympy": set(), "pandas": set(),
    "tensorboard": {"train"}, "chardet": {"train"},
}  # fmt: skip
FILES = sorted(ROOT.rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The parts of shapeviz that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shapeviz"):
            names = [node.module] if node.module != "shapeviz" else [f"shapeviz.{alias.name}" for alias in node.names]
            found |= {name.split(".")[1] for name in names if "." in str(name)}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("shapeviz.")}
    return {name for name in found if not name.startswith("__")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_those_to_its_left(path: Path) -> None:
    if part(path) in ("__init__", "__main__"):
        return
    place = ORDER.index(part(path))
    assert {name for name in imported(path) if ORDER.index(name) > place} == set()


def test_no_file_of_expr_imports_one_that_imports_it() -> None:
    # also inside functions and for types alone
    files = {path.stem: imported_files(path) for path in (ROOT / "expr").glob("*.py") if path.stem != "__init__"}
    while leaves := [name for name, needed in files.items() if not needed & files.keys()]:
        files = {name: needed for name, needed in files.items() if name not in leaves}
    assert {} == files


def imported_files(path: Path) -> set[str]:
    """The files of expr that one of them imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shapeviz.expr"):
            package = node.module == "shapeviz.expr"
            found |= {alias.name for alias in node.names} if package else {str(node.module).split(".")[2]}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_at_most_300_lines_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text))


def test_only_the_parts_named_import_torch_and_only_train_numpy_matplotlib_and_tokenizers() -> None:
    found: dict[str, set[str]] = {name: set() for name in HEAVY}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for root in {name.split(".")[0] for name in names} & set(HEAVY):
                found[root].add(part(path))
    assert found == HEAVY


def test_what_is_private_in_torch_is_imported_in_one_file_alone() -> None:
    private = re.compile(r"(from|import) torch[\w.]*\._|from torch[\w.]* import _|torch\.fx\.experimental|torch\._C\b")
    found = {str(path.relative_to(ROOT)) for path in FILES if private.search(path.read_text())}
    assert found == {"tracing/torch_private.py"}


def test_public_functions_have_docstrings() -> None:
    bare = []
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            # the help of a verb is the docstring of its file
            verb = part(path) == "cli" and getattr(node, "name", "") == "run"
            if public and not verb and not ast.get_docstring(node) and not overloaded(node):
                bare.append(f"{path.relative_to(ROOT)}:{node.name}")
    assert bare == []


def overloaded(node: ast.FunctionDef | ast.ClassDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list)


def file_of(name: str) -> Path | None:
    """The file of a dotted name: `shapeviz.ir` or the package `shapeviz.lang`; None if it is no module."""
    path = ROOT.parent.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def needed_by(path: Path) -> set[Path]:
    """The files of shapeviz that a file imports, also inside functions; what only a type checker reads is left out."""
    names: list[str] = []
    pending: list[ast.AST] = [ast.parse(path.read_text())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending += node.orelse
            continue
        pending += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names += [name if file_of(name) else node.module for name in inner]
    return {file for name in names if name.startswith("shapeviz") and (file := file_of(name))}


def cycles(needs: dict[Path, set[Path]]) -> list[set[str]]:
    """The groups of files of which each needs all others, by way of whatever it imports."""
    reached = {path: {path} for path in needs}
    for path, found in reached.items():
        pending = [path]
        while pending:
            new = needs[pending.pop()] - found
            found |= new
            pending += new
    groups = {frozenset(p for p in needs if p in reached[path] and path in reached[p]) for path in needs}
    return [{str(p.relative_to(ROOT)) for p in group} for group in groups if len(group) > 1]


def test_no_file_imports_one_that_imports_it_in_turn() -> None:
    assert [] == cycles({path: needed_by(path) for path in FILES})


def test_a_cycle_of_three_files_is_seen_as_one() -> None:
    a, b, c, d = (ROOT / f"{name}.py" for name in "abcd")
    assert [{"a.py", "b.py", "c.py"}] == cycles({a: {b}, b: {c, d}, c: {a}, d: set()})


def test_no_two_files_of_tests_have_one_name() -> None:
    """Without packages pytest imports them by their name alone, and leaves out the second."""
    names = [path.name for path in (ROOT.parent / "tests").rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)
