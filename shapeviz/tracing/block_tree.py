"""The log of a trace as the tree of a model: calls become blocks, steps operations, weights belong to one block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from torch import nn

from shapeviz.expr import Expr, total
from shapeviz.ir import NOTHING, Block, Node, Op, Tensor
from shapeviz.tracing.labels import caption, equation, role
from shapeviz.tracing.log import Call, Record, Step
from shapeviz.tracing.saved_once import Tally, tally
from shapeviz.tracing.symbolic_sizes import Symbols
from shapeviz.tracing.weight_owners import WeightOwners
from shapeviz.wording import in_a_line


class Tree:
    """Builds the blocks of one trace. `module_paths` has the modules that each of them stands for, as paths.

    `named` are the tensors of the log that stand for the module's weights, by the id of the weight.
    """

    def __init__(self, module: nn.Module, named: Mapping[int, Tensor], symbols: Symbols) -> None:
        self.owners, self.symbols = WeightOwners(module, named, symbols), symbols
        self.module_paths: dict[Block, tuple[str, ...]] = {}

    def root(self, call: Call, inputs: Iterable[Tensor], whole: bool = True) -> Block:
        """The whole model; submodules that were never called stand at its end and run zero times.

        `whole` is false for a trace that failed: whether what comes after would have been called is not known.
        """
        self.owners.reach(call)
        block = self._block(call, type(call.module).__name__, tally(call, set()), "model")
        sources = tuple(Op(t.name, "input", t.name.replace("_", " "), (), t) for t in inputs)
        never_called = tuple(self._never_called()) if whole else ()
        return replace(block, body=_unique((*sources, *block.body, *never_called)), step=False)

    def _block(self, call: Call, name: str, costs: Tally, own_role: str = "") -> Block:
        params, tied = self.owners.weights(call)  # before those of the blocks within: the outer one owns them first
        body = tuple(self._body(call, costs))
        kind = in_a_line(type(call.module).__name__)
        output, *others = call.outputs or (Tensor(NOTHING, ()),)
        caption_line = caption(call.module, self.symbols.expr)
        block = Block(
            name=name,
            kind=kind,
            title=kind,
            role=own_role or _role_of(call, body),
            equation=equation(call.module),
            citation="",
            caption=caption_line,
            inputs=tuple(dict.fromkeys(t for t in call.inputs if t.role == "data")),
            output=output,
            params=params,
            tied=tied,
            body=body,
            repeat=Expr.of(call.runs),
            copies=Expr.of(len(call.modules)),
            step=_is_torchs(call.module) and not any(isinstance(node, Block) or node.failed for node in body),
            others=tuple(others),
        )
        self.module_paths[block] = tuple(call.module_paths)
        return block

    def _body(self, call: Call, costs: Tally) -> Iterator[Node]:
        """The nodes of a call: what it saved itself, its records in order, the surplus of the first of its layers."""
        output = call.outputs[0] if call.outputs else Tensor(call.name, ())
        if costs.saved_first or costs.backward.terms:
            name = "recomputed" if costs.backward.terms else "saved"
            about = "saved by the call itself" if costs.saved_first else "run again by the backward pass"
            yield Op(name, "saved", about, (), output, backward=costs.backward, saved=costs.saved_first)
        taken: Counter[str] = Counter()
        for record, name, part in zip(call.body, _names(call.body), costs.parts, strict=True):
            taken[name] += 1
            unique = name if taken[name] == 1 else f"{name}_{taken[name]}"
            yield _op(record, unique, part) if isinstance(record, Step) else self._block(record, unique, part)
        if costs.surplus:
            saved = tuple((surplus.label, surplus.size) for surplus in costs.surplus if surplus.size.terms)
            backward = total(surplus.backward for surplus in costs.surplus)
            yield Op("shared", "saved", "once for all alike layers", (), output, backward=backward, saved=saved)

    def _never_called(self) -> Iterator[Block]:
        """A block for each kind of submodule that never ran and has weights."""
        for idle in self.owners.idle():
            kind = in_a_line(type(idle.module).__name__)
            yield Block(
                name=in_a_line(idle.path.replace(".", "_")), kind=kind, title=f"{kind}, never called", role="unreached",
                equation="never called by forward", citation="", caption=(), inputs=(), output=Tensor(NOTHING, ()),
                params=idle.weights, tied=(), body=(), repeat=Expr(), copies=Expr.of(idle.copies), step=True,
            )  # fmt: skip


def _op(step: Step, name: str, costs: Tally) -> Op:
    # One without a result of its own, as an operation in place has none, stands for the first tensor that it read.
    output, *others = step.outputs or step.inputs[:1] or (Tensor(step.kind, ()),)
    return Op(
        name=name,
        kind=step.kind,
        equation=step.text or step.kind,
        inputs=step.inputs,
        output=Tensor(NOTHING, ()) if step.failed else output,
        flops=step.flops,
        backward=costs.backward,
        saved=costs.saved_first,
        made=tuple(step.made),
        others=tuple(others),
        site=step.site,
        failed=step.failed,
        view=bool(step.inputs) and not step.writes,
    )


def _unique(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """An input whose name a block has as well steps back."""
    taken = Counter(node.name for node in nodes)
    return tuple(
        replace(node, name=f"{node.name}_input") if node.kind == "input" and taken[node.name] > 1 else node
        for node in nodes
    )


def _names(body: Iterable[Record]) -> list[str]:
    """`layers` for the only kind of child of a list, `layers_0` for the first of several kinds; an operation's kind."""
    body = list(body)
    kinds = Counter(_container(record.name) for record in body if isinstance(record, Call))
    names = []
    for record in body:
        if isinstance(record, Step):
            names.append(record.kind)
            continue
        container = _container(record.name)
        name = container if container and kinds[container] == 1 else record.name
        names.append(in_a_line(name.replace(".", "_")) or "module")
    return names


def _container(name: str) -> str:
    """`layers` of `layers.3`; empty for a name that is no place in a list."""
    container, _, last = name.rpartition(".")
    return container if last.isdigit() else ""


def _role_of(call: Call, body: tuple[Node, ...]) -> str:
    """What colours a box in a figure, and whether it is drawn open."""
    blocks = [node for node in body if isinstance(node, Block)]
    if any(block.role in ("layer", "stack") for block in blocks):
        return "stack"
    if call.runs > 1 and blocks:
        return "layer"
    return role(call.module)


def _is_torchs(module: nn.Module) -> bool:
    """True for a module that shows nothing inside: one of torch's own."""
    return type(module).__module__.startswith("torch.nn")
