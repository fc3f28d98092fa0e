"""One glossary, one door: a letter is declared once, and a family's file is checked to be one."""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

import shapeviz
from shapeviz import plugins, symbols
from shapeviz.cli._app import app
from shapeviz.errors import InputError
from shapeviz.frontends import _families
from shapeviz.ir import Model
from shapeviz.models.transformer import SYMBOLS, Config

ROOT = Path(__file__).parent.parent / "shapeviz"
KEY, LETTER = "kv_heads", "g"
FAMILY = '''
"""A family."""
from dataclasses import dataclass
from shapeviz.keys import key
from shapeviz.lang import block, source
from shapeviz.models import Plan
from shapeviz.models._letters import B, E, N, S, d_model

SYMBOLS = {"N": "layers", "d_model": "width"}
CLASSES = {"Tiny": ""}

@dataclass(frozen=True)
class Config:
    layers: int = key(2)
    width: int = key(8)

def check(c):
    pass

def build(c, task):
    @block(role="model")
    def tiny():
        """y = x"""
        return source("x", B, S, d_model)
    return Plan(tiny)
'''


def words(node: ast.AST) -> set[str]:
    """The texts and the attributes in an expression."""
    found = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return found | {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}


def mappings(tree: ast.AST) -> Iterator[ast.AST]:
    """Where a file says that one of the two is the other: an entry of a dictionary, or side by side in a call."""
    for node in ast.walk(tree):
        pairs = zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ()
        sides = [(key, value) for key, value in pairs if key is not None]
        if isinstance(node, ast.Call | ast.Tuple | ast.List):
            parts = node.args if isinstance(node, ast.Call) else node.elts
            sides += [(one, other) for one in parts for other in parts if isinstance(one, ast.Constant)]
        if any({KEY, LETTER} <= words(one) | words(other) and words(one) & {KEY, LETTER} for one, other in sides):
            yield node


def test_which_key_is_which_letter_is_said_once_in_the_code() -> None:
    said = [path.relative_to(ROOT) for path in sorted(ROOT.rglob("*.py")) if any(mappings(ast.parse(path.read_text())))]
    assert [Path("symbols.py")] == said


@pytest.mark.parametrize(
    "text", ['{"g": c.kv_heads}', '{"kv_heads": "g"}', 'Size("g", key, "kv_heads")', '("g", "kv_heads")']
)
def test_the_test_above_can_fail(text: str) -> None:
    assert any(mappings(ast.parse(text)))


def test_every_size_of_the_built_in_model_is_a_flag_a_letter_and_a_line_of_the_glossary() -> None:
    assert dict(SYMBOLS.items()) == {letter: key for key, letter in symbols.LETTERS.items()}
    shown = CliRunner().invoke(app, ["params", "--help-all"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"}).stdout
    for key, letter in symbols.LETTERS.items():
        assert symbols.BY_LETTER[letter].help in " ".join(shown.split()), key


def test_help_says_the_default_that_is_taken() -> None:
    shown = " ".join(CliRunner().invoke(app, ["params", "--help-all"], env={"TERMINAL_WIDTH": "200"}).stdout.split())
    assert f"Query heads. Default: {Config.heads}." in shown
    assert "Default: 512,512." in shown
    assert "LayerNorm or RMSNorm. Default: layer." in shown
    assert "1 is multi-query. Default: heads." in shown


@pytest.mark.parametrize(
    ("model", "names"),
    [("gpt2", {"B": "batch", "S": "seq", "V": "vocab", "P": "max_len", "N": "layers", "d_ff": "ff"}),
     ({"vocab": None}, {"g": "kv_heads", "d_ff1": "ff_1", "d_ff2": "ff_2", "V": "vocab", "N_enc": "enc"}),
     ("mixtral-8x7b", {"E": "experts", "k": "active_experts", "d_v": None}),
     ("deepseek-v3", {"r_kv": None, "N_dense": "dense_layers"})],
)  # fmt: skip
def test_json_has_the_long_names_of_the_letters(model: Any, names: dict[str, str | None]) -> None:
    written = json.loads(shapeviz.render(shapeviz.measure(shapeviz.read(model)), "json"))["long_names"]
    assert names == {letter: written.get(letter) for letter in names}


def family(text: str, path: Path, monkeypatch: pytest.MonkeyPatch, **config: object) -> Model:
    """The model of a configuration whose family's file has this text."""
    file = path / "tiny.py"
    file.write_text(text)
    module = ModuleType("shapeviz.models.tiny")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(text, str(file), "exec"), module.__dict__)
    monkeypatch.setattr(plugins, "has", lambda package, name, prefix="": name == "tiny")
    monkeypatch.setattr(plugins, "load", lambda package, name, prefix="": module)
    _families.load.cache_clear()
    try:
        return shapeviz.read({"model_type": "tiny", **config})
    finally:
        _families.load.cache_clear()


def test_a_file_with_what_a_family_needs_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"B": 1, "S": 4096, "N": 2, "d_model": 8} == family(FAMILY, tmp_path, monkeypatch).sizes.numbers


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [(FAMILY, '"""Nothing yet."""', "it lacks Config, a frozen dataclass"),
     ('CLASSES = {"Tiny": ""}', "", "it lacks CLASSES, the task of each class name"),
     ("CLASSES = {\"Tiny\": \"\"}", "CLASSES = {}", "CLASSES is empty"),
     ("@dataclass(frozen=True)", "", "Config is no dataclass"),
     ("key(8)", "8", "width of its Config says not what it may be"),
     ('"d_model": "width"', '"d_model": "widht"', "did you mean 'width'"),
     ("B, S, d_model)", "B, E, d_model)", "the letter E has no size: SYMBOLS names its key")],
)  # fmt: skip
def test_a_family_that_lacks_something_is_refused_with_its_file_and_what_it_lacks(
    old: str, new: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError) as caught:
        family(FAMILY.replace(old, new), tmp_path, monkeypatch)
    assert said in str(caught.value)
    assert "tiny" in str(caught.value)


def test_every_bundled_family_is_one() -> None:
    assert all(_families.load(name).name == name for name in [*_families.names(), _families.SIZES])
