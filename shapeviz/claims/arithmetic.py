"""Arithmetic as people write it, `4,465,920 × 6 + 7,617,192 × 8`, evaluated exactly."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from shapeviz.errors import InputError

LONGEST = 500  # characters of one sum: what Python nests, it can also evaluate
BITS = 3400  # of any intermediate result: about 10^1000
NUMBER = re.compile(r"(?<![0-9.])[0-9]{1,3}(?:([,_'’\u2009\u202f\u00a0])[0-9]{3})(?:\1[0-9]{3})*(?![0-9,_'’.])|[0-9]+")
SIGNS = str.maketrans({"×": "*", "·": "*", "⋅": "*", "∙": "*", "÷": "/", "−": "-", "–": "-", "^": "**"})
LETTER_X = re.compile(r"(?<![^\W\d])(?<!\b0)x(?![^\W\d])")  # 1024 x 128, but neither max nor 0x10
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


@dataclass(frozen=True)
class Sum:
    """An expression of integers: the text as written, and the same in Python's signs."""

    text: str
    code: str

    def value(self, replaced: Mapping[int, int] | None = None) -> int | Fraction:
        """What it comes to, exactly; with some of its numbers replaced if asked. Raises InputError.

        >>> parse("2 × 1,024").value(), parse("2 × 1,024").value({1024: 512})
        (2048, 1024)
        """
        result = _value(ast.parse(self.code, mode="eval").body, replaced or {})
        return result.numerator if result.denominator == 1 else result

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers that occur, each once, in order."""
        return tuple(dict.fromkeys(map(int, re.findall(r"[0-9]+", self.code))))


def parse(text: str) -> Sum:
    """A sum from its text: + - * / × · x ÷ ^ ², parentheses and integers, with or without thousands separators.

    Raises InputError for anything else, for a division by zero and for results beyond about 10^1000.
    """
    if len(text) > LONGEST:
        raise InputError(f"{len(text):,} characters are more than the {LONGEST} of a sum: claim its parts one by one")
    code = LETTER_X.sub("*", NUMBER.sub(lambda match: digits(match[0]), text)).translate(SIGNS)
    code = " ".join(re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "**" + m[0].translate(SUPERSCRIPTS), code).split())
    if foreign := re.search(r"[^\W\d]\w*|[^0-9+\-*/() ]", code):
        raise InputError(f"{foreign[0]!r} is not arithmetic: use whole numbers, + - × / ^ and parentheses")
    result = Sum(" ".join(text.split()), code)
    try:
        result.value()
    except (SyntaxError, ValueError):
        raise InputError("that is not complete arithmetic: is a sign or a parenthesis missing?") from None
    except (RecursionError, MemoryError):
        raise InputError("nested too deeply for a sum: claim its parts one by one") from None
    except ZeroDivisionError:
        raise InputError("division by zero") from None
    return result


def digits(text: str) -> str:
    """A number's digits without thousands separators.

    >>> digits("7,617,024")
    '7617024'
    """
    return re.sub("[^0-9]", "", text)


def _value(node: ast.expr, replaced: Mapping[int, int]) -> Fraction:
    match node:
        case ast.Constant(value=int(number)):
            return Fraction(replaced.get(number, number))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=inner):
            return _value(inner, replaced) * (-1 if isinstance(sign, ast.USub) else 1)
        case ast.BinOp(left=left, op=op, right=right):
            return _bounded(_applied(op, _value(left, replaced), _value(right, replaced)))
    raise InputError("only + - × / ^ and parentheses are arithmetic here")


def _applied(op: ast.operator, left: Fraction, right: Fraction) -> Fraction:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
        case ast.Pow():
            return _power(left, right)
    raise InputError("only + - × / ^ and parentheses are arithmetic here")


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise InputError(f"the exponent {exponent} is not a whole number")
    if (_bits(base) - 1) * abs(exponent.numerator) > BITS:
        raise _too_large()
    return Fraction(base**exponent.numerator)


def _bounded(number: Fraction) -> Fraction:
    if _bits(number) > BITS:
        raise _too_large()
    return number


def _bits(number: Fraction) -> int:
    return max(abs(number.numerator), number.denominator).bit_length()


def _too_large() -> InputError:
    return InputError("the result is beyond 10^1000: no count of a model is that large")
