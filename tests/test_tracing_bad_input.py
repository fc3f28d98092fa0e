"""Modules that misbehave: one message that names the place, the right exit code, no wrong number in silence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.cli._app import app  # noqa: E402
from shapeviz.errors import InputError, ShapevizError, TraceError  # noqa: E402
from shapeviz.tracing import process_state  # noqa: E402
from shapeviz.tracing.fake_run import FakeRun  # noqa: E402

ROOT = Path(__file__).parent.parent
X = "float32[B,S,8]"
Pair = namedtuple("Pair", "x y")


class Calling(nn.Module):
    """A module whose forward is a function of it and its inputs, with one linear layer to use."""

    def __init__(self, run: Callable[..., Any]) -> None:
        super().__init__()
        self.run, self.a = run, nn.Linear(8, 8)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(self, *args, **kwargs)


class Idle(nn.Module):
    """A layer that holds another one, which it never calls."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.used(x)
        return out


def total(module: nn.Module, *inputs: Any, column: str = "flops", **options: Any) -> Any:
    return shapeviz.measure(shapeviz.trace(module, *inputs, **options)).total[column]


def refused(run: Callable[..., Any], kind: type[ShapevizError], *inputs: Any, **options: Any) -> str:
    """The message of a trace that must fail, which names the user's line and nothing of torch's inside."""
    module = Calling(run)
    with pytest.raises(ShapevizError) as caught:
        shapeviz.trace(module, *(inputs or (X,)), **options)
    assert isinstance(caught.value, kind), caught.value
    assert type(module.a._parameters) is dict
    assert "forward" not in module.a.__dict__
    return str(caught.value)


def cuda(module: Any, x: Tensor) -> Any:
    return module.a(x.cuda())


def on_cuda(module: Any, x: Tensor) -> Any:
    return module.a(x) + torch.zeros(8, device="cuda")


def one_by_one(module: Any, x: Tensor) -> Tensor:
    state = torch.zeros(x.shape[0], 8)
    for step in range(x.shape[1]):
        state = torch.tanh(module.a(x[:, step]) + state)
    return state


def forever(module: Any, x: Tensor) -> Any:
    return forever(module, x + 1)


def alone(module: Any, x: Tensor) -> Any:
    return module.a(x) if x.shape[0] == 1 else module.a(module.a(x))


def kept_by_size(module: Any, x: Tensor) -> Any:
    return {x.shape[1]: module.a(x)}[x.shape[1]]


def chosen(module: Any, x: Tensor) -> Any:
    return module.a(x[x.sum(-1) > 0])


def ended(module: Any, x: Tensor) -> Any:
    sys.exit(0)


# messages


def test_an_error_of_forward_is_one_message_with_its_line() -> None:
    message = refused(lambda module, x: module.a(x) / 0 if 1 // 0 else x, InputError)
    assert "ZeroDivisionError" in message
    assert "test_tracing_bad_input.py" in message


@pytest.mark.parametrize("result", [None, "text", 3, (), {}], ids=repr)
def test_a_forward_without_a_tensor_as_its_result_is_refused(result: Any) -> None:
    assert "no tensor" in refused(lambda module, x: result, InputError)


def test_a_number_that_data_give_is_a_failed_trace_that_says_how_to_mend_it() -> None:
    message = refused(lambda module, x: [module.a(x) for _ in range(int(x.sum()))], TraceError)
    assert "torch.where" in message
    assert "test_tracing_bad_input.py" in message


def test_a_loop_over_a_dimension_names_the_line_and_the_size_that_mends_it() -> None:
    message = refused(one_by_one, TraceError)
    assert "test_tracing_bad_input.py" in message
    assert 'sizes={"S": ' in message


@pytest.mark.parametrize("steps", [1, 2, 16])
def test_a_loop_over_a_dimension_of_a_given_size_is_counted_step_by_step(steps: int) -> None:
    assert f"{128 * steps}·B" == str(total(Calling(one_by_one), X, sizes={"S": steps}))


def test_an_endless_call_of_a_module_by_itself_is_refused() -> None:
    assert "RecursionError" in refused(lambda module, x: module(x), InputError)


def test_an_endless_recursion_is_refused_and_tried_again_at_small_sizes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_state, "DEEPEST_STACK", 1500)  # each level is an operation, which takes its time
    tried = []
    run = FakeRun.run_module
    monkeypatch.setattr(FakeRun, "run_module", lambda self, *given: tried.append(self) or run(self, *given))
    assert "RecursionError" in refused(forever, InputError)
    assert 2 == len(tried)


