"""A module is only lent to a trace: afterwards it is as it was, also after a trace that fails."""

from __future__ import annotations

import logging
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_zoo import pretrained, require  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.errors import ShapevizError  # noqa: E402

X = {"x": "float32[B,S,24]"}
OPTIONS = ({}, {"saved": True}, {"training": True}, {"training": True, "input_grad": True, "fold": False})
TEXT = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 61}


class Busy(nn.Module):
    """A forward that changes all that it can reach, and then fails if it is told to."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self.fails, self.counter, self.history, self.seen, self.known = fails, 0, [], {1}, {"a": [1]}
        self.queue, self.ordered, self.state = deque([1]), OrderedDict(a=1), SimpleNamespace(calls=0)
        self.kept, self.listed, self.cache = torch.zeros(24), [torch.zeros(24)], None
        self.register_buffer("positions", torch.zeros(24))
        self.layers = nn.ModuleList(nn.Linear(24, 24) for _ in range(3))
        self.norm, self.inner = nn.BatchNorm1d(24), nn.Dropout(0.5)
        self.gone = "here"

    def forward(self, x: Tensor) -> Tensor:
        self.counter += 1
        self.history.append(x)
        self.seen.add(2)
        self.known["b"] = x
        self.cache = x
        self.new = x
        self.kept = self.kept + 1
        self.positions.add_(1)
        self.positions = self.positions * 2
        self.inner.p = 0.25
        self.inner.note = x
        del self.gone
        self.register_buffer("late", torch.ones(24))
        self.added = nn.Linear(24, 24)
        self.eval()
        self.train()
        for layer in self.layers:
            x = layer(x)
        x = self.norm(self.inner(x).transpose(1, 2)).transpose(1, 2)
        random.random()
        torch.manual_seed(1)
        if self.fails:
            raise ValueError("told to fail")
        return x


class Nested(nn.Module):
    """A forward that changes what its attributes hold inside."""

    def __init__(self, change: Callable[[Any, Tensor], None]) -> None:
        super().__init__()
        self.linear, self.change = nn.Linear(24, 24), change
        self.known, self.queue, self.listed = {"a": [1]}, deque([1]), [torch.zeros(24)]
        self.state, self.kept = SimpleNamespace(calls=0), torch.zeros(24)

    def forward(self, x: Tensor) -> Tensor:
        self.change(self, x)
        return self.linear(x)


def look(value: Any) -> Any:
    """A value as it is now: what a container holds, what an object has, which tensor it is and its numbers."""
    match value:
        case Tensor():
            flags = (value.device, value.dtype, value.requires_grad, value.grad is None, value._version)
            numbers = hash(str(value.detach().tolist())) if type(value) in (Tensor, nn.Parameter) else 0
            return (id(value), type(value), flags, numbers)
        case dict() | OrderedDict():
            return (id(value), type(value), [(key, look(item)) for key, item in value.items()])
        case list() | tuple() | deque():
            return (id(value), type(value), [look(item) for item in value])
        case set():
            return (id(value), set(value))
        case SimpleNamespace():
            return (id(value), look(vars(value)))
        case nn.Module():
            return (id(value), type(value))
    return (type(value), value)


def changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The names of what differs."""
    return [name for name in {**before, **now} if name not in before or name not in now or before[name] != now[name]]


def state(module: nn.Module) -> dict[str, Any]:
    """All attributes of all submodules."""
    return {f"{path}.{name}": look(value) for path, m in module.named_modules() for name, value in vars(m).items()}


def surroundings() -> dict[str, Any]:
    """What lies outside of the module and is the trace's to leave alone."""
    masks = __import__("sys").modules.get("transformers.masking_utils")
    loggers = ("", "torch", "torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes", "transformers")
    functions = ("scaled_dot_product_attention", "dropout", "linear", "multi_head_attention_forward", "bilinear")
    return {
        "functions": [getattr(F, name) for name in functions],
        "masks": hash(tuple((name, id(value)) for name, value in vars(masks).items())) if masks else 0,
        "torch": [id(torch.arange), id(torch.tensor), id(torch.Tensor.__add__), id(torch.bmm), id(torch.lstm)],
        "random": (hash(str(torch.get_rng_state().tolist())), hash(random.getstate())),
        "grad": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")),
        "defaults": (torch.get_default_device(), torch.get_default_dtype()),
        "modes": (torch._C._len_torch_dispatch_stack(), torch._C._len_torch_function_stack()),
        "levels": {name: logging.getLogger(name).level for name in loggers},
    }


