"""The recorder: a function decorated with `block` leaves a Block in the tree whenever it is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from inspect import signature
from typing import Any, TypeVar, overload

from shapeviz.errors import ShapeError
from shapeviz.expr import Expr, ExprLike
from shapeviz.ir import ONE, Axis, Block, Cached, Node, Op, Tensor
from shapeviz.layer_order import LayerOrder

T = TypeVar("T", bound=Tensor)


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
def block(function: Callable[..., T]) -> Callable[..., T]: ...
@overload
def block(
    *, role: str = "", title: str = "", caption: str = "", step: bool = False
) -> Callable[[Callable[..., T]], Callable[..., T]]: ...
def block(
    function: Callable[..., T] | None = None,
    *,
    role: str = "",
    title: str = "",
    caption: str = "",
    step: bool = False,
) -> Any:
    """A function that leaves a Block in the tree when it is called.

    The first paragraph of its docstring is its equation, a parenthesis at its end the citation. `caption` is a format
    over its arguments. A call takes `name=` and `title=` besides; without them they follow from the function's name.
    """
    if function is None:
        return lambda f: _block(f, role, title, caption, step)
    return _block(function, role, title, caption, step)


def _block(function: Callable[..., T], role: str, own_title: str, caption: str, step: bool) -> Callable[..., T]:
    parameters = signature(function)
    equation, citation = _equation(function.__doc__ or "")

    @wraps(function)
    def call(
        *args: Any,
        name: str = "",
        title: str = "",
        repeat: Expr = ONE,
        copies: Expr | None = None,
        routed: bool = False,
        **settings: Any,
    ) -> T:
        outer = running()
        bound = parameters.bind(*args, **settings)
        bound.apply_defaults()
        inputs = [v for v in bound.arguments.values() if isinstance(v, Tensor)]
        frame = Frame(outer.sizes, outer.owned, outer.views, equation=equation, citation=citation, caption=caption)
        frame.labels = {v: key for key, v in reversed(bound.arguments.items()) if isinstance(v, Tensor)}
        own_name = outer.unique(name or function.__name__)
        token = _running.set(frame)
        try:
            output = function(*args, **settings)
        except ShapeError as error:
            error.add_note(f"  in {own_name}:  {frame.equation}")
            raise
        finally:
            _running.reset(token)
        outer.labels[output] = own_name
        outer.body.append(
            Block(
                name=own_name,
                kind=function.__name__,
                title=title or own_title or _title(own_name),
                role=role,
                equation=frame.equation,
                citation=frame.citation,
                caption=_caption(frame.caption, bound.arguments),
                inputs=tuple(dict.fromkeys(inputs)),
                output=output,
                params=tuple(frame.params),
                tied=tuple(frame.tied),
                body=tuple(frame.body),
                repeat=repeat,
                copies=repeat if copies is None else copies,
                step=step,
                buffers=tuple(frame.buffers),
                cached=tuple(frame.cached),
                routed=routed,
                order=frame.order,
            )
        )
        return output

    return call


def _equation(docstring: str) -> tuple[str, str]:
    """`equation      (citation)` from the first paragraph, which may run over several lines."""
    paragraph = re.sub(r"\s*\n\s*", "  ", docstring.strip().partition("\n\n")[0])
    found = re.fullmatch(r"(.*?)\s{2,}\(([^()]*\d{4}[^()]*)\)", paragraph)
    return (found[1], found[2]) if found else (paragraph, "")


def _title(name: str) -> str:
    """`self_attention` is shown as Self-attention, `linear_1` as Linear 1."""
    return re.sub(r"_(?=\d)", " ", name).replace("_", "-").capitalize()


def _caption(template: str, arguments: Mapping[str, Any]) -> tuple[str | Expr, ...]:
    """The caption in pieces, its expressions left as they are, to be given numbers when it is shown."""
    pieces: list[str | Expr] = []
    for text, name in re.findall(r"([^{]*)(?:\{(\w+)\})?", template):
        value = arguments.get(name, ())
        values = value if isinstance(value, tuple) else (value,)
        pieces.append(text)
        for number, item in enumerate(values):
            size = item.shape[-1] if isinstance(item, Tensor) else item
            pieces += [" → "] * bool(number) + [size if isinstance(size, Expr) else str(size)]
    return tuple(piece for piece in pieces if piece != "")


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


def restate(equation: str, citation: str = "", caption: str = "") -> None:
    """Replaces the running block's equation, where a variant differs from the docstring, and with it the citation.

    An equation and its citation are one value: without a citation of its own a restated equation has none.
    """
    frame = running()
    frame.equation, frame.citation, frame.caption = equation, citation, caption or frame.caption


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
