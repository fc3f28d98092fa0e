"""The Model of a run: its log as a tree, its symbols as sizes with what holds of them, and notes for its user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shapeviz.ir import Block, Door, Model, Origin, Sizes
from shapeviz.tracing.block_tree import Tree, names_used
from shapeviz.tracing.branch_conditions import broken, conditions
from shapeviz.tracing.fake_run import FakeRun
from shapeviz.tracing.passes import Setting
from shapeviz.tracing.symbolic_sizes import is_batch
from shapeviz.wording import in_a_line

TRAINED = (
    "2 per multiply-add; matrix products and convolutions only; one forward and one backward pass, attention dense, "
    "what a fused kernel computes twice counted once"
)


@dataclass(frozen=True, eq=False)
class Traced:
    """What a traced model is from: the module and how it was run, and of each block the modules that it stands for."""

    setting: Setting
    module_paths: Mapping[Block, tuple[str, ...]]


def model_of(
    setting: Setting, run: FakeRun, name: str, source: str, again: Callable[[Mapping[str, int]], Model] | None
) -> Model:
    """The model of a run. again: how to trace the module at other sizes; None for a run that failed on its way."""
    request, symbols = setting.request, run.symbols
    whole = again is not None
    tree = Tree(request.module, run.weights)
    root = tree.root(run.recording.root, run.inputs, whole)
    used = names_used(root)
    named = {name: size for name, size in symbols.fixed.items() if name in used}
    numbers = {name: number.size for name, number in setting.numbers.items()}
    reasons = {name: number.reason for name, number in setting.numbers.items()}
    held = conditions(symbols)
    variables, assumed = _variables(setting, run, whole)
    notes = setting.notes
    if assumed and whole:
        shown = ", ".join(f"{name} = {variables[name]}" for name in assumed)
        notes.append(f"{shown} assumed; --size {assumed[0]}=N sets it")
    for name, size in request.names.items():
        if name not in used:
            notes.append(f"--name {name}={size}: no size is {name} alone, so it names nothing")
    notes += [f"holds for {condition.text} ({condition.line})" for condition in held]
    buffers = sum(buffer.numel() for buffer in {id(buffer): buffer for buffer in request.module.buffers()}.values())
    if buffers:
        notes.append(f"{buffers:,} elements in buffers, which are no parameters")
    return Model(
        name=in_a_line(name),
        title=in_a_line(f"{name}, traced"),
        source=in_a_line(source),
        root=root,
        sizes=Sizes(
            {**variables, **named, **numbers},
            fixed=dict.fromkeys(named, "it is a number of the module itself: give another module"),
            pinned=reasons,
            conditions=held,
        ),
        legend={
            **dict.fromkeys([*variables, *numbers], "input dimension"),
            **dict.fromkeys(named, "number of the module"),
        },
        missing={**symbols.unknown, **run.recording.unknown},
        notes=tuple(notes),
        conventions={"flops": TRAINED} if request.training else {},
        saves=request.saves,
        origin=Origin(Door.MODULE, trace=Traced(setting, tree.module_paths)),
        again=again,
    )


def _variables(setting: Setting, run: FakeRun, whole: bool) -> tuple[dict[str, int], list[str]]:
    """The variables with their sizes, and which of these are assumed.

    A batch that nobody gave is 1, unless a branch was taken that does not hold for it.
    """
    hints, sizes = run.symbols.hints, setting.request.sizes
    assumed = [name for name in hints if name not in sizes]
    at_hints = {name: sizes.get(name) or hint for name, hint in hints.items()}
    variables = at_hints | {name: 1 for name in assumed if is_batch(name) and whole}
    if broken(conditions(run.symbols), variables):
        return at_hints, assumed
    return variables, assumed
