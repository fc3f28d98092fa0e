"""The whole model: its totals by PyTorch and by two peers, whose known deviations are predicted, not excused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from torch import Tensor, nn

from shapeviz.models.transformer import Config
from shapeviz.report import Check, Report
from shapeviz.verify.measure import Run, RunError, construct, example, parameters, run
from shapeviz.verify.peers import RULES, Count, Counts, fvcore_counts, installed, torchinfo_counts
from shapeviz.verify.points import DEEPEST, Point, shallow

Counter = Callable[[nn.Module, tuple[Tensor, ...], Run], Counts]


def total_checks(report: Report, where: list[Point]) -> Iterator[Check]:
    """Parameters and FLOPs of the model: by PyTorch at every point, by the peers at the first."""
    try:
        counted = [at_full_depth(point, pytorch_counts) for point in where]
    except RunError:  # reported with the blocks already
        return
    for by, quantity in counted[0]:
        found = [counts[by, quantity].found for counts in counted]
        expected = [report.total[quantity].at(point.sizes) for point in where]
        yield _by_pytorch(quantity, by, expected, found, where)
    for peer, counter in (("torchinfo", torchinfo_counts), ("fvcore", fvcore_counts)):
        yield from _by_peer(report, where[0], peer, counter)


def at_full_depth(point: Point, counter: Counter) -> Counts:
    """The counts of the whole model; in a stack too deep to build, every further layer adds what the third one does."""
    config = shallow(point.config)
    built = _counted(config, point, counter)
    total = built
    for deeper, missing in (
        (replace(config, enc=3), point.config.enc - config.enc),
        (replace(config, dec=3), point.config.dec - config.dec),
    ):
        if missing:
            third = _counted(deeper, point, counter)
            total = {key: total[key] + (third[key] - built[key]) * missing for key in total}
    return total


def pytorch_counts(module: nn.Module, inputs: tuple[Tensor, ...], watched: Run) -> Counts:
    """Unique parameters, and the FLOPs that `FlopCounterMode` saw."""
    params, flops = parameters(module)[""], watched.flops[""]
    return {("PyTorch", "params"): Count(params, params), ("FlopCounterMode", "flops"): Count(flops, flops)}


def _counted(config: Config, point: Point, counter: Counter) -> Counts:
    module = construct(config)
    inputs = example(point.lengths, point.batch, config.d_model, config.vocab)
    return counter(module, inputs, run(module, inputs))


def _by_pytorch(quantity: str, by: str, expected: list[int], found: list[int], where: list[Point]) -> Check:
    """One check of all points; if any disagrees, it shows the first that does."""
    differing = [i for i, pair in enumerate(zip(expected, found, strict=True)) if pair[0] != pair[1]]
    shown = differing[0] if differing else 0
    deep = shallow(where[shown].config) != where[shown].config
    note = f"at {where[shown]}" if differing else "equal at " + "; ".join(map(str, where))
    note += "; the model's own sizes are beyond what PyTorch addresses" * bool(where[0].sizes)
    note += f"; stacks of more than {DEEPEST} layers: from 2 and 3 layers" * deep
    return Check("model", quantity, expected[shown], found[shown], by, note)


def _by_peer(report: Report, point: Point, peer: str, counter: Counter) -> Iterator[Check]:
    """A peer's totals at one point; a difference is explained if it is exactly the one that its rule predicts."""
    try:
        counts = at_full_depth(point, counter)
    except Exception as error:  # a peer that raises says nothing about the formula
        for quantity in report.total:
            expected = report.total[quantity].at(point.sizes)
            note = f"not comparable: {peer} raises {type(error).__name__}: {error}".splitlines()[0]
            yield Check("model", quantity, expected, None, installed(peer), note, explained=True)
        return
    for (_, quantity), count in counts.items():
        expected = report.total[quantity].at(point.sizes)
        yield _judged(quantity, expected, count, peer)


def _judged(quantity: str, expected: int, count: Count, peer: str) -> Check:
    if count.found == expected:
        return Check("model", quantity, expected, count.found, installed(peer))
    rule = RULES.get((peer, quantity))
    explained = rule is not None and count.found == count.rule
    note = rule or f"{peer} has no known reason to differ"
    if rule and not explained:
        note = f"unexplained: its known rule gives {count.rule:,} ({rule})"
    return Check("model", quantity, expected, count.found, installed(peer), note, explained)
