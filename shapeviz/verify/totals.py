"""The whole model: its totals by PyTorch and by two peers, whose known deviations are predicted, not excused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import TypeVar

from torch import Tensor, nn

from shapeviz.expr import Expr
from shapeviz.ir import Model
from shapeviz.models.transformer import Config
from shapeviz.report import Check, Report
from shapeviz.verify.cases import Case, agreement, case_of, disagreement
from shapeviz.verify.forward_pass import Run, RunError, construct, example, run
from shapeviz.verify.observation import Observation
from shapeviz.verify.peers import RULES, Count, Counts, fvcore_counts, installed, torchinfo_counts
from shapeviz.verify.sizes import DEEPEST, SYMBOLIC_DEPTH, lengths, shallow, within_reach

PyTorch = tuple[nn.Module, tuple[Tensor, ...], Run[int]]  # a module, its inputs and what was seen
Counter = Callable[[nn.Module, tuple[Tensor, ...], Run[int]], Counts]
N = TypeVar("N", Expr, Count)


def total_checks(
    model: Model, report: Report, config: Config, cases: list[Case], watch: Callable[[Config], Observation]
) -> Iterator[Check]:
    """Parameters and FLOPs of the model: by PyTorch as polynomials in every case, by the peers at one size."""
    try:
        counted = [at_full_depth(case.config, SYMBOLIC_DEPTH, partial(_by_torch, watch)) for case in cases]
        reached = case_of(model, within_reach(config), "within reach")
        measured = cache(_measured)
        measured(shallow(reached.config, DEEPEST))
    except RunError:  # reported with the blocks already
        return
    for by, quantity in counted[0]:
        yield _agree(
            quantity, by, report.total[quantity].expression, [counts[by, quantity] for counts in counted], cases
        )
    for peer, counter in (("torchinfo", torchinfo_counts), ("fvcore", fvcore_counts)):
        yield from _by_peer(report, reached, peer, counter, measured)


def at_full_depth(
    config: Config, deepest: int, counted: Callable[[Config], Mapping[tuple[str, str], N]]
) -> Mapping[tuple[str, str], N]:
    """The counts of the whole model; in a stack too deep to run, every further layer adds what the third one does."""
    built = shallow(config, deepest)
    first = total = counted(built)
    for deeper, missing in (
        (replace(built, enc=3), config.enc - built.enc),
        (replace(built, dec=3), config.dec - built.dec),
    ):
        if missing:
            third = counted(deeper)
            total = {key: total[key] + (third[key] - first[key]) * missing for key in total}
    return total


def _by_torch(watch: Callable[[Config], Observation], config: Config) -> Mapping[tuple[str, str], Expr]:
    """Unique parameters, and the FLOPs that `FlopCounterMode` saw."""
    seen = watch(config)
    return {("PyTorch", "params"): Expr.of(seen.params[""]), ("FlopCounterMode", "flops"): seen.flops[""]}


def _agree(quantity: str, by: str, formula: Expr, measured: list[Expr], cases: list[Case]) -> Check:
    """One check of all cases; if any disagrees, it shows the first that does."""
    deep = any(shallow(case.config, SYMBOLIC_DEPTH) != case.config for case in cases)
    note = f"; stacks of more than {SYMBOLIC_DEPTH} layers: from 2 and 3 layers" * deep
    for case, theirs in zip(cases, measured, strict=True):
        if (ours := case.formula(formula)) != theirs:
            return disagreement("model", quantity, by, ours, theirs, case, note)
    return agreement("model", quantity, by, formula, cases, note)


def _measured(config: Config) -> PyTorch:
    """The module at the configuration's own batch and lengths."""
    module = construct(config)
    inputs = example(lengths(config), config.batch, config.d_model, config.vocab)
    return module, inputs, run(module, inputs)


def _by_peer(
    report: Report, case: Case, peer: str, counter: Counter, measured: Callable[[Config], PyTorch]
) -> Iterator[Check]:
    """A peer's totals at one size; a difference is explained if it is exactly the one that its rule predicts."""
    expected = {quantity: case.number(total.expression) for quantity, total in report.total.items()}
    try:
        counts = at_full_depth(case.config, DEEPEST, lambda c: counter(*measured(c)))
    except Exception as error:  # a peer that raises says nothing about the formula
        for quantity, number in expected.items():
            note = f"not comparable: {peer} raises {type(error).__name__}: {error}".splitlines()[0]
            yield Check("model", quantity, number, None, installed(peer), note, explained=True)
        return
    for (_, quantity), count in counts.items():
        yield _judged(quantity, expected[quantity], count, peer)


def _judged(quantity: str, expected: int, count: Count, peer: str) -> Check:
    if count.reported == expected:
        return Check("model", quantity, expected, count.reported, installed(peer))
    rule = RULES.get((peer, quantity))
    explained = rule is not None and count.reported == count.rule
    note = rule or f"{peer} has no known reason to differ"
    if rule and not explained:
        note = f"unexplained: its known rule gives {count.rule:,} ({rule})"
    return Check("model", quantity, expected, count.reported, installed(peer), note, explained)
