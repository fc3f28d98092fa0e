"""A wrong call in Python is answered with the right one, in Python's words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import shapeviz
from shapeviz.errors import InputError, ShapevizError, UnknownColumnError
from shapeviz.tracing.messages import in_python


class Net(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * mask


MODEL = shapeviz.read({"enc": 1, "dec": 0, "d_model": 8, "heads": 2})
REPORT = shapeviz.measure(MODEL)
CALLS: list[tuple[Callable[[], Any], str]] = [
    (lambda: shapeviz.measure(nn.Linear(2, 3)), "shapeviz.measure(shapeviz.trace(module, …))"),
    (lambda: shapeviz.measure(Net), "shapeviz.measure(shapeviz.trace(Net, …))"),
    (lambda: shapeviz.measure("gpt2"), "shapeviz.measure(shapeviz.read('gpt2'))"),
    (lambda: shapeviz.measure(REPORT), "a Report is measured already"),
    (lambda: shapeviz.render(MODEL), "shapeviz.render(shapeviz.measure(model))"),
    (lambda: shapeviz.render("gpt2"), "shapeviz.render(shapeviz.measure(shapeviz.read('gpt2')))"),
    (lambda: shapeviz.render(nn.ReLU()), "shapeviz.render(shapeviz.measure(shapeviz.trace(module, …)))"),
    (lambda: shapeviz.verify("gpt2"), "shapeviz.verify(shapeviz.read('gpt2'))"),
    (lambda: shapeviz.verify(nn.ReLU()), "shapeviz.verify(shapeviz.trace(module, …))"),
    (lambda: shapeviz.read(nn.ReLU()), "a PyTorch module is traced: shapeviz.trace(module, …)"),
    (lambda: shapeviz.trace("gpt2"), "shapeviz.read('gpt2')"),
    (lambda: shapeviz.trace(Net), "shapeviz.trace(Net, …)"),
    (lambda: REPORT.total["parms"], "did you mean 'params'?"),
    (lambda: REPORT.columns["flop"], "did you mean 'flops'?"),
    (lambda: REPORT.rows[0].cells["parms"], "did you mean 'params'?"),
    (lambda: REPORT.total["cache"], "cache was not measured: shapeviz.measure(model, ['cache']) does"),
]


@pytest.mark.parametrize(("call", "words"), CALLS)
def test_a_wrong_call_says_the_right_one(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        call()
    assert words in str(error.value)


def test_a_column_that_is_not_there_is_a_key_error_too() -> None:
    with pytest.raises(KeyError):
        REPORT.total["parms"]
    assert issubclass(UnknownColumnError, InputError)
    assert None is REPORT.total.get("parms")
    assert "parms" not in REPORT.total


@pytest.mark.parametrize(
    "call",
    [lambda: shapeviz.trace(Net()), lambda: shapeviz.trace(Net(), "float32[B,4]"),
     lambda: shapeviz.trace(Net(), "float32[B,4]", "float32[B,2]", sizes={"C": 3}),
     lambda: shapeviz.trace(Net(), "float32[B,5]", "float32[B,2]"),
     lambda: shapeviz.testing.check(Net(), sizes={"B": 2})],
)  # fmt: skip
def test_python_callers_are_not_told_options_of_the_command_line(call: Callable[[], Any]) -> None:
    with pytest.raises(ShapevizError) as error:
        call()
    assert "--" not in str(error.value)


def test_notes_and_hints_of_a_trace_are_in_python() -> None:
    model = shapeviz.trace(Net(), "float32[B,4]", "float32[B,2]")
    assert 'B = 1 assumed; sizes={"B": N} sets it' in model.notes
    with pytest.raises(InputError, match='for example x="float32'):
        shapeviz.trace(Net())
    assert "vary=['dim', 'heads']" == in_python("--vary dim,heads")


def test_a_module_that_is_read_by_its_name_is_answered_in_python_too(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(4, 2)\n"
    )
    with pytest.raises(InputError, match=r'inputs=\["input:float32\[B,S,512\]"\]') as error:
        shapeviz.read(f"{tmp_path / 'net.py'}:Net")
    assert "--" not in str(error.value)
    model = shapeviz.read(f"{tmp_path / 'net.py'}:Net", inputs=["float32[B,4]"])
    assert 'B = 1 assumed; sizes={"B": N} sets it' in model.notes
    hasty = shapeviz.read(f"{tmp_path / 'net.py'}:Net", inputs=["float32[B,S,4]"], patience=0)
    assert any("S is traced" in note and "patience=SECONDS" in note for note in hasty.notes)


def test_a_size_of_a_trace_may_have_a_suffix() -> None:
    model = shapeviz.trace(Net(), "float32[B,4]", "float32[B,2]", sizes={"B": "4k"})
    assert 4000 == model.sizes.numbers["B"]


def test_names_for_annotations_are_at_the_top() -> None:
    assert isinstance(MODEL, shapeviz.Model)
    assert isinstance(REPORT, shapeviz.Report)
    assert {"Model", "Report", "Column", "Row", "Cell", "Expr", "Quantity", "__version__"} <= {*shapeviz.__all__}
