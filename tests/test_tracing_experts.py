"""Experts chosen by hand, in the ways in which people write it: the sum is what torch counts with real choices."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402
from torch.nn.functional import one_hot  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

import shapeviz  # noqa: E402

E = 4


class Mixture(nn.Module):
    """A router, four experts, and a way of using them."""

    def __init__(self, use: Callable[[Mixture, Tensor], Tensor], widths: tuple[int, ...] = (16,) * E) -> None:
        super().__init__()
        self.use, self.router = use, nn.Linear(8, E)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(8, w), nn.ReLU(), nn.Linear(w, 8)) for w in widths)

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self, x)

    def chosen(self, x: Tensor, k: int = 2) -> tuple[Tensor, Tensor]:
        weights, chosen = torch.topk(self.router(x).softmax(-1), k)
        return weights, chosen


def by_where(net: Mixture, x: Tensor) -> Tensor:
    weights, chosen = net.chosen(x)
    out = torch.zeros_like(x)
    for e, expert in enumerate(net.experts):
        rows, nth = torch.where(chosen == e)
        out[rows] += weights[rows, nth, None] * expert(x[rows])
    return out


def by_mask(net: Mixture, x: Tensor) -> Tensor:
    chosen, out = net.router(x).argmax(dim=-1), torch.zeros_like(x)
    for e, expert in enumerate(net.experts):
        mask = chosen == e
        if mask.any():
            out[mask] = expert(x[mask])
    return out


def by_slot(net: Mixture, x: Tensor) -> Tensor:
    weights, chosen = net.chosen(x)
    out = torch.zeros_like(x)
    for slot in range(2):
        for e, expert in enumerate(net.experts):
            mask = chosen[:, slot] == e
            if mask.sum() > 0:
                out[mask] += weights[mask, slot].unsqueeze(-1) * expert(x[mask])
    return out


def by_one_hot(net: Mixture, x: Tensor) -> Tensor:
    weights, chosen = net.chosen(x)
    out, masks = torch.zeros_like(x), one_hot(chosen, num_classes=E).permute(2, 1, 0)
    for e in range(E):
        nth, rows = torch.where(masks[e])
        out.index_add_(0, rows, net.experts[e](x[None, rows].reshape(-1, 8)) * weights[rows, nth, None])
    return out


def by_nonzero(net: Mixture, x: Tensor) -> Tensor:
    chosen, out = net.router(x).argmax(-1), torch.zeros_like(x)
    for e, expert in enumerate(net.experts):
        rows = (chosen == e).nonzero().squeeze(-1)
        if rows.numel() == 0:
            continue
        out[rows] = expert(x[rows])
    return out


def by_tokens(net: Mixture, x: Tensor) -> Tensor:
    _, chosen = net.chosen(x)
    out = torch.zeros_like(x)
    for e, expert in enumerate(net.experts):
        mask = (chosen == e).any(dim=-1)
        out[mask] += expert(x[mask])
    return out


def by_counts(net: Mixture, x: Tensor) -> Tensor:
    weights, chosen = net.chosen(x)
    order = chosen.view(-1).argsort()
    outs, start = [], 0
    for e, count in enumerate(chosen.view(-1).bincount(minlength=E).tolist()):
        if count:
            outs.append(net.experts[e](x[order[start : start + count] // 2]))
        start += count
    return torch.zeros_like(x).index_add_(0, order // 2, torch.cat(outs) * weights.view(-1)[order, None])


def by_split(net: Mixture, x: Tensor) -> Tensor:
    chosen = net.router(x).argmax(-1)
    order = chosen.argsort()
    parts = x[order].split(torch.bincount(chosen, minlength=E).tolist())
    return torch.cat([expert(part) for expert, part in zip(net.experts, parts, strict=True)])[order.argsort()]


WAYS = [by_where, by_mask, by_slot, by_one_hot, by_nonzero, by_tokens, by_counts, by_split]


@pytest.mark.parametrize("way", WAYS)
def test_equal_experts_cost_what_all_choices_cost_however_they_fall(way: Callable[[Mixture, Tensor], Tensor]) -> None:
    net = Mixture(way)
    report = shapeviz.measure(shapeviz.trace(net, "float32[N,8]"))
    assert {} == report.not_counted
    for tokens in (6, 31):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(torch.randn(tokens, 8))
        assert counter.get_total_flops() == report.total["flops"].at(N=tokens)


def test_training_and_saved_bytes_of_experts_are_sums_too() -> None:
    net = Mixture(by_where)
    model = shapeviz.trace(net, "float32[N,8]", training=True, saved=True)
    report = shapeviz.measure(model, ["flops", "saved"])
    with FlopCounterMode(display=False) as counter:
        net(torch.randn(24, 8)).sum().backward()
    assert counter.get_total_flops() == report.total["flops"].at(N=24)
    assert {} == report.not_counted


def missing_one(net: Mixture, x: Tensor) -> Tensor:
    chosen, out = net.router(x).argmax(-1), torch.zeros_like(x)
    for e in range(E - 1):
        out[chosen == e] = net.experts[e](x[chosen == e])
    return out


@pytest.mark.parametrize(("use", "widths"), [(missing_one, (16,) * E), (by_where, (16, 16, 32, 16))])
def test_a_sum_that_depends_on_the_choices_is_not_counted_and_said(
    use: Callable[[Mixture, Tensor], Tensor], widths: tuple[int, ...]
) -> None:
    model = shapeviz.trace(Mixture(use, widths), "float32[N,8]")
    report = shapeviz.measure(model)
    assert {"n_1"} == report.not_counted["flops"].names
    assert "depends on the data" in report.reasons["n_1"]
    assert 64 * 6 == report.total["flops"].at(N=6)
    assert not [note for note in model.notes if "on average" in note]


def test_what_several_tokens_choose_overlaps_and_is_no_part_of_all_choices() -> None:
    def overlapping(net: Mixture, x: Tensor) -> Tensor:
        _, chosen = net.chosen(x)
        out = torch.zeros_like(x[:2])
        for e, expert in enumerate(net.experts):
            slots = (chosen == e).any(dim=0)  # of two slots, each filled by some token or none
            out[slots] = expert(x[:2][slots])
        return out

    model = shapeviz.trace(Mixture(overlapping), "float32[N,8]")
    assert shapeviz.measure(model).not_counted["flops"].names
    assert not [note for note in model.notes if "on average" in note]
