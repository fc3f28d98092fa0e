"""The recorder: a function decorated with `block` leaves a Block in the tree whenever it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial, wraps
from inspect import signature
from typing import Any, NamedTuple, TypeVar, overload

from shapeviz.errors import InputError, ShapeError
from shapeviz.expr import Expr, ExprLike
from shapeviz.ir import ONE, Axis, Block, Cached, Node, Op, Tensor
from shapeviz.lang.described import caption_of, equation_of, title_of
from shapeviz.layer_order import LayerOrder

__all__ = [
    "block",
    "cite",
    "entitle",
    "label",
    "record",
    "remember",
    "repeat",
    "restate",
    "take_turns",
    "term",
    "where",
]

OF_A_CALL = ("name", "title", "repeat", "copies", "routed")
T = TypeVar("T", bound=Tensor)
R = TypeVar("R", bound=Tensor | tuple[Tensor, ...])


class Term(NamedTuple):
    """How an equation writes a tensor: a template, and the tensors that stand in its places."""

    template: str
    parts: Mapping[str, Tensor]


@dataclass
class Frame:
    """What one running block has recorded so far."""

    sizes: Mapping[str, int]
    owned: set[Tensor]
    views: dict[Tensor, Tensor]
    labels: dict[Tensor, str] = field(default_factory=dict)
    body: list[Node] = field(default_factory=list)
    params: list[Tensor] = field(default_factory=list)
    tied: list[Tensor] = field(default_factory=list)
    buffers: list[Tensor] = field(default_factory=list)
    cached: list[Cached] = field(default_factory=list)
    order: LayerOrder | None = None
    equation: str = ""
    citation: str = ""
    caption: str = ""
    title: str = ""
    term: str = ""
    terms: dict[Tensor, Term] = field(default_factory=dict)
    clauses: list[str] = field(default_factory=list)
    cited: list[str] = field(default_factory=list)

    def unique(self, name: str) -> str:
        taken = {node.name for node in self.body}
        number = 2
        unique = name
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        return unique

    def use(self, tensor: Tensor) -> None:
        """A weight belongs to the block that is the first to compute with it; later ones are tied to it."""
        if tensor.role == "param" and tensor not in self.params:
            (self.tied if tensor in self.owned else self.params).append(tensor)
            self.owned.add(tensor)
        elif tensor.role == "buffer" and tensor not in self.buffers:
            self.buffers.append(tensor)


_running: ContextVar[Frame] = ContextVar("_running")


def running() -> Frame:
    """The frame of the running block; outside of any, one whose record is dropped."""
    return _running.get(None) or Frame({}, set(), {})


def label(tensor: Tensor) -> str:
    """The name that the running block's equation has for it: its argument's name."""
    return running().labels.get(tensor, tensor.name)


def shown(tensor: Tensor) -> str:
    """`Q[B h S d_k]`, for messages."""
    return f"{label(tensor)}[{' '.join(map(str, tensor.axes))}]"


@overload
def block(function: Callable[..., R]) -> Callable[..., R]: ...
@overload
def block(
    *, kind: str = "", role: str = "", title: str = "", caption: str = "", step: bool = False, term: str = ""
) -> Callable[[Callable[..., R]], Callable[..., R]]: ...
def block(
    function: Callable[..., R] | None = None,
    *,
    kind: str = "",
    role: str = "",
    title: str = "",
    caption: str = "",
    step: bool = False,
    term: str = "",
) -> Any:
    """A function that leaves a Block in the tree when it is called.

    The first paragraph of its docstring is its equation, a parenthesis at its end the citation. `caption` is a format
    over its arguments, `term` how the equation of a block that calls this one writes the call: "RoPE({x})". The block's
    `kind` is the function's name unless it is said, as it is of a part's `__call__`. A call takes `name=` and `title=`
    besides; without them they follow from the kind. Raises InputError for a function with an argument of a name
    that a call takes for the block itself.
    """
    style = Style(kind, role, title, caption, step, term)
    return partial(_block, style=style) if function is None else _block(function, style)


class Style(NamedTuple):
    """What the decorator says of a block."""

    kind: str
    role: str
    title: str
    caption: str
    step: bool
    term: str


def _block(function: Callable[..., R], style: Style) -> Callable[..., R]:
    parameters = signature(function)
    if taken := [name for name in OF_A_CALL if name in parameters.parameters]:
        raise InputError(
            f"@block {function.__name__}: an argument cannot be called {taken[0]}, for every call of a block takes "
            f"{', '.join(OF_A_CALL)} for the block itself; give it another name"
        )
    equation, citation = equation_of(function.__doc__ or "")
    kind = style.kind or function.__name__

    @wraps(function)
    def call(
        *args: Any,
        name: str = "",
        title: str = "",
        repeat: Expr = ONE,
        copies: Expr | None = None,
        routed: bool = False,
        **settings: Any,
    ) -> R:
        outer = running()
        bound = parameters.bind(*args, **settings)
        bound.apply_defaults()
        named = {key: v for key, v in bound.arguments.items() if isinstance(v, Tensor)}
        frame = Frame(outer.sizes, outer.owned, outer.views, equation=equation, citation=citation)
        frame.caption, frame.title, frame.term = style.caption, style.title, style.term
        frame.labels = {v: key for key, v in reversed(named.items())}
        own_name = outer.unique(name or kind)
        token = _running.set(frame)
        try:
            result = function(*args, **settings)
        except ShapeError as error:
            error.add_note(f"  in {own_name}:  {frame.equation}")
            raise
        finally:
            _running.reset(token)
        output, *others = result if isinstance(result, tuple) else (result,)
        outer.labels[output] = own_name
        if frame.term:
            outer.terms[output] = Term(frame.term, named)
        outer.body.append(
            Block(
                name=own_name,
                kind=kind,
                title=title or frame.title or title_of(own_name),
                role=style.role,
                equation=",  ".join([frame.equation, *frame.clauses]),
                citation="; ".join(dict.fromkeys(filter(None, [frame.citation, *frame.cited]))),
                caption=caption_of(frame.caption, bound.arguments),
                inputs=tuple(dict.fromkeys(outer.views.get(v, v) for v in named.values())),
                output=output,
                params=tuple(frame.params),
                tied=tuple(frame.tied),
                body=tuple(frame.body),
                repeat=repeat,
                copies=repeat if copies is None else copies,
                step=style.step,
                buffers=tuple(frame.buffers),
                cached=tuple(frame.cached),
                routed=routed,
                order=frame.order,
                others=tuple(others),
            )
        )
        return result

    call.__name__ = kind
    return call


def repeat(
    times: ExprLike,
    layer: Callable[..., T],
    x: T,
    *args: Any,
    copies: ExprLike | None = None,
    routed: bool = False,
    name: str = "layer",
    title: str = "",
) -> T:
    """The layer `times` times in a row, recorded once; each time with weights of its own unless `copies` says fewer.

    Of a `routed` one each token meets `times` of the `copies`, side by side.
    Raises ShapeError if the output of one layer cannot be the input of the next.
    """
    sets = None if copies is None else Expr.of(copies)
    output = layer(x, *args, name=name, title=title, repeat=Expr.of(times), copies=sets, routed=routed)
    if len(output.axes) != len(x.axes) or not all(map(Axis.fits, output.axes, x.axes)):
        raise ShapeError(f"{name} cannot be repeated: it maps {shown(x)} to [{' '.join(map(str, output.axes))}]")
    return output


def record(model: Callable[..., Any], *args: Any, sizes: Mapping[str, int] | None = None) -> Block:
    """The tree that a model function leaves. `sizes` serve the messages alone. Raises ShapeError."""
    outer = Frame(sizes or {}, set(), {})
    token = _running.set(outer)
    try:
        (model if hasattr(model, "__wrapped__") else block(model))(*args)
    finally:
        _running.reset(token)
    (root,) = outer.body
    assert isinstance(root, Block)
    return root


def restate(equation: str, citation: str = "") -> None:
    """Replaces the running block's equation, where a variant differs from the docstring, and with it the citation.

    An equation and its citation are one value: without a citation of its own a restated equation has none.
    """
    frame = running()
    frame.equation, frame.citation = equation, citation


def where(clause: str, citation: str = "") -> None:
    """Adds a clause to the running block's equation, `j = ⌈i·g/h⌉`, and the clause's citation to the block's."""
    running().clauses.append(clause)
    cite(citation)


def cite(citation: str) -> None:
    """Adds the citation of a piece of the running block's equation: "RoPE: Su et al. 2021, section 3.2.2"."""
    running().cited.append(citation)


def entitle(title: str = "", caption: str = "") -> None:
    """Gives the running block another title, unless its caller says one, or another caption."""
    frame = running()
    frame.title, frame.caption = title or frame.title, caption or frame.caption


def term(template: str) -> None:
    """How the equation of the block that calls the running one writes this call: "{x} W_Q + b_Q"."""
    running().term = template


def take_turns(order: LayerOrder) -> None:
    """The repeated layers of the running block, recorded a kind at a time, stand in this order."""
    running().order = order


def remember(what: str, width: ExprLike, tokens: ExprLike, grows: bool = True) -> None:
    """Generation keeps `width` elements for each of `tokens` tokens in the running block: keys, values, a latent."""
    running().cached.append(Cached(what, Expr.of(width), Expr.of(tokens), grows))


def add_op(op: Op) -> None:
    """Appends an operation to the running block, which from now on uses the weights that it reads."""
    frame = running()
    for tensor in op.inputs:
        frame.use(tensor)
    frame.body.append(op)
