"""What one trace writes down: the stack of running modules, the step in progress, and to whom costs are booked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass
from threading import get_ident
from typing import TypeGuard

import torch

from shapeviz.errors import InputError
from shapeviz.expr import Expr, product, total
from shapeviz.ir import Tensor
from shapeviz.tracing.code_site import site
from shapeviz.tracing.known_values import KnownValues
from shapeviz.tracing.labels import described, kind_of
from shapeviz.tracing.log import Call, Record, Saved, Step
from shapeviz.tracing.multiply_adds import Products, check_dtypes, is_unknown, products
from shapeviz.tracing.routing import Routing
from shapeviz.tracing.symbolic_sizes import Symbols
from shapeviz.tracing.torch_private import (
    OpOverload,
    current_node,
    is_functorch_wrapped_tensor,
    sequence_number,
    tree_leaves,
)

# Kinds whose result may be one of their inputs although they computed something.
IN_PLACE = {"add", "sub", "mul", "div", "copy", "zero", "fill", "masked_fill", "relu", "index_add", "scatter", "clamp"}


@dataclass(eq=False)
class Frame:
    """One running call: the labels that tensors have in it, the names that are taken, the next number of each."""

    call: Call
    labels: dict[Tensor, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    numbered: dict[str, int] = field(default_factory=dict)

    def unique(self, name: str) -> str:
        """The name, or `name_2`, `name_3`, … where it is taken."""
        unique, number = name, self.numbered.get(name, 2)  # names stay taken, so that smaller numbers stay so too
        while unique in self.taken:
            unique, number = f"{name}_{number}", number + 1
        self.numbered[name] = number
        self.taken.add(unique)
        return unique


class Recording:
    """The log of one trace in the making.

    `frames` and `module_paths` are the running calls, the outermost first; `rerun` those that the backward pass runs
    again. `unknown` has the letters that stand for what is not known, with the reason for each. `looks` counts what the
    code has done that makes a layer unlike its siblings.
    """

    def __init__(self, symbols: Symbols, saves: bool) -> None:
        self.symbols, self.saves = symbols, saves
        self.root: Call
        self.frames: list[Frame] = []
        self.module_paths: list[str] = []
        self.step: Step | None = None
        self.in_backward = False
        self.looks = 0
        self.rerun: list[Call] = []
        self._thread, self._elsewhere = get_ident(), ""
        self.unknown: dict[str, str] = {}
        self.assumed: dict[str, str] = {}
        self.input_tensors: set[Tensor] = set()
        # Torch's tensors and storages are kept beside ours, so that none of them dies and gives its id to another.
        self._tensors: dict[int, tuple[torch.Tensor, Tensor]] = {}
        self._storages: dict[int, torch.UntypedStorage] = {}
        self._weight_storages: set[int] = set()
        self.known, self.routing = KnownValues(), Routing(symbols)
        # From which number on nodes of the backward pass belong to which record.
        self._starts: list[int] = []
        self._owners: list[Record] = []
        symbols.explain_unknown(lambda: f"{self.step.kind if self.step else 'an operation'} at {site()}")

    # threads

    def check_thread(self) -> None:
        """Raises InputError in another thread than that of the trace, whose frames and modes do not reach it."""
        if get_ident() != self._thread:
            self._elsewhere = self._elsewhere or f"the module computes in a thread of its own, {site()}"
            self.raise_of_threads()

    def raise_of_threads(self) -> None:
        """Raises that error again in the trace's own thread: what a thread raises may reach nobody."""
        if self._elsewhere:
            raise InputError(f"{self._elsewhere}, which a trace does not follow: trace it without threads")

    # tensors

    def tensor(self, value: torch.Tensor, name: str = "", role: str = "constant") -> Tensor:
        """The tensor of the log that stands for one of torch's; one that nobody made is a constant."""
        if id(value) in self._tensors:
            return self._tensors[id(value)][1]
        return self.name(value, name or "constant", role)

    def name(self, value: torch.Tensor, name: str, role: str = "data", trainable: bool = True) -> Tensor:
        """A new tensor of the log for one of torch's; an operation in place gives its tensor a new one."""
        made = Tensor(name, self.symbols.shape(value.shape), str(value.dtype).removeprefix("torch."), role, trainable)
        self._tensors[id(value)] = (value, made)
        return made

    def same(self, value: torch.Tensor, tensor: Tensor) -> None:
        """From here on torch's tensor is this tensor of the log."""
        self._tensors[id(value)] = (value, tensor)

    def inputs(self, values: object) -> tuple[Tensor, ...]:
        """The tensors of the log for all of torch's in nested arguments, in order."""
        return tuple(self.tensor(leaf) for leaf in tree_leaves(values) if _is_plain(leaf))

    def assume(self, what: str) -> None:
        """Writes down what is taken for granted, with the first line of code that it is said of."""
        self.assumed.setdefault(what, site())

    # steps

    @contextmanager
    def running(
        self, func: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]
    ) -> Iterator[Step]:
        """The step of one operation while it runs. One that raises is kept, and so is the innermost operation of it."""
        step = Step(kind_of(func), "", "")
        outer, self.step = self.step, step
        self.mark(step)
        try:
            yield step
        except Exception:
            if not any(frame.call.body and getattr(frame.call.body[-1], "failed", False) for frame in self.frames):
                step.failed = True
                self._describe(step, args, kwargs)
                self._add(step)
            raise
        finally:
            self.step = outer
            self.mark(self.frames[-1].call)

    def finish(self, step: Step, args: Sequence[object], kwargs: Mapping[str, object], result: object) -> None:
        """Keeps a step that ran, unless it was only a question about a tensor: no new tensor, no cost."""
        results = [leaf for leaf in tree_leaves(result) if _is_plain(leaf)]
        arguments = {id(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        if step.kind not in IN_PLACE and all(id(leaf) in arguments for leaf in results):
            results = []  # an operation that had nothing to do, as `to` and `contiguous` often have
        if not results and not step.flops.terms and not step.saved:
            return
        self._describe(step, args, kwargs)
        label = self.frames[-1].unique(step.kind)
        step.outputs = tuple(self.name(leaf, label) for leaf in results)
        self._add(step)

    def _describe(self, step: Step, args: Sequence[object], kwargs: Mapping[str, object]) -> None:
        step.inputs, step.site = self.inputs((args, kwargs)), site()
        labels = self.frames[-1].labels
        step.text = described(step.kind, [labels.get(tensor, tensor.name) for tensor in step.inputs], args)

    def _add(self, step: Step) -> None:
        self.frames[-1].call.body.append(step)

    # calls

    @contextmanager
    def calling(self, call: Call, path: str) -> Iterator[Frame]:
        """A module's call while it runs; `path` is that of the module."""
        frame = Frame(call)
        if not self.frames:
            self.root = call
        self.frames.append(frame)
        self.module_paths.append(path)
        self.mark(call)
        yield frame
        # an exception leaves the frames as they are: they say where it was raised
        self.frames.pop()
        self.module_paths.pop()
        if self.frames:
            self.mark(self.frames[-1].call)

    # costs

    def dispatched(self, func: OpOverload, args: Sequence[object], kwargs: Mapping[str, object], out: object) -> None:
        """Books what one of torch's own operations costs."""
        name = func._schema.name
        check_dtypes(name, args)
        if cost := products(name, out, args, kwargs):
            self.count(cost, name)
        elif is_unknown(name):
            self.cannot_count(name)
        made = [] if func.is_view else [tensor for tensor in tree_leaves(out) if _is_plain(tensor)]
        if made and self.step and not self.in_backward:
            self.step.writes = True
            if self.saves:
                self.step.made.update(map(self._bytes, made))

    def count(self, multiply_adds: Products, name: str = "") -> None:
        """Books multiply-adds, in the forward pass or in the backward pass of what is running."""
        self._book(total(2 * product(map(self.symbols.expr, sizes)) for sizes in multiply_adds), name)

    def cannot_count(self, name: str) -> None:
        """Books an operation of unknown cost: a letter of its own, and the reason."""
        letter = self.symbols.fresh("f")
        self.unknown[letter] = f"{letter}, the FLOPs of {name} at {site()}, are not known"
        self._book(Expr.symbol(letter), name)

    def _book(self, cost: Expr, name: str) -> None:
        """Gives a cost to the step in progress; in the backward pass, to the record whose gradient is computed."""
        if self.rerun:
            self.rerun[-1].recomputed += cost
            return
        record = self._owner() if self.in_backward else self._current(name)
        if isinstance(record, Call):
            record.recomputed += cost
        elif self.in_backward:
            record.backward += cost
        else:
            record.flops += cost

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
        """The record whose forward pass made the node of the backward pass that runs now.

        Torch numbers the nodes in the order in which they are made; `_starts` is sorted, since marks are too.
        """
        node = current_node()
        number = node._sequence_nr() if node is not None else 0
        return self._owners[max(bisect_right(self._starts, number) - 1, 0)]

    # saved tensors

    def state(self, value: torch.Tensor, real: torch.Tensor) -> None:
        """A parameter or buffer: its storage is no activation. What a buffer holds is known."""
        self._weight_storages.add(self.storage(value))
        if not isinstance(real, torch.nn.Parameter):
            self.known.add(value, real)

    def save(self, value: torch.Tensor) -> torch.Tensor:
        """The hook that torch calls with every tensor that it saves for the backward pass."""
        if self.in_backward or not _is_plain(value):
            return value
        if value.dim() == 0 and id(value) not in self._tensors:
            return value  # a number that an operation was given, as the factor of a multiplication
        storage = self.storage(value)
        record = self.step or self.frames[-1].call
        if storage not in self._weight_storages and all(saved.storage != storage for saved in record.saved):
            record.saved.append(Saved(storage, str(value.dtype).removeprefix("torch."), self._bytes(value)))
        return value

    def cannot_save(self, what: str) -> None:
        """Books bytes that cannot be known: a letter of their own, and the reason."""
        letter = self.symbols.fresh("m")
        self.unknown[letter] = f"{letter}, {what} at {site()}, is not known"
        record = self.step or self.frames[-1].call
        record.saved.append(Saved(letter, "unknown", Expr.symbol(letter)))

    def storage(self, value: torch.Tensor) -> int:
        """What distinguishes the storage of a tensor from all others: its address in torch, kept alive."""
        storage = value.untyped_storage()
        self._storages[storage._cdata] = storage
        return int(storage._cdata)

    def _bytes(self, value: torch.Tensor) -> Expr:
        """The bytes of a tensor's storage, which a view shares."""
        return self.symbols.expr(value.untyped_storage().nbytes())


def _is_plain(value: object) -> TypeGuard[torch.Tensor]:
    return isinstance(value, torch.Tensor) and not is_functorch_wrapped_tensor(value)


def tensors_in(value: object) -> list[torch.Tensor]:
    """The tensors in a result, also those in the fields of dataclasses and other plain objects."""
    tensors: list[torch.Tensor] = []
    for leaf in tree_leaves(value):
        if isinstance(leaf, torch.Tensor):
            tensors.append(leaf)
        elif is_dataclass(leaf) or type(leaf).__module__ not in ("builtins", "torch"):
            for attribute in getattr(leaf, "__dict__", {}).values():
                tensors += [inner for inner in tree_leaves(attribute) if isinstance(inner, torch.Tensor)]
    return tensors
