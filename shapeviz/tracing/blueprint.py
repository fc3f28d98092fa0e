"""A class or factory with letters for its arguments: built with symbols, or with numbers, as often as needed."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.expr import Expr
from shapeviz.expr.solve import solve
from shapeviz.ir import Model
from shapeviz.tracing import meta_device
from shapeviz.tracing.admissible_sizes import admissible
from shapeviz.tracing.branch_conditions import lines_of_settled
from shapeviz.tracing.code_site import site_of
from shapeviz.tracing.lend_python import lent_python
from shapeviz.tracing.load import kind
from shapeviz.tracing.process_state import alone
from shapeviz.tracing.small_values import SmallValues
from shapeviz.tracing.symbolic_sizes import Symbols
from shapeviz.tracing.torch_private import FakeTensorMode, Size, enable_python_dispatcher


@dataclass(frozen=True)
class Blueprint:
    """How a module is made: `make(**arguments)`, with an expression in letters for each of some arguments.

    sizes: the letters at the sizes that the arguments have by default, where that is known. meanings: what they stand
    for, for a legend. settled: letters that building takes for numbers, each with its line of code. periods: of a
    letter that counts layers, how many there are until their kinds recur. hints: sizes at which it can be built, and
    branches are decided, no two alike if that can be. chosen: somebody asked for these letters, so that one which the
    class ignores is worth a word. rules: how many layers of a kind there are by default, in the number of all layers,
    which `depths` has with the argument that sets it. otherwise: one with fewer letters, if this one answers not.
    """

    make: Callable[..., object]
    name: str
    arguments: Mapping[str, Expr]
    sizes: Mapping[str, int] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)
    settled: Mapping[str, str] = field(default_factory=dict)
    periods: Mapping[str, int] = field(default_factory=dict)
    hints: Mapping[str, int] = field(default_factory=dict)
    chosen: bool = False
    rules: Mapping[str, Expr] = field(default_factory=dict)
    depths: Mapping[str, str] = field(default_factory=dict)
    otherwise: Blueprint | None = None

    @property
    def letters(self) -> list[str]:
        """The letters in the order in which the arguments have them."""
        return list(dict.fromkeys(name for expr in self.arguments.values() for name in sorted(expr.names)))

    def build(self, symbols: Symbols, mode: FakeTensorMode) -> nn.Module:
        """The module with symbolic sizes, its tensors without data. Raises whatever the class raises."""
        arguments = {name: symbols.size(expr) for name, expr in self.arguments.items()}
        with enable_python_dispatcher(), mode, torch.device("cpu"), SmallValues(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._module(arguments)

    def instance(self, numbers: Mapping[str, int]) -> nn.Module:
        """The module with numbers for all letters, on the meta device. Raises whatever the class raises."""
        arguments = {name: expr.at(numbers) for name, expr in self.arguments.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = meta_device.called(lambda: self._module(arguments))
        assert isinstance(module, nn.Module)
        meta_device.move(module)
        return module

    def _module(self, arguments: Mapping[str, Size]) -> nn.Module:
        module = self.make(**arguments)
        if not isinstance(module, nn.Module):
            raise InputError(
                f"{self.name} returns {'None' if module is None else kind(module)}: an nn.Module is needed"
            )
        return module

    def built(self, symbols: Symbols) -> nn.Module:
        """The module as it is built and not run. Raises InputError with what the class says and where."""
        try:
            with alone(), lent_python():
                return self.build(symbols, symbols.fake_mode())
        except (KeyboardInterrupt, MemoryError, InputError):
            raise
        except (Exception, SystemExit) as error:
            words = symbols.renamed((str(error).strip().splitlines() or [""])[0])
            place = site_of(error)
            what = f"{self.name} cannot be built"
            if self.arguments:
                what += f" with letters for {', '.join(self.arguments)}"
            said = f"{type(error).__name__}, {words}" if words else type(error).__name__
            raise InputError(f"{what}: {said}" + f" ({place})" * bool(place)) from error

    def probed(self, sizes: Mapping[str, int]) -> tuple[nn.Module, Blueprint]:
        """A module that tells its forward's signature, modes and dtype, and the blueprint with what was found out.

        Raises InputError, with what the class says first, where it cannot be built at any sizes that were tried.
        """
        try:
            return next(self._probes(self.by_kind(sizes)))
        except InputError:
            if self.otherwise is None:
                raise
            return self.otherwise.probed(sizes)

    def by_letter(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Sizes of letters, arguments and numbers of layers as sizes of the letters in them. Raises SizeError."""
        found = self.by_kind(sizes)
        for name, expr in self.arguments.items():
            if name in found and name not in expr.names:
                solution = solve(expr, found[name])
                if not solution:
                    raise SizeError(f"{name} = {found[name]}: {name} is {expr}, which it cannot be")
                found |= solution
                del found[name]
        return found

    def by_kind(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Sizes with how many layers there are of each kind in place of how many there are in all."""
        found = {name: size for name, size in sizes.items() if name not in {*self.depths, *self.depths.values()}}
        for letter, key in self.depths.items():
            if letter in sizes or key in sizes:
                at = {letter: sizes.get(key, sizes.get(letter, 0))}
                for name in self._kinds_of(letter):
                    at[name] = found.setdefault(name, int(self.rules[name].at(at)))
        return found

    def of_kinds(self, model: Model) -> Model:
        """The model with the number of all layers as a size, from which follows how many there are of each kind."""
        sizes, own = model.sizes, model.sizes.values
        plain = {name: size for name, size in own.items() if name not in self.rules}
        depth = {letter: sum(own[name] for name in self._kinds_of(letter)) for letter in self.depths}
        whole = {key: Expr.symbol(letter) for letter, key in self.depths.items()}
        rules = {name: rule for name, rule in self.rules.items() if rule.at({**own, **depth}) == own[name]}
        kept = {name: own[name] for name in self.rules if name not in rules}
        changed = replace(sizes, values={**plain, **depth, **kept}, rules=rules, arguments={**sizes.arguments, **whole})
        return replace(model, sizes=changed)

    def _kinds_of(self, letter: str) -> list[str]:
        """The kinds of layers that add up to a number of layers."""
        return [name for name, rule in self.rules.items() if letter in rule.names]

    def further(self, sizes: Mapping[str, int]) -> Iterator[Blueprint]:
        """This blueprint, and the same with other hints."""
        yield self
        yield from (plan for _, plan in self._probes(sizes) if plan.hints != self.hints)

    def _probes(self, sizes: Mapping[str, int]) -> Iterator[tuple[nn.Module, Blueprint]]:
        first: InputError | None = None
        found = False
        for hints in admissible(self.letters, {**self.sizes, **sizes}):
            symbols = Symbols(self.letters, given=hints)
            try:
                module = self.built(symbols)
            except InputError as error:
                first = first or error
                continue
            if not alike(symbols):
                found = True
                yield module, replace(self, hints=hints, settled=lines_of_settled(symbols))
        if not found:
            raise first or InputError(f"{self.name} takes some of {', '.join(self.arguments)} for one and the same")


def alike(symbols: Symbols) -> list[str]:
    """Letters that torch took for one, since at the sizes of this run a comparison found them to be equal."""
    return [name for name, size in symbols.settled().items() if not size.is_constant]


def blueprint(make: Callable[..., object], vary: Mapping[str, object]) -> Blueprint:
    """A class or factory whose arguments `vary` are letters: `{"channels": "2*c"}`, or a name alone for itself.

    Raises InputError for an argument that it does not have, or whose default is no integer.
    """
    name = getattr(make, "__name__", "factory")
    parameters = _parameters(make, name)
    named = [key for key, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY)]
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    arguments: dict[str, Expr] = {}
    for key, written in vary.items():
        if key not in named and not anything:
            hint = nearest(key, named) if named else "it has none"
            raise InputError(f"{name} has no argument {key!r} to vary; {hint}")
        arguments[key] = _expression(key, written)
        default = parameters[key].default if key in parameters else None
        if not (default is inspect.Parameter.empty or default is None or type(default) is int):
            what = (
                "a switch" if isinstance(default, bool) else repr(default) if len(repr(default)) < 40 else kind(default)
            )
            integers = [k for k in named if type(parameters[k].default) is int]
            hint = f"its integers are {', '.join(integers)}" if integers else "it has no integer arguments"
            raise InputError(f"{name}: {key} is {what} by default, no integer that could be a letter; {hint}")
    defaults = {key: parameters[key].default for key in arguments if key in parameters}
    needed = [
        key for key in named if parameters[key].default is inspect.Parameter.empty
        and key not in arguments
    ]  # fmt: skip
    if needed:
        more = ",".join([*arguments, *needed])
        raise InputError(
            f"{name} needs the argument{'s' * (len(needed) > 1)} {', '.join(needed)} as well: --vary {more}"
        )
    return Blueprint(make, name, arguments, _solved(arguments, defaults), _meanings(name, arguments), chosen=True)


def _parameters(make: Callable[..., object], name: str) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(make).parameters
    except (TypeError, ValueError):
        raise InputError(f"{name} does not tell its arguments: name a function in Python that calls it") from None


def _expression(key: str, written: object) -> Expr:
    from shapeviz.expr.parse import parse

    if isinstance(written, bool) or not isinstance(written, str | int | Expr):
        raise InputError(f"vary {key}: an expression in letters is needed, such as '2*c', not {kind(written)}")
    expr = written if isinstance(written, Expr) else parse(str(written))
    if not expr.names:
        raise InputError(f"vary {key}={written}: there is no letter in it; a number is given as an argument itself")
    return expr


def _solved(arguments: Mapping[str, Expr], defaults: Mapping[str, object]) -> dict[str, int]:
    """The letters at which the arguments are what they are by default, where an argument has one letter alone."""
    sizes: dict[str, int] = {}
    for _ in arguments:
        for key, expr in arguments.items():
            default = defaults.get(key)
            if type(default) is int and (solution := solve(expr.subs(sizes), default)):
                sizes.update(solution)
    return sizes


def _meanings(name: str, arguments: Mapping[str, Expr]) -> dict[str, str]:
    """What each letter means: an argument of the class, or part of one."""
    meanings: dict[str, str] = {}
    for key, expr in arguments.items():
        for letter in sorted(expr.names):
            text = f"{name}'s argument" if str(expr) == key else f"{key} = {expr} of {name}"
            meanings.setdefault(letter, text)
    return meanings
