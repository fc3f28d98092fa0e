"""The user's named dimensions as torch's symbolic integers, and torch's symbolic sizes back as expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

import torch

from shapeviz.expr import Atom, Expr, ceil, floor, maximum, minimum, product
from shapeviz.expr.polynomial import denominator
from shapeviz.ir import Shape
from shapeviz.tracing.code_site import site
from shapeviz.tracing.torch_private import ConstantSource, DimDynamic, FakeTensorMode, Size, SympyExpr
from shapeviz.tracing.watched_guards import WatchedEnv

# Sizes at which branches are decided where the user gave none: code splits lengths into patches, windows and chunks, so
# they have many divisors; no two of one row are equal. Where a row is refused, the next one is tried.
USUAL = (128, 192, 160, 224, 320, 352, 416, 544, 608, 736, 928, 992)
SMALL = (16, 24, 20, 28, 40, 44, 52, 68, 76, 92, 116, 124)
LONG = (16000, 17920, 19200, 20480, 22400, 24000, 25600, 28800, 32000, 35200, 38400, 40960)
BATCHES = (12, 6, 10, 14, 18, 20, 22, 26)
MOST_TRIED = 5000  # sizes near the wanted one


class Unwritable(Exception):  # noqa: N818
    """A size that torch knows and that has no form in our algebra; the message is torch's own text."""