def test_a_recursion_over_a_dimension_that_is_too_deep_at_usual_sizes_is_traced_at_small_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def deeper(module: Any, x: Tensor, levels: int) -> Any:
        return deeper(module, x + 1, levels - 1) if levels else module.a(x)

    monkeypatch.setattr(process_state, "DEEPEST_STACK", 1000)
    model = Calling(lambda module, x: deeper(module, x, 1 if x.shape[1] < 100 else 10_000))
    assert "128·B·S" == str(total(model, X))


def test_a_forward_that_ends_the_program_is_refused() -> None:
    refused(ended, InputError)


@pytest.mark.parametrize("run", [cuda, on_cuda])
def test_a_forward_that_needs_cuda_is_refused_with_the_way_out(run: Callable[..., Any]) -> None:
    assert "leave the device to the caller" in refused(run, InputError)


def test_an_input_given_by_position_and_by_name_is_told_so() -> None:
    with pytest.raises(InputError, match=r"multiple values for argument 'input'"):
        shapeviz.trace(nn.Linear(8, 8), X, input=X)


@pytest.mark.parametrize("spec", ["float32[B,8]", "int64[B,8]"])
def test_an_input_of_another_dtype_than_the_weights_is_refused(spec: str) -> None:
    with pytest.raises(InputError, match="dtype"):
        shapeviz.trace(nn.Linear(8, 8).half(), spec)


def test_an_input_of_another_dtype_than_a_convolutions_is_refused() -> None:
    with pytest.raises(InputError, match="dtype"):
        shapeviz.trace(nn.Conv1d(8, 8, 3).half(), "float32[B,8,S]")


# numbers


def test_layers_alike_that_hold_an_idle_layer_count_all_their_parameters() -> None:
    module = nn.Sequential(*(Idle() for _ in range(3)))
    assert sum(p.numel() for p in module.parameters()) == total(module, X, column="params").value


def test_a_branch_on_a_batch_of_one_is_taken_at_a_batch_of_one() -> None:
    assert 4 * 128 == total(Calling(alone), X, sizes={"B": 1, "S": 4}).value


def test_a_dimension_named_like_an_unknown_cost_is_not_taken_for_it() -> None:
    model = shapeviz.trace(Calling(lambda module, x: torch.linalg.inv(module.a(x))), "float32[f_1,8,8]")
    assert "flops" in shapeviz.measure(model).not_counted


def test_a_dimension_named_like_an_unknown_size_is_not_taken_for_it() -> None:
    assert "flops" in shapeviz.measure(shapeviz.trace(Calling(chosen), "float32[n_1,n_2,8]")).not_counted


def test_a_size_that_depends_on_data_is_named_and_not_counted() -> None:
    report = shapeviz.measure(shapeviz.trace(Calling(chosen), X))
    assert {"flops": "128·n_1"} == {column: str(rest) for column, rest in report.not_counted.items()}
    assert "depends on the data" in report.reasons["n_1"]


# what a user may write


def test_a_table_of_positions_is_added_at_its_own_length() -> None:
    module = Calling(lambda module, x: module.a(x + module.table))
    module.table = nn.Parameter(torch.zeros(16, 8))
    assert "2048·B" == str(total(module, X, sizes={"S": 16}))


def test_a_flattened_image_is_counted_at_the_size_it_is_made_for() -> None:
    module = nn.Sequential(nn.Conv2d(1, 6, 5), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(6 * 14 * 14, 4))
    assert 2 > len(total(module, "float32[B,1,H,W]", sizes={"H": 32, "W": 32}).names)


def test_a_result_kept_by_size_is_counted_at_a_given_size() -> None:
    assert "2048·B" == str(total(Calling(kept_by_size), X, sizes={"S": 16}))


