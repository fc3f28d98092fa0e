"""The recorder: the stack of running modules, the step in progress, and where costs and saved tensors are booked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from shapeviz.expr import Expr, product, total
from shapeviz.ir import Tensor
from shapeviz.tracing.flops import Products, is_unknown, products
from shapeviz.tracing.places import site
from shapeviz.tracing.records import Call, Record, Saved, Step
from shapeviz.tracing.symbols import Symbols
from shapeviz.tracing.words import described, kind_of

# Operations of whose tensors torch's kernels want one dtype, while its rules for shapes do not ask.
ONE_DTYPE = {"aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm", "aten::mv", "aten::convolution"}
IN_PLACE = {"add", "sub", "mul", "div", "copy", "zero", "fill", "masked_fill", "relu", "index_add", "scatter", "clamp"}
sequence_number: Callable[[], int] = torch._C._autograd._get_sequence_nr
current_node: Callable[[], Any] = torch._C._current_autograd_node


@dataclass(eq=False)
class Frame:
    """One running call: the names that are taken in it."""

    call: Call
    labels: dict[Tensor, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def unique(self, name: str) -> str:
        unique, number = name, 2
        while unique in self.taken:
            unique, number = f"{name}_{number}", number + 1
        self.taken.add(unique)
        return unique


class Recorder:
    """What one trace writes down. `frames` are the running calls, `rerun` those that the backward pass runs again."""

    def __init__(self, symbols: Symbols, saves: bool) -> None:
        self.symbols, self.saves = symbols, saves
        self.root: Call
        self.frames: list[Frame] = []
        self.step: Step | None = None
        self.in_backward = False
        self.rerun: list[Call] = []
        self.unknown: dict[str, str] = {}
        self.places: list[str] = []
        self.given: set[Tensor] = set()
        self._tensors: dict[int, tuple[Any, Tensor]] = {}
        self._storages: dict[Any, Any] = {}
        self._state: set[Any] = set()
        self._starts: list[int] = []
        self._owners: list[Record] = []
        symbols.explain_unknown(lambda: f"{self.step.kind if self.step else 'an operation'} at {site()}")

    # tensors

    def tensor(self, value: torch.Tensor, name: str = "", role: str = "constant") -> Tensor:
        """The tensor of the record that stands for one of torch's; one that nobody made is a constant."""
        found = self._tensors.get(id(value))
        return found[1] if found else self.name(value, name or "constant", role)

    def name(self, value: torch.Tensor, name: str, role: str = "data", trainable: bool = True) -> Tensor:
        """A new tensor of the record for one of torch's; an operation in place gives its tensor a new one."""
        made = Tensor(name, self.symbols.shape(value.shape), str(value.dtype).removeprefix("torch."), role, trainable)
        self._tensors[id(value)] = (value, made)
        return made

    def same(self, value: torch.Tensor, tensor: Tensor) -> None:
        """From here on torch's tensor is this tensor of the record."""
        self._tensors[id(value)] = (value, tensor)

    def inputs(self, values: Any) -> tuple[Tensor, ...]:
        return tuple(self.tensor(leaf) for leaf in tree_leaves(values) if _is_plain(leaf))

    # steps

    @contextmanager
    def running(self, func: Any, args: Any, kwargs: Any) -> Iterator[Step]:
        """The step of one operation while it runs; it is kept if it leaves a tensor or has a cost."""
        step = Step(kind_of(func), "", "")
        outer, self.step = self.step, step
        self.mark(step)
        try:
            yield step
        except Exception:
            if not any(frame.call.body and getattr(frame.call.body[-1], "failed", 0) for frame in self.frames):
                step.inputs, step.failed, step.site = self.inputs((args, kwargs)), True, site()
                step.text = described(step.kind, self._labels(step.inputs), args, kwargs)
                self._add(step)
            raise
        finally:
            self.step = outer
            self.mark(self.frames[-1].call)

    def finish(self, step: Step, args: Any, kwargs: Any, result: Any) -> None:
        """Books a step that ran, unless it was only a question about a tensor."""
        found = [leaf for leaf in tree_leaves(result) if _is_plain(leaf)]
        given = {id(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        if step.kind not in IN_PLACE and all(id(leaf) in given for leaf in found):
            found = []  # an operation that had nothing to do, as `to` and `contiguous` often have
        if not found and not step.flops.terms and not step.saved:
            return
        step.inputs, step.site = self.inputs((args, kwargs)), site()
        step.text = described(step.kind, self._labels(step.inputs), args, kwargs)
        label = self.frames[-1].unique(step.kind)
        step.outputs = tuple(self.name(leaf, label) for leaf in found)
        self._add(step)

    def _add(self, step: Step) -> None:
        self.frames[-1].call.body.append(step)

    def _labels(self, tensors: Iterable[Tensor]) -> list[str]:
        labels = self.frames[-1].labels
        return [labels.get(tensor, tensor.name) for tensor in tensors]

    # calls

    @contextmanager
    def calling(self, call: Call, place: str) -> Iterator[Frame]:
        frame = Frame(call)
        if not self.frames:
            self.root = call
        self.frames.append(frame)
        self.places.append(place)
        self.mark(call)
        yield frame
        # an exception leaves the frames as they are: they tell where it was raised
        self.frames.pop()
        self.places.pop()
        if self.frames:
            self.mark(self.frames[-1].call)

    # costs

    def dispatched(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """Books what one of torch's own operations costs."""
        name = func._schema.name
        if name in ONE_DTYPE:
            _check_dtypes(args)
        if found := products(name, out, args, kwargs):
            self.count(found, name)
        elif is_unknown(name):
            self.cannot_count(name)
        if self.saves and not self.in_backward and self.step and not func.is_view:
            self.step.made.update(self._bytes(t) for t in tree_leaves(out) if _is_plain(t))

    def count(self, found: Products, name: str = "") -> None:
        """Books multiply-adds, in the forward pass or in the backward pass of what is running."""
        cost = total(2 * product(map(self.symbols.dim, sizes)) for sizes in found)
        self._book(cost, name)

    def cannot_count(self, name: str) -> None:
        """Books an operation of unknown cost: a letter of its own, and the reason."""
        letter = self.symbols.fresh("f")
        self.unknown[letter] = f"{letter}, the FLOPs of {name} at {site()}, are not known"
        self._book(Expr.symbol(letter), name)

    def _book(self, cost: Expr, name: str) -> None:
        if self.rerun:
            self.rerun[-1].recomputed += cost
        elif self.in_backward:
            owner = self._owner()
            if isinstance(owner, Step):
                owner.backward += cost
            else:
                owner.recomputed += cost
        else:
            self._current(name).flops += cost

    def _current(self, name: str) -> Step:
        """The step in progress; one made for what runs outside of any, as in a function with its own backward."""
        if self.step:
            return self.step
        step = Step(name.partition("::")[2] or name, name, site())
        self._add(step)
        return step

    def mark(self, record: Record) -> None:
        """From here on, nodes of the backward pass that are made belong to the record."""
        if self.saves:
            self._starts.append(sequence_number())
            self._owners.append(record)

    def _owner(self) -> Record:
        """The record whose forward pass made the node of the backward pass that runs now."""
        node = current_node()
        number = node._sequence_nr() if node is not None else 0
        return self._owners[max(bisect_right(self._starts, number) - 1, 0)]

    # saved tensors

    def state(self, value: torch.Tensor) -> None:
        """A parameter or buffer: its storage is no activation."""
        self._state.add(self.storage(value))

    def save(self, value: torch.Tensor) -> torch.Tensor:
        """The hook that torch calls with every tensor that it saves for the backward pass."""
        if not self.in_backward and _is_plain(value) and not (value.dim() == 0 and id(value) not in self._tensors):
            key = self.storage(value)
            if key not in self._state:
                record = self.step or self.frames[-1].call
                if all(saved.storage != key for saved in record.saved):
                    record.saved.append(Saved(key, str(value.dtype).removeprefix("torch."), self._bytes(value)))
        return value

    def cannot_save(self, what: str) -> None:
        """Books bytes that cannot be known: a letter of their own, and the reason."""
        letter = self.symbols.fresh("m")
        self.unknown[letter] = f"{letter}, {what} at {site()}, is not known"
        record = self.step or self.frames[-1].call
        record.saved.append(Saved(letter, "unknown", Expr.symbol(letter)))

    def storage(self, value: torch.Tensor) -> Any:
        """What tells the storage of a tensor from all others."""
        storage = value.untyped_storage()
        self._storages[storage._cdata] = storage  # kept, so that no other gets its number
        return storage._cdata

    def _bytes(self, value: torch.Tensor) -> Expr:
        """The bytes of a tensor's storage, which a view shares; as a product of its axes where it is no view."""
        own = product(self.symbols.shape(value.shape)) * value.element_size()
        size = value.untyped_storage().nbytes()
        return own if self.symbols.expr(size) == own.subs(self.symbols.fixed) else self.symbols.expr(size)


def _is_plain(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not torch._C._functorch.is_functorch_wrapped_tensor(value)


def _check_dtypes(args: Sequence[Any]) -> None:
    kinds = dict.fromkeys(str(arg.dtype).removeprefix("torch.") for arg in args if isinstance(arg, torch.Tensor))
    if len(kinds) > 1:
        raise RuntimeError(f"tensors of one dtype are needed, not {' and '.join(kinds)}")


def tensors_in(value: Any) -> list[torch.Tensor]:
    """The tensors in a result, also those in the fields of dataclasses and other plain objects."""
    found: list[torch.Tensor] = []
    for leaf in tree_leaves(value):
        if isinstance(leaf, torch.Tensor):
            found.append(leaf)
        elif is_dataclass(leaf) or type(leaf).__module__ not in ("builtins", "torch"):
            fields = getattr(leaf, "__dict__", {})
            found += [
                inner for item in fields.values() for inner in tree_leaves(item) if isinstance(inner, torch.Tensor)
            ]
    return found
