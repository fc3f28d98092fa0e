"""Formulas read from text: what the tool prints, Python's signs, and arithmetic as people write it.

    sum      product, or several with + and - between them
    product  factor, or several with · * × / ÷ // between them
    factor   power, with any signs before it
    power    operand, operand², or operand ** factor
    operand  number, name, (sum), ⌊sum⌋, ⌈sum⌉, min(sum, …), max(sum, …), floor(sum), ceil(sum)

The order of operations is Python's: -S² is -(S²), and 2/3·S is (2/3)·S. Nothing is ever evaluated by Python itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from math import comb
from typing import NoReturn

from shapeviz.errors import InputError, ShapevizError, nearest
from shapeviz.expr.notation import CALLS, SIGNS, read_superscript
from shapeviz.expr.polynomial import Expr
from shapeviz.expr.substitute import FUNCTIONS

LONGEST = 20_000  # characters: the longest formula of a bundled model has 1,100
DEEPEST = 50  # brackets inside one another
BITS = 3400  # of any number on the way: about 10^1000
MOST = 5000  # terms of any sum on the way
DEGREE = 64  # of any term in its dimensions
ARGUMENTS = 16  # of min and max, each of which is compared with all others

GROUPED = r"[0-9]{1,3}(?P<mark>[,_'’\u2009\u202f\u00a0])[0-9]{3}(?:(?P=mark)[0-9]{3})*(?![0-9,_'’.])"
TOKEN = r"""\s*(?:(?P<number>{}[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<superscript>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)
    |(?P<name>(?:Math\.)?[^\W\d](?:(?![⁰¹²³⁴⁵⁶⁷⁸⁹])\w)*)
    |(?P<sign>\*\*|//|[-+*/^·×⋅∙÷−–])
    |(?P<bracket>[()⌊⌋⌈⌉,])
    |(?P<end>$)
    |(?P<other>.))"""
PLAIN_TOKEN = re.compile(TOKEN.format(""), re.VERBOSE | re.DOTALL)
GROUPED_TOKEN = re.compile(TOKEN.format(GROUPED + "|"), re.VERBOSE | re.DOTALL)
LETTER_X = re.compile(r"(?:\s+|(?<!\b0))x(?![^\W\d])")  # 1024 x 128: where a sign is needed, x is one, but 0x10 is none
ROUNDED = {"(": ")", "⌊": "⌋", "⌈": "⌉"}


class FormulaError(InputError):
    """What is wrong with a formula, and where: `position` counts the characters before it."""

    def __init__(self, what: str, text: str, position: int) -> None:
        at_end = position >= len(text.rstrip())
        super().__init__(f"at its end: {what}" if at_end else f"character {position + 1}: {what}")
        self.what, self.position = what, position


def parse(
    text: str,
    names: Collection[str] | None = None,
    *,
    grouped: bool = False,
    number: Callable[[int], int] = int,
    longest: int = LONGEST,
) -> Expr:
    """The expression that a text says; `parse(str(x)) == x == parse(x.python)`.

    `names` are the dimensions that may occur, any if it is None. If `grouped`, numbers may have thousands separators,
    `4,465,920`. `number` may replace the numbers that occur. Raises FormulaError, an InputError, with the position.

    >>> parse("2*S**2 + ⌈V/64⌉·64 - min(S, w)")
    Expr('2·S² + 64·⌈V/64⌉ - min(S, w)')
    >>> parse("3·d_mode", names=["d_model", "h"])
    Traceback (most recent call last):
    shapeviz.expr.parse.FormulaError: character 3: 'd_mode' is not known; did you mean 'd_model'?  (known: d_model, h)
    """
    if len(text) > longest:
        raise FormulaError(f"{len(text):,} characters are more than the {longest:,} of a formula", text, longest)
    reader = _Reader(text, 0, names, grouped, number)
    expr = reader.sum()
    if reader.kind != "end":
        reader.refuse_rest()
    return expr


def parse_beginning(text: str, start: int) -> tuple[Expr, int]:
    """The expression that begins at a position, and where it ends: at the first character that cannot continue it.

    >>> parse_beginning("float32[2*S, 3]", 8)
    (Expr('2·S'), 11)
    """
    reader = _Reader(text, start, None, False, int)
    return reader.sum(), reader.before


class _Reader:
    """Reads from left to right, one token ahead."""

    def __init__(
        self, text: str, start: int, names: Collection[str] | None, grouped: bool, number: Callable[[int], int]
    ) -> None:
        self.text, self.names, self.number = text, names, number
        self.tokens = GROUPED_TOKEN if grouped else PLAIN_TOKEN
        self.depth = 0
        self.end = start
        self.advance()

    def advance(self) -> None:
        self.before = self.end  # where what has been read so far ends
        match = self.tokens.match(self.text, self.end)
        assert match, "the last alternatives match anything"
        self.kind = next(
            kind
            for kind in ("number", "superscript", "name", "sign", "bracket", "end", "other")
            if match[kind] is not None
        )
        self.token = match[self.kind]
        self.start, self.end = match.span(self.kind)

    def take(self, *tokens: str) -> str:
        """The token if it is one of these, and then the next is looked at; otherwise nothing."""
        if self.kind not in ("sign", "bracket") or SIGNS.get(self.token, self.token) not in tokens:
            return ""
        taken = SIGNS.get(self.token, self.token)
        self.advance()
        return taken

    def refuse(self, what: str, position: int | None = None) -> NoReturn:
        raise FormulaError(what, self.text, self.start if position is None else position)

    def refuse_rest(self) -> NoReturn:
        if self.kind in ("number", "name") or self.token in ROUNDED:
            self.refuse(f"a sign is missing before {self.token!r}")
        if self.token in ROUNDED.values():
            self.refuse(f"{self.token!r} closes nothing")
        self.refuse(f"{self.token!r} has no meaning here")

    def sum(self) -> Expr:
        total = self.product()
        while sign := self.take("+", "-"):
            term = self.product()
            total = self.within_bounds(total + term if sign == "+" else total - term)
        return total

    def product(self) -> Expr:
        total = self.factor()
        while True:
            position, sign = self.start, self.times() or self.take("/", "//")
            if not sign:
                return total
            right = self.factor()
            if sign == "*" and len(total.terms) * len(right.terms) > MOST:
                self.refuse(f"the product has more than {MOST:,} terms", position)
            total = self.within_bounds(self.applied(sign, total, right, position), position)

    def times(self) -> str:
        if match := LETTER_X.match(self.text, self.before):
            self.end = match.end()
            self.advance()
            return "*"
        return self.take("*")

    def applied(self, sign: str, left: Expr, right: Expr, position: int) -> Expr:
        try:
            if sign == "*":
                return left * right
            return left / right if sign == "/" else left // right
        except ZeroDivisionError:
            self.refuse("division by zero", position)
        except ShapevizError as error:
            self.refuse(str(error), position)

    def factor(self) -> Expr:
        negative = False
        while sign := self.take("+", "-"):
            negative ^= sign == "-"
        power = self.power()
        return -power if negative else power

    def power(self) -> Expr:
        base = self.operand()
        position = self.start
        if self.kind == "superscript":
            exponent = Expr.of(read_superscript(self.token))
            self.advance()
        elif self.take("**"):
            self.deeper()
            exponent = self.factor()
            self.depth -= 1
        else:
            return base
        if not exponent.is_constant or not exponent.integral:
            self.refuse(f"the exponent {exponent} is not a whole number", position)
        return self.raised(base, int(exponent), position)

    def raised(self, base: Expr, power: int, position: int) -> Expr:
        if not base.terms and power > 0:
            return base
        if _bits(base) * abs(power) > BITS:
            self.refuse_number(position)
        highest = max((sum(abs(n) for _, n in m) for m in base.terms), default=0)
        if highest * abs(power) > DEGREE or comb(len(base.terms) + abs(power), abs(power)) > MOST:
            self.refuse(f"the power {power} is too large", position)
        try:
            return base**power
        except ZeroDivisionError:
            self.refuse("division by zero", position)
        except ShapevizError as error:
            self.refuse(str(error), position)

    def operand(self) -> Expr:
        kind, token, position = self.kind, self.token, self.start
        if closing := ROUNDED.get(token):
            function = {"⌊": "floor", "⌈": "ceil"}.get(token, "")
            (inner,) = self.bracketed(closing, 1)
            return FUNCTIONS[function](inner) if function else inner
        if kind not in ("number", "name"):
            expected = "a number or '('" if self.names == () else "a number, a name or '('"
            self.refuse(f"{expected} is missing" + (f" before {token!r}" if token else ""))
        self.advance()
        if kind == "number":
            return self.counted(token, position)
        if self.token == "(" and self.kind == "bracket":
            return self.called(token, position)
        return self.named(token, position)

    def bracketed(self, closing: str, most: int) -> list[Expr]:
        """What stands between the bracket that is next and the one that closes it."""
        opening = self.token
        self.deeper()
        self.advance()
        parts = [self.sum()]
        while len(parts) < most and self.take(","):
            parts.append(self.sum())
        if not self.take(closing):
            self.refuse(
                f"{closing!r} is missing after {opening!r}" + (f", before {self.token!r}" if self.token else "")
            )
        self.depth -= 1
        return parts

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            self.refuse(f"nested more than {DEEPEST} deep")

    def called(self, name: str, position: int) -> Expr:
        if (function := CALLS.get(name)) is None:
            self.refuse(f"{name!r} is no function; {nearest(name, ['floor', 'ceil', 'min', 'max'])}", position)
        args = self.bracketed(")", ARGUMENTS if function in ("min", "max") else 1)
        return FUNCTIONS[function](*args)

    def named(self, name: str, position: int) -> Expr:
        if self.names is not None and name not in self.names:
            hint = nearest(name, self.names) if self.names else "only numbers can stand here"
            self.refuse(f"{name!r} is not known; {hint}", position)
        try:
            return Expr.symbol(name)
        except ShapevizError as error:
            self.refuse(str(error), position)

    def counted(self, token: str, position: int) -> Expr:
        digits = re.sub(r"[,_'’\s]", "", token)
        if not digits.isdecimal():
            self.refuse(f"{token[:60]} is no whole number", position)
        if len(digits) > BITS // 3:
            self.refuse_number(position)
        return self.within_bounds(Expr.of(self.number(int(digits))), position)

    def within_bounds(self, x: Expr, position: int | None = None) -> Expr:
        if _bits(x) > BITS:
            self.refuse_number(position)
        if len(x.terms) > MOST or any(sum(abs(n) for _, n in m) > DEGREE for m in x.terms):
            self.refuse(f"the result has more than {MOST:,} terms, or one of a degree above {DEGREE}", position)
        return x

    def refuse_number(self, position: int | None = None) -> NoReturn:
        self.refuse("the result is beyond 10^1000: no count of a model is that large", position)


def _bits(x: Expr) -> int:
    """How many binary digits its longest number has, less one: those of a product are at most their sum, plus one."""
    return max((max(abs(c.numerator), c.denominator).bit_length() - 1 for c in x.terms.values()), default=0)