def traced(module: nn.Module, inputs: dict[str, Any], **options: Any) -> bool:
    """True if it could be traced."""
    try:
        shapeviz.trace(module, forward=inputs, **options)
    except ShapevizError:
        return False
    return True


def network(training: bool) -> nn.Module:
    layers = [nn.Conv1d(24, 24, 3, padding=1), nn.BatchNorm1d(24), nn.Dropout(0.1), nn.LSTM(7, 7, batch_first=True)]
    return nn.Sequential(*layers).train(training)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("fails", [False, True])
def test_what_forward_changes_is_restored(fails: bool, options: dict[str, Any]) -> None:
    module = Busy(fails)
    before, outside = state(module), surroundings()
    assert traced(module, X, **options) is not fails
    assert [] == changed(before, state(module))
    assert [] == changed(outside, surroundings())


@pytest.mark.parametrize(
    "change",
    [
        lambda self, x: self.known["a"].append(2),
        lambda self, x: self.queue.append(x),
        lambda self, x: setattr(self.state, "calls", 1),
        lambda self, x: self.kept.add_(1),
        lambda self, x: self.listed[0].add_(1),
        lambda self, x: self.listed.__setitem__(0, x),
        lambda self, x: self.linear.weight.data.zero_(),
        lambda self, x: self.linear.weight.detach().zero_(),
        lambda self, x: self.linear.requires_grad_(False),
        lambda self, x: setattr(self.linear, "weight", nn.Parameter(torch.zeros(24, 24))),
        lambda self, x: setattr(self, "__class__", nn.Identity),
    ],
    ids=["list in dict", "deque", "object", "tensor", "tensor in list", "list", "data", "detached", "grad", "weight",
         "class"],
)  # fmt: skip
def test_what_attributes_hold_inside_is_restored(change: Callable[[Any, Tensor], None]) -> None:
    module = Nested(change)
    before = state(module)
    traced(module, X)
    assert [] == changed(before, state(module))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_weights_and_running_statistics_stay_what_they_were(training: bool, options: dict[str, Any]) -> None:
    module = network(training)
    parameters, before = [*module.parameters()], state(module)
    assert traced(module, {"input": "float32[B,24,7]"}, **options)
    assert [] == changed(before, state(module))
    assert all(one is other for one, other in zip(parameters, module.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in parameters)
    assert 0 == module[1].num_batches_tracked
    assert not any("forward" in vars(part) for part in module.modules())


@pytest.mark.parametrize("width", [24, 25])
def test_functions_that_attention_runs_in_our_way_are_given_back(width: int) -> None:
    module, outside = nn.MultiheadAttention(24, 4, batch_first=True), surroundings()
    inputs = {"query": "float32[B,S,24]", "key": f"float32[B,T,{width}]", "value": f"float32[B,T,{width}]"}
    assert traced(module, {**inputs, "need_weights": False}) is (width == 24)
    assert [] == changed(outside, surroundings())


def test_a_gradient_that_is_there_stays() -> None:
    module = nn.Linear(24, 24)
    module(torch.ones(2, 24)).sum().backward()
    before, grad = state(module), module.weight.grad
    values = grad.clone()
    assert traced(module, {"input": "float32[B,24]"}, training=True)
    assert [] == changed(before, state(module))
    assert module.weight.grad is grad
    assert torch.equal(values, grad)


@pytest.mark.parametrize("width", [24, 25])
def test_hooks_of_the_user_stay_and_run_on_a_later_call(width: int) -> None:
    module, called = nn.Sequential(nn.Linear(24, 24), nn.ReLU()), []
    hooks = [
        module.register_forward_pre_hook(lambda *_: called.append("before")),
        module[0].register_forward_hook(lambda *_: called.append("after")),
        module[0].register_full_backward_hook(lambda *_: called.append("back")),
        module[0].weight.register_hook(lambda grad: called.append("weight")),
    ]
    before = state(module)
    assert traced(module, {"input": f"float32[B,{width}]"}, training=True) is (width == 24)
    assert [] == changed(before, state(module))
    called.clear()
    module(torch.ones(2, 24)).sum().backward()
    assert {"before", "after", "back", "weight"} == set(called)
    for hook in hooks:
        hook.remove()
    called.clear()
    module(torch.ones(2, 24)).sum().backward()
    assert [] == called


def test_a_forward_of_the_user_s_own_on_the_instance_stays() -> None:
    module = nn.Sequential(nn.Linear(24, 24), nn.ReLU())
    mine = lambda input: input * 2  # noqa: E731
    module[1].forward = mine
    assert traced(module, {"input": "float32[B,24]"})
    assert module[1].forward is mine
    assert "forward" not in vars(module[0])


@pytest.mark.parametrize("training", [False, True])
def test_a_later_call_gives_the_same_bits(training: bool) -> None:
    module, x = network(training), torch.rand(3, 24, 7)
    twin = network(training)
    twin.load_state_dict(module.state_dict())
    assert traced(module, {"input": "float32[B,24,7]"}, training=True)
    torch.manual_seed(0)
    expected = twin(x)
    torch.manual_seed(0)
    found = module(x)
    assert torch.equal(expected[0], found[0])
    assert all(torch.equal(a, b) for a, b in zip(twin.buffers(), module.buffers(), strict=True))


@pytest.mark.parametrize("enabled", [False, True])
@pytest.mark.parametrize("inputs", [X, {"x": "float32[B,S,25]"}])
def test_the_grad_mode_and_defaults_of_the_caller_stay(
    inputs: dict[str, str], enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = Nested(lambda self, x: None)
    monkeypatch.setattr(logging.getLogger("torch._subclasses.fake_tensor"), "disabled", True)
    torch.manual_seed(3)
    random.seed(3)
    with torch.set_grad_enabled(enabled), torch.autocast("cpu", enabled=enabled):
        before = surroundings()
        traced(module, inputs, training=True)
        assert [] == changed(before, surroundings())
    with torch.device("meta"), torch.inference_mode(enabled):
        before = surroundings()
        traced(module, inputs)
        assert [] == changed(before, surroundings())


@pytest.mark.parametrize("kernel", ["grouped_mm", "eager", "batched_mm"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_hugging_face_model_keeps_its_configuration_and_its_library(kernel: str, fails: bool) -> None:
    require("transformers")
    sizes = {**TEXT, "num_key_value_heads": 2, "head_dim": 6, "num_local_experts": 5}
    model = pretrained("MixtralForCausalLM", {"experts_implementation": kernel}, sizes)
    config, before, outside = dict(vars(model.config)), state(model), surroundings()
    assert {"": kernel} == model.get_experts_implementation()
    inputs = {"input_ids": "int64[B,S]"}
    if fails:
        inputs["attention_mask"] = "bool[B,3]"
    traced(model, inputs, training=True)
    assert [] == changed(config, dict(vars(model.config)))
    assert {"": kernel} == model.get_experts_implementation()
    assert [] == changed(outside, surroundings())
    assert before == state(model)


def test_a_language_model_gives_the_same_bits_before_and_after() -> None:
    require("transformers")
    model = pretrained("GPT2LMHeadModel", {}, {"n_embd": 24, "n_layer": 2, "n_head": 4, "vocab_size": 61})
    ids = torch.randint(61, (2, 9))
    expected = model(ids).logits
    assert traced(model, {"input_ids": "int64[B,S]"}, training=True)
    assert torch.equal(expected, model(ids).logits)


class Compiled(nn.Module):
    """Blocks that torch.compile wraps, as where one kind of block is compiled once."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(torch.compile(nn.Sequential(nn.Linear(8, 8), nn.ReLU())) for _ in range(3))
        self.head = torch.compile(nn.Linear(8, 4))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.head(x)
        return out


def test_compiled_parts_are_traced_as_themselves_and_stay_compiled() -> None:
    module = Compiled()
    model = shapeviz.trace(module, "float32[B,8]")
    total = shapeviz.measure(model).total
    # three layers 8 → 8 and one 8 → 4
    assert (3 * (64 + 8) + 36, 2 * (3 * 64 + 32) * 5) == (total["params"].value, total["flops"].at(B=5))
    assert all(check.ok for check in shapeviz.verify(model))
    assert {"OptimizedModule"} == {type(part).__name__ for part in (*module.blocks, module.head)}


class Batch:
    """An object that holds its fields in a dict of another one, as graph libraries do."""

    def __init__(self) -> None:
        self.store = type("Store", (), {})()
        self.store.fields, self.names = {"x": torch.ones(2, 8)}, ["x"]


def test_what_forward_leaves_in_an_input_is_taken_out_again() -> None:
    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: Tensor, batch: Batch) -> Tensor:
            batch.store.fields["y"] = batch.extra = self.layer(x)
            batch.names.append("y")
            return batch.extra

    batch, module = Batch(), Graph()
    shapeviz.trace(module, "float32[B,8]", batch)
    assert ({"x"}, ["x"], {"store", "names"}) == ({*batch.store.fields}, batch.names, {*vars(batch)})
    assert (2, 8) == module(batch.store.fields["x"], batch).shape