def test_a_hook_of_the_module_itself_is_traced() -> None:
    module = nn.Linear(8, 8)
    module.register_forward_hook(lambda module, given, result: result * 2)
    assert "128·B·S" == str(total(module, X))


def test_a_named_tuple_keeps_its_names() -> None:
    assert "128·B·S" == str(total(Calling(lambda module, pair: module.a(pair.x) + pair.y), Pair(X, "float32[8]")))


def test_a_weight_that_vmap_reads_first_is_traced() -> None:
    module = Calling(lambda module, x: torch.vmap(lambda row: row @ module.a.weight)(x))
    assert "128·B·S" == str(total(module, X))


@pytest.mark.parametrize("mask", ["mask", "src_key_padding_mask"])
def test_torchs_encoder_takes_masks_as_inputs(mask: str) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    module = nn.TransformerEncoder(layer, 2).eval()
    spec = {mask: "bool[B,S]" if mask.endswith("padding_mask") else "float32[S,S]"}
    assert "64·B·S² + 2048·B·S" == str(total(module, X, **spec))


def test_lazy_modules_without_inputs_and_scripted_parts_are_refused_in_one_message() -> None:
    with pytest.raises(
        InputError, match="no sizes before its first call: call the module once, or describe its inputs"
    ):
        shapeviz.trace(nn.LazyLinear(8), run=False)
    with pytest.raises(InputError, match=r"scripted module \(0\) runs outside of Python: give the module"):
        shapeviz.trace(nn.Sequential(torch.jit.script(nn.Linear(8, 8))), X)


# the command


def test_what_forward_prints_goes_to_standard_error(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "from torch import nn\nclass Loud(nn.Linear):\n    def forward(self, x):\n"
        "        print('loud')\n        return super().forward(x)\ndef build():\n    return Loud(8, 8)\n"
    )
    found = subprocess.run(
        [sys.executable, "-m", "shapeviz", "flops", "model.py:build", "--input", "float32[B,8]", "--json"],
        capture_output=True, encoding="utf-8", cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120,
    )  # fmt: skip
    assert 0 == found.returncode, found.stderr
    assert "128*B" == json.loads(found.stdout)["total"]["flops"]["formula"]
    assert "loud" in found.stderr


def test_attention_of_shapes_that_disagree_is_a_failed_trace() -> None:
    message = refused(lambda module, x: F.scaled_dot_product_attention(x, x[..., :4], x), TraceError)
    assert "B S 8" in message
    assert "B S 4" in message


def test_a_torch_that_lacks_a_private_part_is_refused_with_the_name_of_the_part() -> None:
    lacking = "import torch._dispatch.python as p; del p.enable_python_dispatcher; import torch, shapeviz; "
    code = lacking + "shapeviz.trace(torch.nn.ReLU(), 'float32[B]')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "lacks a part that tracing needs: cannot import name 'enable_python_dispatcher'" in done.stderr
    assert "MissingToolError" in done.stderr


def test_an_operator_that_runs_functions_is_refused_in_our_own_words() -> None:
    class Conditional(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return torch.cond(x.shape[0] > 2, lambda y: y + 1, lambda y: y, (x,))

    with pytest.raises(InputError, match="cond runs functions, which a trace does not follow") as raised:
        shapeviz.trace(Conditional(), "float32[B,8]")
    assert "object at 0x" not in str(raised.value)


def test_what_pytorch_warns_its_users_of_does_not_stand_beside_a_result(tmp_path: Path) -> None:
    # as torch.nn.TransformerEncoder does of layers that are not batch_first, in its own file
    path = tmp_path / "nested.py"
    path.write_text(
        "import torch, warnings\n"
        "def build():\n"
        "    warnings.warn_explicit('slower', UserWarning, 'linear.py', 1, module='torch.nn.modules.linear')\n"
        "    warnings.warn('mine', UserWarning)\n"
        "    return torch.nn.Linear(2, 2)\n"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        done = CliRunner().invoke(app, ["params", f"{path}:build"])
    assert 0 == done.exit_code, done.output
    assert ["mine"] == [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]
