"""Layers of a list, of which a trace runs three: what they save and cost, however used, is what torch has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")
from test_tracing_saved import kept  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

import shapeviz  # noqa: E402

LAYERS = 6


class Lists(nn.Module):
    """A stem, two lists of layers, and a way of using them."""

    def __init__(self, use: Callable[[Lists, Tensor], Tensor]) -> None:
        super().__init__()
        self.use, self.stem = use, nn.Linear(16, 16)
        self.a = nn.ModuleList(nn.Linear(16, 16) for _ in range(LAYERS))
        self.b = nn.ModuleList(nn.LayerNorm(16) for _ in range(LAYERS))

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self, x)


def relu_between(net: Lists, x: Tensor) -> Tensor:
    for a in net.a:
        x = torch.relu(a(x))
    return x


def in_place(net: Lists, x: Tensor) -> Tensor:
    for a in net.a:
        x = torch.relu_(a(x))
    return x


def two_lists(net: Lists, x: Tensor) -> Tensor:
    for a, b in zip(net.a, net.b, strict=True):
        x = torch.relu(b(a(x)))
    return x


def layers_and_heads(net: Lists, x: Tensor) -> Tensor:
    outs = []
    for a, b in zip(net.a, net.b, strict=True):
        x = torch.relu(a(x))
        outs.append(b(x))
    return torch.stack(outs)


def back_and_forth(net: Lists, x: Tensor) -> Tensor:
    kept = []
    for a in net.a:
        x = torch.relu(a(x))
        kept.append(x)
    for b in net.b:
        x = torch.relu(b(x + kept.pop()))
    return x


def heads(net: Lists, x: Tensor) -> list[Tensor]:
    stem = net.stem(x)
    return [a(stem) for a in net.a]


def last_leads_nowhere(net: Lists, x: Tensor) -> Tensor:
    skip = torch.zeros(16)
    for a, b in zip(net.a, net.b, strict=True):
        hidden = torch.tanh(b(x))
        skip = skip + hidden
        x = x + a(hidden)
    return skip


USES: dict[str, Callable[[Lists, Tensor], Tensor]] = {
    "relu": relu_between,
    "in place": in_place,
    "two lists": two_lists,
    "layers and heads": layers_and_heads,
    "back and forth": back_and_forth,
    "two of six": lambda net, x: heads(net, x)[1] + heads(net, x)[5],
    "one of six": lambda net, x: heads(net, x)[2],
    "every second": lambda net, x: torch.cat(heads(net, x)[::2]),
    "some detached": lambda net, x: sum((y.detach() if i % 2 else y for i, y in enumerate(heads(net, x))), x),
    "last leads nowhere": last_leads_nowhere,
}


@pytest.mark.parametrize("use", USES)
def test_layers_of_a_list_save_and_cost_what_torch_has_however_they_are_used(use: str) -> None:
    module = Lists(USES[use])
    sizes, x = {"B": 3}, torch.randn(3, 16)
    saved = shapeviz.measure(shapeviz.trace(module, x="float32[B,16]", sizes=sizes, saved=True), ["saved"])
    assert kept(module, x) == saved.total["saved"].value
    with FlopCounterMode(display=False) as counter:
        module(x).sum().backward()
    training = shapeviz.measure(shapeviz.trace(module, x="float32[B,16]", sizes=sizes, training=True))
    assert counter.get_total_flops() == training.total["flops"].value


class Stack(nn.Module):
    """Four linear layers with a relu after each."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x


def test_lists_within_lists_save_what_torch_keeps() -> None:
    module = nn.Sequential(*[Stack() for _ in range(5)])
    saved = shapeviz.measure(shapeviz.trace(module, "float32[B,16]", saved=True), ["saved"])
    assert kept(module, torch.randn(3, 16)) == saved.total["saved"].at(B=3)
