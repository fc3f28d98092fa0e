"""The records of a trace as the tree of a model: calls become blocks, steps operations, weights belong to one block."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from shapeviz.expr import Expr, total
from shapeviz.ir import NOTHING, Block, Node, Op, Tensor
from shapeviz.tracing.accounts import Account, account
from shapeviz.tracing.records import Call, Record, Step
from shapeviz.tracing.words import caption, equation, role


class Tree:
    """Builds the blocks of one trace. `named` are the tensors of the record that stand for the module's weights."""

    def __init__(self, module: nn.Module, named: Mapping[int, Tensor]) -> None:
        self.module = module
        self.named = dict(named)
        self.owned: set[int] = set()
        self.called: set[int] = set()
        self.lending: set[int] = set()
        self.lenders: dict[Call, set[int]] = {}
        self.places: dict[Block, tuple[str, ...]] = {}

    def root(self, call: Call, inputs: Iterable[Tensor], whole: bool = True) -> Block:
        """The whole model; submodules that were never called stand at its end and run zero times."""
        self._reach(call)
        self._reach(call, lends=True)
        found = self._block(call, type(call.module).__name__, account(call, set()), "model")
        sources = tuple(Op(t.name, "input", t.name.replace("_", " "), (), t) for t in inputs)
        body = _unique((*sources, *found.body, *(self._unreached() if whole else ())))
        return replace(found, body=body, step=False)

    def _reach(self, call: Call, lends: bool = False) -> None:
        """Marks every module that ran, or stands for one that did; or those that only lent a weight to the caller."""
        for record in call.body:
            if isinstance(record, Call):
                self._reach(record, lends)
        reached = self.lending if lends else self.called
        if lends:
            self.lenders[call] = set(self._lenders(call))
            reached.update(self.lenders[call])
        else:
            reached.add(id(call.module))
        inner = [path for path, m in call.module.named_modules() if id(m) in reached]
        for member in call.members[1:]:
            reached.update(id(member.get_submodule(path)) for path in inner)

    def _lenders(self, call: Call) -> Iterator[int]:
        """The submodules that never run, and whose weights an operation of the call reads."""
        read = {tensor for step in call.body if isinstance(step, Step) for tensor in step.inputs}
        for path, module in call.module.named_modules():
            weights = [weight for weight in dict.values(module._parameters) if weight is not None]
            if path and id(module) not in self.called and any(self.named.get(id(weight)) in read for weight in weights):
                yield id(module)

    # blocks

    def _block(self, call: Call, name: str, costs: Account, own_role: str = "") -> Block:
        params, tied = self._weights(call)
        body = tuple(self._body(call, costs))
        kind = type(call.module).__name__
        output, *others = call.outputs or (Tensor(NOTHING, ()),)
        step = _is_torchs(call.module) and not any(isinstance(node, Block) or node.failed for node in body)
        found = own_role or _role_of(call, body)
        block = Block(
            name=name,
            kind=kind,
            title=kind,
            role=found,
            equation=equation(call.module),
            citation="",
            caption=tuple(filter(None, [caption(call.module)])),
            inputs=tuple(dict.fromkeys(t for t in call.inputs if t.role == "data")),
            output=output,
            params=params,
            tied=tied,
            body=body,
            repeat=Expr.of(call.times),
            copies=Expr.of(len(call.members)),
            step=step,
            others=tuple(others),
        )
        self.places[block] = tuple(call.places)
        return block

    def _body(self, call: Call, costs: Account) -> Iterator[Node]:
        names = _names(call.body)
        taken: Counter[str] = Counter()
        if costs.new or costs.backward.terms:
            about = "saved by the call itself" if costs.new else "run again by the backward pass"
            output = call.outputs[0] if call.outputs else Tensor(call.name, ())
            yield Op("recomputed" if costs.backward.terms else "saved", "saved", about, (), output,
                     backward=costs.backward, saved=costs.new)  # fmt: skip
        for record, name, part in zip(call.body, names, costs.parts, strict=True):
            taken[name] += 1
            unique = name if taken[name] == 1 else f"{name}_{taken[name]}"
            yield self._op(record, unique, part) if isinstance(record, Step) else self._block(record, unique, part)
        if costs.shared:
            saved = tuple((s.label, s.size) for s in costs.shared if s.size.terms)
            backward = total(s.backward for s in costs.shared)
            reads = call.outputs[0] if call.outputs else Tensor(call.name, ())
            yield Op("shared", "saved", "once for all alike layers", (), reads, backward=backward, saved=saved)

    def _op(self, step: Step, name: str, costs: Account) -> Op:
        output, *others = step.outputs or step.inputs[:1] or (Tensor(step.kind, ()),)
        if step.failed:
            output = Tensor(NOTHING, ())
        return Op(
            name=name,
            kind=step.kind,
            equation=step.text or step.kind,
            inputs=step.inputs,
            output=output,
            flops=step.flops,
            backward=costs.backward,
            saved=costs.new,
            made=tuple(step.made),
            others=tuple(others),
            site=step.site,
            failed=step.failed,
        )

    # weights

    def _weights(self, call: Call) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The weights that the call is the first to hold, and those that an earlier one owns already.

        A submodule that is never called lends its weights to the one that calls an operation with them.
        """
        params: list[Tensor] = []
        tied: list[Tensor] = []
        lenders = self.lenders[call]
        for path, module in call.module.named_modules():
            if path and id(module) not in lenders:
                continue
            for name, weight in dict.items(module._parameters):
                if weight is not None:
                    known = self._named(weight, f"{path}.{name}" if path else name)
                    (tied if id(weight) in self.owned else params).append(known)
                    self.owned.add(id(weight))
        for member in call.members[1:]:  # whose weights are counted with the first one's, by `copies`
            for module in member.modules():
                if id(module) in self.called or id(module) in self.lending:
                    self.owned.update(id(weight) for weight in dict.values(module._parameters) if weight is not None)
        return tuple(dict.fromkeys(params)), tuple(dict.fromkeys(tied))

    def _named(self, weight: nn.Parameter, name: str) -> Tensor:
        if id(weight) not in self.named:
            shape = tuple(map(Expr.of, weight.shape))
            dtype = str(weight.dtype).removeprefix("torch.")
            self.named[id(weight)] = Tensor(name, shape, dtype, "param", weight.requires_grad)
        return self.named[id(weight)]

    def _unreached(self) -> Iterator[Block]:
        """The outermost submodules of which no part was called, alike ones together, if they hold own weights."""
        outermost: list[str] = []
        found: dict[Hashable, tuple[str, nn.Module, list[tuple[str, nn.Parameter]], int]] = {}
        for path, module in self.module.named_modules():
            ran = any(id(m) in self.called or id(m) in self.lending for m in module.modules())
            if path and not ran and not _inside(path, outermost):
                outermost.append(path)
                weights = [(n, weight) for n, weight in module.named_parameters() if id(weight) not in self.owned]
                if weights:
                    self.owned.update(id(weight) for _, weight in weights)
                    shapes = tuple((n, tuple(weight.shape), weight.dtype) for n, weight in weights)
                    kind = (re.sub(r"\d+", "", path), type(module), shapes)
                    first = found.get(kind, (path, module, weights, 0))
                    found[kind] = (*first[:3], first[3] + 1)
        for path, weight in self.module.named_parameters():
            if id(weight) not in self.owned:
                self.owned.add(id(weight))
                found[path] = (path, self.module, [(path, weight)], 1)
        for path, module, weights, copies in found.values():
            yield self._idle(path, module, tuple(self._named(weight, name) for name, weight in weights), copies)

    def _idle(self, path: str, module: nn.Module, weights: tuple[Tensor, ...], copies: int) -> Block:
        return Block(
            name=path.replace(".", "_"), kind=type(module).__name__, title=f"{type(module).__name__}, never called",
            role="unreached", equation="never called by forward", citation="", caption=(), inputs=(),
            output=Tensor(NOTHING, ()), params=tuple(dict.fromkeys(weights)), tied=(), body=(), repeat=Expr(),
            copies=Expr.of(copies), step=True,
        )  # fmt: skip


def _unique(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """An input whose name a block has as well steps back."""
    taken = Counter(node.name for node in nodes)
    return tuple(
        replace(node, name=f"{node.name}_input") if node.kind == "input" and taken[node.name] > 1 else node
        for node in nodes
    )


def _names(body: Iterable[Record]) -> list[str]:
    """`layers` for the only kind of child of a list, `layers_0` for the first of several kinds; an operation's kind."""
    calls = [record for record in body if isinstance(record, Call)]
    kinds = Counter(_container(call.name) for call in calls)
    found = []
    for record in body:
        if isinstance(record, Step):
            found.append(record.kind)
        else:
            container = _container(record.name)
            name = container if container and kinds[container] == 1 else record.name
            found.append(name.replace(".", "_") or "module")
    return found