class Symbols:
    """One symbolic integer of torch for every name, shared by all inputs: two names never become one.

    A hint is the size at which torch decides the branches of the module: the user's size, moved a little where it
    equals another name's hint or a number of the module itself, so that nothing is taken for equal by accident.
    `numbers` are dimensions that are plain numbers in this run. exact: the user's sizes are not moved. given: hints
    that are taken as they are.
    """

    def __init__(
        self,
        names: Iterable[str],
        sizes: Mapping[str, int] | None = None,
        taken: Iterable[int] = (),
        usual: tuple[int, ...] = USUAL,
        numbers: Mapping[str, int] | None = None,
        exact: bool = False,
        given: Mapping[str, int] | None = None,
    ) -> None:
        self.env = WatchedEnv()
        self._plain = dict(numbers or {})
        self.hints: dict[str, int] = {}
        self.symints: dict[str, Size] = {}
        self._names: dict[SympyExpr, str] = {}
        self._cache: dict[SympyExpr, Expr] = {}
        self.unknown: dict[str, str] = {}
        self.formless: dict[str, str] = {}  # names in sizes that have no form in our algebra, each with its line
        self._fresh = 0
        self.shares: dict[str, Expr] = {}  # letters that stand for an equal part of a size
        self._where: Callable[[], str] = lambda: ""
        used = {*taken, *(given or {}).values()}
        for i, name in enumerate(names):
            own = (given or {}).get(name)
            self.hints[name] = hint = own or _hint(name, (sizes or {}).get(name), i, used, usual, exact)
            used.add(hint)
            source = ConstantSource(name)
            symbol = self.env.create_symbol(hint, source, dynamic_dim=DimDynamic.DYNAMIC, constraint_dim=None)
            self._names[symbol] = name
            self.symints[name] = self.env.create_symintnode(symbol, hint=hint, source=source)
        self.env.names = {str(symbol): name for symbol, name in self._names.items()}
        self._used, self._share_sizes = used, dict[str, Size]()

    def fake_mode(self, kind: Callable[..., FakeTensorMode] = FakeTensorMode) -> FakeTensorMode:
        """Torch's mode for tensors without data whose sizes have these symbols in them."""
        # transformers and others build small tensors with data in them on the way: these may be among the fake ones
        mode = kind(shape_env=self.env, allow_non_fake_inputs=True)
        mode.cache_enabled = False  # with symbolic sizes, an answer from torch's memory takes longer than a new one
        return mode

    def explain_unknown(self, where: Callable[[], str]) -> None:
        """How to say where a size came into being that depends on the data."""
        self._where = where

    def size(self, expr: Expr) -> Size:
        """A dimension that the user wrote, as torch takes it: an int, or an integer with symbols in it."""
        if not expr.names - self._plain.keys():
            return int(expr.at(self._plain))
        # torch has no fractions of sizes: all terms over one denominator, which divides last
        powers, number = denominator(expr.subs(self._plain).terms.items())
        below = product(Expr.of(factor) ** power for factor, power in powers if isinstance(factor, str)) * number
        total: Size = 0
        for monomial, coefficient in (expr.subs(self._plain) * below).terms.items():
            term: Size = int(coefficient)
            for factor, power in monomial:
                own = self.size(factor.args[0]) if isinstance(factor, Atom) else self.symints[factor]
                term = term * own**power
            total = total + term
        return total if below == 1 else total // self.size(below)

    def shape(self, sizes: Sequence[Size]) -> Shape:
        return tuple(map(self.expr, sizes))

    def expr(self, size: Size) -> Expr:
        """A size of torch as an expression in the user's names; one that has no such form gets a letter of its own."""
        if not isinstance(size, torch.SymInt):
            return Expr.of(int(size))
        form = size.node.expr
        if form not in self._cache:
            try:
                self._cache[form] = self._written(form)
            except Unwritable as error:
                self.formless |= dict.fromkeys(self.names_of(form), site())
                self._cache[form] = Expr.symbol(self._unknown(form, f"{error} has no closed form here"))
        return self._cache[form]

    def share(self, whole: Size, parts: int) -> Size:
        """An equal part of a size, as a size of its own with a letter of its own; the same part twice is one."""
        expr = self.expr(whole) / parts
        name = next((name for name, share in self.shares.items() if share == expr), "")
        if not name:
            name = self.fresh("n")
            least = max(2, (whole.node.hint if isinstance(whole, torch.SymInt) else whole) // parts)
            hint = next(size for size in (*range(least, 1, -1), *range(least, MOST_TRIED)) if size not in self._used)
            source = ConstantSource(name)
            symbol = self.env.create_symbol(hint, source, dynamic_dim=DimDynamic.DYNAMIC, constraint_dim=None)
            form = whole.node.expr if isinstance(whole, torch.SymInt) else symbol - symbol + whole
            self._used.add(hint)
            self._names[symbol], self.shares[name], self.env.shares[symbol] = name, expr, form / parts
            self._share_sizes[name] = self.env.create_symintnode(symbol, hint=hint, source=source)
        return self._share_sizes[name]

    def undecided_shares(self) -> set[str]:
        """The letters of equal parts on which a branch depends, but for whether they are none or one."""
        return {
            name
            for form, _ in self.env.decided
            for name in self.names_of(form) & self.shares.keys()
            if not any(arg.is_Integer and int(arg) in (0, 1) for arg in form.args)
        }

    def settled(self) -> dict[str, Expr]:
        """The names that turned out to be no variables: what torch took each of them for."""
        replacements: Mapping[SympyExpr, SympyExpr] = self.env.replacements
        return {
            name: self._written(replacements[symbol])
            for symbol, name in self._names.items()
            if symbol in replacements and name in self.hints
        }

    def fresh(self, letter: str) -> str:
        """A name for what is not known, `n_1`, that no dimension of the user's has."""
        self._fresh += 1
        name = f"{letter}_{self._fresh}"
        return name if name not in self.hints and name not in self._plain else self.fresh(letter)

    def form(self, form: SympyExpr) -> Expr | None:
        """One of torch's own expressions as ours; None if it has no such form."""
        try:
            return self._written(form)
        except Unwritable:
            return None

    def names_of(self, form: SympyExpr) -> set[str]:
        """The user's names in one of torch's expressions; for another symbol, torch's own name of it."""
        return {self._names.get(symbol, str(symbol)) for symbol in form.free_symbols}

    def value(self, form: SympyExpr, sizes: Mapping[str, int]) -> object:
        """One of torch's expressions at sizes. Raises whatever SymPy raises."""
        return form.subs({symbol: sizes[self._names[symbol]] for symbol in form.free_symbols})

    def written(self, form: SympyExpr) -> str:
        """One of torch's expressions as text in the user's names."""
        own = self.form(form)
        if own is None or not {"⌊", "⌈"}.isdisjoint(
            str(own)
        ):  # torch's own text of a division says more than our floors
            return self.renamed(str(form))
        return str(own)

    def renamed(self, text: str) -> str:
        """Torch's own words with the user's names in place of s44."""
        names = {str(symbol): name for symbol, name in self._names.items()}
        text = re.sub(r"\bs\d+\b", lambda symbol: names.get(symbol[0], symbol[0]), text)
        return re.sub(r"\bz?u[f]?\d+\b", lambda symbol: names.get(symbol[0], "a value of the data"), text)

    def _written(self, form: SympyExpr) -> Expr:
        if form.is_Integer:
            return Expr.of(int(form))
        if form.is_Symbol:
            return Expr.symbol(self._names.get(form) or self._unknown(form))
        args = form.args
        match type(form).__name__:
            case "Add":
                return sum((self._written(arg) for arg in args), Expr())
            case "Mul":
                product = Expr.of(1)
                for arg in args:
                    product = product * self._written(arg)
                return product
            case "Pow" if args[1].is_Integer and (int(args[1]) > 0 or len(self._written(args[0]).terms) == 1):
                return self._written(args[0]) ** int(args[1])
            case "Rational" | "Half":
                return Expr.of(int(form.p)) / int(form.q)
            case "FloorDiv" | "CleanDiv" | "IntTrueDiv" | "FloatTrueDiv":
                above, below = map(self._written, args)
                if len(below.terms) == 1:
                    return floor(above / below) if type(form).__name__ == "FloorDiv" else above / below
            case "Mod" | "PythonMod":
                above, below = map(self._written, args)
                if len(below.terms) == 1:
                    return above - below * floor(above / below)
            case "FloorToInt" | "floor" | "TruncToInt":  # which are one, for sizes are no negative numbers
                return floor(self._written(args[0]))
            case "CeilToInt" | "ceiling":
                return ceil(self._written(args[0]))
            case "ToFloat":
                return self._written(args[0])
            case "Float" if (exact := Fraction(float(form))).denominator <= 64:
                return Expr.of(exact)
            case "Max":  # torch's strides take no size for less than 1, as none is
                return maximum(*(self._written(arg) for arg in args if not (arg.is_Integer and int(arg) == 1)))
            case "Min":
                return minimum(*map(self._written, args))
        raise Unwritable(self.renamed(str(form)))

    def _unknown(self, symbol: SympyExpr, why: str = "depends on the data") -> str:
        """A size that only the data tell: it gets a letter of its own and a reason why it is not counted."""
        name = self.fresh("n")
        self._names[symbol] = name
        self.unknown[name] = f"{name}, a size in {self._where()}, {why}"
        return name


def _hint(name: str, wanted: int | None, position: int, used: set[int], usual: tuple[int, ...], exact: bool) -> int:
    """The wanted size or the nearest below (else above) that nobody else has; a multiple of many numbers if free.

    exact: also one that somebody else has. One is never a hint: torch takes symbols for at least 2.
    """
    if wanted is None:
        first = BATCHES if is_batch(name) else (usual[position % len(usual)], *usual)
        candidates: list[int] = [*first, *range(first[0], first[0] + MOST_TRIED)]
    elif wanted > 1 and (exact or wanted not in used):
        return wanted
    else:
        step = next(n for n in (64, 32, 16, 8, 4, 2, 1) if wanted % n == 0 and (wanted > 2 * n or n == 1))
        candidates = [*range(wanted, 1, -step)[:8], *range(wanted, wanted + MOST_TRIED * step, step)]
    return next(size for size in candidates if size > 1 and size not in used)


def is_batch(name: str) -> bool:
    """True for a name that means the batch, as `B` does."""
    return name.lower() in ("b", "batch", "bs", "batch_size")
