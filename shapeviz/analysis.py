"""Analysis: a column of a report as a value: what a node costs by itself, how often it counts, how costs are folded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from shapeviz.errors import InputError
from shapeviz.expr import Expr
from shapeviz.fold import Fold, Part, total
from shapeviz.ir import Block, Door, Model, Node, Tensor, width

__all__ = [
    "BYTES", "COUNT", "EVERYWHERE", "FLOPS", "FLOP_PER_BYTE", "SAVED", "WRITTEN", "Analysis", "Known", "Part", "Ratio",
    "Unit", "Weigh", "element", "runs", "sets_met", "weight_sets",
]  # fmt: skip

Own: TypeAlias = Callable[[Node], Iterable[Part]]
Weigh: TypeAlias = Callable[[Block], Expr]


def runs(block: Block) -> Expr:
    """How often the block runs within its parent."""
    return block.repeat


def weight_sets(block: Block) -> Expr:
    """How many sets of weights the block keeps within its parent."""
    return block.copies


def sets_met(block: Block) -> Expr:
    """How many of the block's sets of weights one token meets: of a mixture's experts those that are chosen."""
    return block.active


def element(tensor: Tensor) -> Expr:
    """Bytes of an element: a letter where it is in the model's dtype, else those of its own."""
    if tensor.dtype != "float32":
        return Expr.of(width(tensor.dtype))
    return Expr.of("b_w" if tensor.role in ("param", "buffer") else "b_a")


class Unit(NamedTuple):
    """What a column is counted in; nothing for mere counts."""

    sign: str


COUNT = Unit("")
BYTES = Unit("B")
FLOPS = Unit("FLOP")
FLOP_PER_BYTE = Unit("FLOP/B")


class Known(NamedTuple):
    """By which doors models come in of which a column is known, and the reason why it is not known of others.

    `saved`: of a trace only if it noted what the backward pass needs.
    """

    by: frozenset[Door]
    otherwise: str = ""
    saved: bool = False

    def of(self, model: Model) -> bool:
        """Whether it is known of a model; one without an origin is written in the language, as from sizes."""
        door = model.origin.door if model.origin else Door.SIZES
        return door in self.by and (model.saves or not self.saved)


EVERYWHERE = Known(frozenset(Door))
WRITTEN = Known(
    frozenset({Door.SIZES, Door.CONFIGURATION}), "a trace does not tell; it is known of configurations and sizes"
)
SAVED = Known(
    frozenset(Door),
    "what the backward pass keeps was not noted: `shapeviz memory` counts it, and shapeviz.trace(…, saved=True)",
    saved=True,
)


@dataclass(frozen=True)
class Analysis:
    """A column: `own` gives a node's own parts, without its children; `fold` makes of all parts the cost of the model.

    `weigh` says how often a block counts within its parent. `convention` is printed beside the numbers. `letters` are
    bytes of an element that the formulas speak of, each with its default; a model with a dtype has that of its dtype.
    `own_dtypes`: of a traced module the defaults stand in their place, since its float32 is what it says.
    Raises InputError for a field of another kind.
    """

    title: str
    convention: str
    own: Own
    weigh: Weigh = runs
    fold: Fold = total
    unit: Unit = COUNT
    knows: Known = EVERYWHERE
    letters: Mapping[str, int] = field(default_factory=dict)
    own_dtypes: bool = False

    def of(self, model: Model) -> Analysis:
        """The analysis as it measures a model."""
        if not (self.own_dtypes and model.origin and model.origin.door is Door.MODULE):
            return self

        def own(node: Node) -> Iterable[Part]:
            return (part._replace(cost=part.cost.subs(self.letters)) for part in self.own(node))

        return replace(self, own=own, letters={})

    def __post_init__(self) -> None:
        _check(self, {"title": str, "convention": str, "fold": Fold, "unit": Unit, "knows": Known, "letters": Mapping})
        for name in ("own", "weigh"):
            if not callable(value := getattr(self, name)):
                raise InputError(f"{self.title}: {name} = {value!r}: a function is needed, such as {EXAMPLES[name]}")


EXAMPLES = {"own": "own(node)", "weigh": "runs, weight_sets or sets_met"}


@dataclass(frozen=True)
class Ratio:
    """A column that is the first of two others over the second, for every block and for the whole model.

    Raises InputError for a field of another kind.
    """

    title: str
    convention: str
    over: tuple[str, str]
    unit: Unit

    def __post_init__(self) -> None:
        _check(self, {"title": str, "convention": str, "over": tuple, "unit": Unit})
        if len(self.over) != 2 or not all(isinstance(name, str) for name in self.over):
            raise InputError(f"{self.title}: over = {self.over!r}: the names of two columns are needed")


def _check(analysis: Analysis | Ratio, kinds: Mapping[str, type]) -> None:
    for name, kind in kinds.items():
        if not isinstance(value := getattr(analysis, name), kind):
            raise InputError(f"{analysis.title}: {name} = {value!r}: it must be a {kind.__name__}")