def _container(name: str) -> str:
    """`layers` of `layers.3`; empty for a name that is no place in a list."""
    container, _, last = name.rpartition(".")
    return container if last.isdigit() else ""


def _role_of(call: Call, body: tuple[Node, ...]) -> str:
    """What colours a box in a figure, and whether it is drawn open."""
    blocks = [node for node in body if isinstance(node, Block)]
    if any(block.role in ("layer", "stack") for block in blocks):
        return "stack"
    if call.times > 1 and blocks:
        return "layer"
    return role(call.module)


def _is_torchs(module: nn.Module) -> bool:
    """True for a module that shows nothing inside: one of torch's own, or one that holds no other."""
    return type(module).__module__.startswith("torch.nn")


def _inside(path: str, outer: Iterable[str]) -> bool:
    return any(path.startswith(other + ".") for other in outer)


def names_used(root: Any) -> set[str]:
    """The names that occur in a tree."""
    found: set[str] = set()
    pending: list[Any] = [root]
    while pending:
        node = pending.pop()
        pending += getattr(node, "body", ())
        tensors = [*node.inputs, node.output, *getattr(node, "params", ())]
        costs = [getattr(node, "flops", Expr()), getattr(node, "backward", Expr())]
        costs += [size for _, size in getattr(node, "saved", ())]
        found.update(name for size in (*(s for t in tensors for s in t.shape), *costs) for name in size.names)
    return found
