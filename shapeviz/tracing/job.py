"""From a module and its inputs to a Model: what is asked is checked, the module run, its record made a tree."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedTensorMixin  # type: ignore[attr-defined]

from shapeviz.errors import DataDependentError, InputError, ShapevizError, SizeError, TraceError, nearest
from shapeviz.expr import Expr
from shapeviz.ir import NOT_IN_A_TRACE, NOT_TRACED, Block, Condition, Door, Model, Origin, Sizes
from shapeviz.report import measure
from shapeviz.tracing import huggingface
from shapeviz.tracing.calls import UnlikeError
from shapeviz.tracing.guards import broken, conditions, settled_at
from shapeviz.tracing.session import Session, read
from shapeviz.tracing.specs import names as names_in
from shapeviz.tracing.structure import LETTER, WHY, structure
from shapeviz.tracing.symbols import SCALES, Symbols, is_batch
from shapeviz.tracing.tree import Tree, names_used
from shapeviz.tracing.trouble import explained

MOST = 16  # dimensions by name: torch's reasoning about sizes takes minutes with more
TRAINED = (
    "2 per multiply-add; matrix products and convolutions only; one forward and one backward pass, attention dense, "
    "what a fused kernel computes twice counted once"
)


@dataclass
class Job:
    """One question about one module; every run of it starts from new symbols."""

    module: nn.Module
    args: Sequence[Any]
    kwargs: dict[str, Any]
    sizes: dict[str, int]
    fixed: dict[str, int]
    training: bool
    saves: bool
    input_grad: bool
    fold: bool
    notes: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    places: dict[Block, tuple[str, ...]] = field(default_factory=dict)
    prepared: bool = False
    unrun: bool = False
    scale: tuple[int, ...] = SCALES[0]
    evaluating: bool = False

    def model(self, name: str, source: str) -> Model:
        """Runs the module and gives its Model. Raises InputError, SizeError or TraceError."""
        if not self.prepared:
            self._prepare()
        if self.unrun:
            return Model(
                name=name, title=f"{name}, not run", source=source, root=structure(self.module), sizes=Sizes({}),
                missing={LETTER: WHY}, notes=("forward was not traced: --input describes its inputs",),
            )  # fmt: skip
        session = self._tried()
        for dimension, line in settled_at(session.symbols).items():
            if dimension not in self.sizes:
                number = session.symbols.settled()[dimension]
                raise TraceError(
                    f"{dimension} cannot stay a variable: the module takes it for the number {number}"
                    + (f", {line}" if line else "")
                    + f"; --size {dimension}={number} traces it at that size, and --name writes it by name"
                )
            self.fixed[dimension] = self.sizes[dimension]
            self.reasons[dimension] = f"the module takes it for a number, {line or 'in its code'}"
            self.notes.append(f"{dimension} is traced as the number {self.sizes[dimension]}: {self.reasons[dimension]}")
        if self.reasons:
            session = self._tried()
        elif others := broken(conditions(session.symbols), {**session.symbols.hints, **self.sizes}):
            return self._elsewhere(session, others, name, source)
        return self._built(session, name, source)

    def _elsewhere(self, session: Session, others: list[Condition], name: str, source: str) -> Model:
        """Where branches go another way at the user's sizes: the same formulas if nothing changes, else numbers."""
        why = {n: f"a branch depends on it, {one.line}" for one in others for n in one.names & self.sizes.keys()}
        numbers = {n: self.sizes[n] for n in why}
        told = [f"{n} is traced as the number {size}: {why[n]}" for n, size in numbers.items()]
        pinned = replace(self, fixed={**self.fixed, **numbers}, reasons=why, notes=[*self.notes, *told])
        model, found = self._built(session, name, source), pinned._built(pinned._tried(), name, source)
        if _costs(model) != _costs(found):
            return found
        kept = tuple(one for one in model.sizes.conditions if one not in others)
        gone = tuple(f"holds for {one.text} " for one in others)
        notes = tuple(note for note in model.notes if not note.startswith(gone))
        return replace(model, sizes=replace(model.sizes, conditions=kept), notes=notes)

    # what is asked

    def _prepare(self) -> None:
        """Specs read, inputs guessed where nothing is given and that can be done, arguments bound to forward's."""
        if type(self.module).__name__ == "OptimizedModule" and hasattr(self.module, "_orig_mod"):
            self.module = self.module._orig_mod  # type: ignore[assignment]
        for path, module in self.module.named_modules():
            where = f" ({path})" if path else ""
            if isinstance(module, torch.jit.ScriptModule):
                raise InputError(f"a scripted module{where} runs outside of Python: give the module it was made from")
            if any(isinstance(weight, UninitializedTensorMixin) for weight in dict.values(module._parameters)):
                raise InputError(
                    f"{type(module).__name__}{where} has no sizes before its first call: call the module once"
                )
        takes = inspect.signature(self.module.forward)
        if huggingface.is_one(self.module):
            if not self.args and not self.kwargs:
                self.kwargs = dict(huggingface.inputs(self.module))
                shown = ", ".join(f"{name}:{spec}" for name, spec in self.kwargs.items())
                self.notes.append(f"inputs guessed from forward and config: {shown}; --input sets others")
            if "use_cache" in takes.parameters and "use_cache" not in self.kwargs:
                self.kwargs["use_cache"] = False
        self.args = [read(value, f"input {i}") for i, value in enumerate(self.args, 1)]
        self.kwargs = {name: read(value, name) for name, value in self.kwargs.items()}
        self._bind(takes)
        self.prepared = True
        self._check_sizes()

    def _bind(self, takes: inspect.Signature) -> None:
        """Arguments and parameters of forward, one for one, or a message that says which is missing or unknown."""
        known = list(takes.parameters.values())
        names = [p.name for p in known if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        anything = any(p.kind is p.VAR_KEYWORD for p in known)
        for name in self.kwargs:
            if name not in names and not anything:
                raise InputError(f"forward has no argument {name!r}; {nearest(name, names)}")
        may_rest, self.unrun = self.unrun and not self.args and not self.kwargs, False
        try:
            takes.bind(*self.args, **self.kwargs)
        except TypeError as refused:
            given = {*names[: len(self.args)], *self.kwargs}
            needed = [p.name for p in known if p.default is p.empty and p.name in names and p.name not in given]
            if needed and may_rest:
                self.unrun = True
                return
            if not needed:
                raise InputError(f"forward({', '.join(names)}) cannot be called with these inputs: {refused}") from None
            example = f"--input '{needed[0]}:float32[B,S,512]'"
            raise InputError(f"forward needs {', '.join(needed)}: describe each input, for example {example}") from None
        self.labels = [*names, *(f"input_{i}" for i in range(len(names) + 1, len(self.args) + 1))]

    def _check_sizes(self) -> None:
        for given in (self.sizes, self.fixed):
            for name, size in given.items():
                Expr.symbol(name)
                if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                    raise SizeError(f"{name} = {size}: a positive integer is needed")
        known = self.dimensions
        if len(known) > MOST:
            raise InputError(
                f"the inputs name {len(known)} dimensions, and at most {MOST} can be told apart in a trace"
            )
        for name in self.sizes:
            if name not in known and name not in self.fixed:
                hint = nearest(name, known) if known else "the inputs name no dimensions"
                raise SizeError(f"--size {name}: no input has a dimension {name}; {hint}")

    @property
    def dimensions(self) -> list[str]:
        """The names of the inputs' dimensions that are variables, in the order in which they appear."""
        found = dict.fromkeys(names_in([*self.args, *self.kwargs.values()]))
        return [name for name in found if name not in self.fixed]

    # runs

    def _tried(self) -> Session:
        """A run; where it is refused, others with small or long assumed sizes, and then without training's own ways.

        At last the sizes that the user gave are taken for plain numbers: code that wants integers gets them.
        """
        error: ShapevizError | None = None
        scales = SCALES if set(self.dimensions) - self.sizes.keys() else SCALES[:1]
        for evaluating in [False, True] if self.module.training and not self.saves else [False]:
            for scale in scales:
                try:
                    session = self._run(scale, evaluating)
                except ShapevizError as refused:
                    error = error or refused
                    if isinstance(refused, DataDependentError):
                        break
                    continue
                self.scale, self.evaluating = scale, evaluating
                if evaluating:
                    self.notes.append("traced in evaluation mode: in training mode its forward depends on data")
                return session
        assert error is not None
        return self._plain(error)

    def _plain(self, error: ShapevizError) -> Session:
        """A run at the user's sizes as numbers; the first error stands if that is refused too."""
        numbers = {name: self.sizes[name] for name in self.dimensions if name in self.sizes}
        if not numbers or isinstance(error, DataDependentError):
            raise error
        before = dict(self.fixed)
        self.fixed |= numbers
        try:
            session = self._run(SCALES[0], False)
        except ShapevizError:
            self.fixed = before
            raise error from error.__cause__
        why = str(error).partition("\n")[0]
        self.reasons |= dict.fromkeys(numbers, f"the module can be traced with numbers only ({why})")
        self.notes += [f"{name} is traced as the number {size}: {self.reasons[name]}" for name, size in numbers.items()]
        return session

    def symbols(self, scale: tuple[int, ...], named: Mapping[str, int]) -> Symbols:
        """New symbols for the dimensions of the inputs, none of which is tried at a number of the module's own."""
        taken = {size for weight in self.module.parameters() for size in weight.shape}
        return Symbols(self.dimensions, self.sizes, taken, {**named, **self.fixed}, scale)

    def _run(self, scale: tuple[int, ...], evaluating: bool) -> Session:
        known = huggingface.names(self.module)
        named = {name: size for name, size in known.items() if name not in (*self.fixed, *self.dimensions)}
        named = {n: size for n, size in named.items() if size not in self.fixed.values()}
        symbols = self.symbols(scale, named)
        session = Session(self.module, symbols, saves=self.saves, backward=self.training, fold=self.fold)
        try:
            with huggingface.settled(self.module, self.kwargs):
                session.run(self.args, self.kwargs, self.labels, self.input_grad, evaluating)
        except UnlikeError:
            self.fold = False
            return self._run(scale, evaluating)
        except (Exception, SystemExit) as error:
            if "does not require grad" in str(error) and not self.saves:  # forward differentiates for itself
                self.saves = True
                return self._run(scale, evaluating)
            raise self._explained(error, session) from error
        if not session.recorder.root.outputs:
            raise InputError(
                f"the forward of {type(self.module).__name__} returns no tensor: there is nothing to trace"
            )
        return session

    def _again(self, sizes: Mapping[str, int]) -> Model:
        """The same at other sizes, which decide the branches that the module takes."""
        dimensions = set(names_in([*self.args, *self.kwargs.values()]))
        asked = {name: size for name, size in sizes.items() if name in dimensions}
        fixed = {name: size for name, size in self.fixed.items() if name not in self.reasons}
        other = replace(self, sizes=asked, fixed=fixed, notes=[], reasons={}, places={}, prepared=True)
        return other.model(type(self.module).__name__, type(self.module).__name__)

    def _explained(self, error: BaseException, session: Session) -> ShapevizError:
        found = explained(error, session.recorder, self.sizes)
        if isinstance(found, TraceError) and hasattr(session.recorder, "root"):
            found.model = self._built(session, type(self.module).__name__, "the trace so far", whole=False)
        return found

    def _built(self, session: Session, name: str, source: str, whole: bool = True) -> Model:
        symbols, recorder = session.symbols, session.recorder
        tree = Tree(self.module, session.weights)
        root = tree.root(recorder.root, session.inputs, whole)
        self.places = tree.places
        assumed = {n: 1 if is_batch(n) and whole else hint for n, hint in symbols.hints.items() if n not in self.sizes}
        found = conditions(symbols)
        variables = {n: self.sizes.get(n) or assumed[n] for n in symbols.hints}
        if broken(found, variables):
            variables |= {n: symbols.hints[n] for n in assumed}
        used = names_used(root)
        named = {n: size for n, size in symbols.fixed.items() if n in used}
        notes = [*self.notes]
        if assumed and whole:
            shown = ", ".join(f"{n} = {variables[n]}" for n in assumed)
            notes.append(f"{shown} assumed; --size {next(iter(assumed))}=N sets it")
        idle = [n for n in self.fixed if n not in used and n not in self.reasons]
        notes += [f"--name {n}={self.fixed[n]}: no size is {n} alone, so it names nothing" for n in idle]
        notes += [f"holds for {one.text} ({one.line})" for one in found]
        buffers = sum(weight.numel() for weight in {id(b): b for b in self.module.buffers()}.values())
        if buffers:
            notes.append(f"{buffers:,} elements in buffers, which are no parameters")
        fixed = {n: "it is a number of the module itself: give another module" for n in named if n not in self.reasons}
        named |= {n: self.fixed[n] for n in self.reasons}
        return Model(
            name=name,
            title=f"{name}, traced",
            source=source,
            root=root,
            sizes=Sizes({**variables, **named}, fixed=fixed, pinned=self.reasons, conditions=found),
            legend={**dict.fromkeys(variables, "input dimension"), **dict.fromkeys(named, "number of the module")},
            missing={**symbols.unknown, **recorder.unknown},
            notes=tuple(notes),
            conventions={"flops": TRAINED} if self.training else {},
            absent=NOT_IN_A_TRACE | ({} if self.saves else dict.fromkeys(("saved", "largest"), NOT_TRACED)),
            origin=Origin(Door.MODULE, trace=self),
            again=self._again if whole else None,
        )


def _costs(model: Model) -> list[Any]:
    """What a model comes to at its own sizes."""
    report = measure(model, [name for name in ("params", "flops", "saved") if name not in model.absent])
    return [[cell.value for cell in report.total.values()], *report.not_counted.values()]
