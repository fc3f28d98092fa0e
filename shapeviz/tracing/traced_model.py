"""The Model of a run: its log as a tree, its symbols as sizes with what holds of them, and notes for its user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from shapeviz.expr import Expr, total
from shapeviz.ir import Block, Door, Model, Op, Origin, Sizes
from shapeviz.tracing.block_tree import Tree
from shapeviz.tracing.branch_conditions import broken, conditions
from shapeviz.tracing.combine_trees import Combined
from shapeviz.tracing.exact_quotients import ExactQuotients
from shapeviz.tracing.fake_run import FakeRun
from shapeviz.tracing.passes import Setting
from shapeviz.tracing.routing import divided
from shapeviz.tracing.symbolic_sizes import is_batch
from shapeviz.wording import ASSUMED, in_a_line

TRAINED = (
    "2 per multiply-add; matrix products and convolutions only; one forward and one backward pass, attention dense, "
    "what a fused kernel computes twice counted once"
)


@dataclass(frozen=True, eq=False)
class Traced:
    """What a traced model is from: the module and how it was run, and of each block the modules that it stands for."""

    setting: Setting
    module_paths: Mapping[Block, tuple[str, ...]]


class Simplified(NamedTuple):
    """A tree, and what each block of the one that it was made of has become; none if it is that one."""

    root: Block
    blocks: Mapping[Block, Block]


def simplified(root: Block, exact: ExactQuotients, shares: Mapping[str, Expr] = MappingProxyType({})) -> Simplified:
    """The tree where all conditions of its trace hold, without the rounding of what is whole; `shares` put in."""
    rewriting = Combined(lambda sizes: exact(sizes[0].subs(shares) if shares else sizes[0]))
    return Simplified(rewriting.of([root]) if exact.simplifies or shares else root, rewriting.blocks)


def model_of(
    setting: Setting, run: FakeRun, name: str, source: str, again: Callable[[Mapping[str, int]], Model] | None
) -> Model:
    """The model of a run. again: how to trace the module at other sizes; None for a run that failed on its way."""
    request, symbols = setting.request, run.symbols
    whole = again is not None
    tree = Tree(run.module, run.weights, symbols)
    exact = ExactQuotients.of(conditions(symbols))
    routes = divided(run.recording.routing.routes, run.recording.root, symbols)
    shares = {letter: symbols.shares[letter] for letter in routes}
    rewritten = simplified(tree.root(run.recording.root, run.inputs, whole), exact, shares)
    module_paths = {rewritten.blocks.get(block, block): paths for block, paths in tree.module_paths.items()}
    numbers = {name: number.size for name, number in setting.numbers.items()}
    held = tuple(exact.conditions)
    variables, assumed = _variables(setting, run, whole)
    notes = setting.notes
    if assumed and whole:
        shown = ", ".join(f"{name} = {variables[name]}" for name in assumed)
        notes.append(f"{shown} assumed; --size {assumed[0]}=N sets it")
    notes += [f"holds for {condition.text} ({condition.line})" for condition in held]
    notes += [f"{ASSUMED}{what}" + f" ({line})" * bool(line) for what, line in run.recording.assumed.items()]
    notes += [route.told(shares[letter]) for letter, route in routes.items()]
    uneven = {
        letter: f"{letter}, the choices of one class, depends on the data"
        for letter in symbols.shares
        if letter not in routes
    }
    buffers = total(symbols.expr(buffer.numel()) for buffer in {id(b): b for b in run.module.buffers()}.values())
    if buffers.terms:
        shown = f"{buffers.at():,}" if buffers.is_constant else str(buffers)
        notes.append(f"{shown} elements in buffers, which are no parameters")
    return Model(
        name=in_a_line(name),
        title=in_a_line(f"{name}, traced"),
        source=in_a_line(source),
        root=rewritten.root,
        sizes=Sizes(
            {**variables, **numbers},
            pinned=setting.reasons,
            conditions=held,
            arguments=request.blueprint.arguments if request.blueprint else {},
        ),
        legend={
            **_meanings([*variables, *numbers], rewritten.root),
            **(request.blueprint.meanings if request.blueprint else {}),
        },
        missing={**symbols.unknown, **run.recording.unknown, **uneven},
        notes=tuple(notes),
        conventions={"flops": TRAINED} if request.training else {},
        saves=request.saves,
        origin=Origin(Door.MODULE, trace=Traced(setting, module_paths)),
        again=again,
    )


def _meanings(names: Iterable[str], root: Block) -> dict[str, str]:
    """Which dimensions of which inputs the letters are, counted as PyTorch does: `dimension 0 of x`."""
    inputs = [node.output for node in root.body if isinstance(node, Op) and node.kind == "input"]
    meanings = {}
    for name in names:
        places = {t.name: i for t in inputs for i, size in enumerate(t.shape) if size == Expr.of(name)}
        alike = [tensor for tensor, place in places.items() if place == next(iter(places.values()))]
        meanings[name] = f"dimension {places[alike[0]]} of {', '.join(alike)}" if alike else "dimension of an input"
    return meanings


def _variables(setting: Setting, run: FakeRun, whole: bool) -> tuple[dict[str, int], list[str]]:
    """The variables with their sizes, and which of these are assumed.

    A batch that nobody gave is 1, unless a branch was taken that does not hold for it.
    """
    hints, sizes = run.symbols.hints, setting.request.known
    assumed = [name for name in hints if name not in sizes]
    at_hints = {name: sizes.get(name) or hint for name, hint in hints.items()}
    variables = at_hints | {name: 1 for name in assumed if is_batch(name) and whole}
    if broken(conditions(run.symbols), variables):
        return at_hints, assumed
    return variables, assumed
