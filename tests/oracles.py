"""What an expression must be, found in another way: by SymPy, by fractions, by running JavaScript."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
import sympy
from strategies import NAMES, Recipe

from shapeviz.expr import Expr, ceil, floor, maximum, minimum


@dataclass(frozen=True)
class Algebra:
    """What a recipe needs to become an expression, besides + - * / and powers."""

    symbol: Callable[[str], Any]
    number: Callable[[Any], Any]
    least: Callable[..., Any]
    greatest: Callable[..., Any]
    floor: Callable[[Any], Any]
    ceil: Callable[[Any], Any]


OURS = Algebra(Expr.symbol, Expr.of, minimum, maximum, floor, ceil)


def built(recipe: Recipe, algebra: Algebra) -> Any:
    """The recipe carried out."""
    match recipe:
        case ("name", name):
            return algebra.symbol(name)
        case ("number", number):
            return algebra.number(number)
        case ("^", base, power):
            return built(base, algebra) ** power
    parts = [built(part, algebra) for part in recipe[1:]]
    match recipe[0]:
        case "+":
            return parts[0] + parts[1]
        case "-":
            return parts[0] - parts[1]
        case "*":
            return math.prod(parts[1:], start=parts[0])
        case "/":
            return parts[0] / parts[1]
        case "min":
            return algebra.least(*parts)
        case "max":
            return algebra.greatest(*parts)
        case "floor":
            return algebra.floor(*parts)
        case "ceil":
            return algebra.ceil(*parts)
    raise AssertionError(f"no such recipe: {recipe}")


def expr(recipe: Recipe) -> Expr:
    """Our expression."""
    made = built(recipe, OURS)
    assert isinstance(made, Expr)
    return made


def symbols(names: Any = NAMES) -> dict[str, sympy.Symbol]:
    """The dimensions as SymPy has them: positive integers."""
    return {name: sympy.Symbol(name, positive=True, integer=True) for name in names}


def symbolic(recipe: Recipe) -> Any:
    """SymPy's expression."""
    known = symbols()
    return built(
        recipe,
        Algebra(known.__getitem__, sympy.Rational, sympy.Min, sympy.Max, sympy.floor, sympy.ceiling),
    )


def number(recipe: Recipe, sizes: Mapping[str, int]) -> Fraction:
    """The value at these sizes, by Python's own fractions."""
    made = built(
        recipe,
        Algebra(
            lambda name: Fraction(sizes[name]),
            Fraction,
            min,
            max,
            lambda x: Fraction(math.floor(x)),
            lambda x: Fraction(math.ceil(x)),
        ),
    )
    assert isinstance(made, Fraction)
    return made


def read_by_sympy(text: str) -> Any:
    """What a reader of our formulas gets, by the call that the manual gives."""
    return sympy.sympify(text, locals=symbols())


def exact(read: Any, sizes: Mapping[str, int]) -> Fraction:
    """SymPy's expression at these sizes, as a fraction; what is not exact there, or no number, is refused."""
    value = read.subs({symbol: sizes[symbol.name] for symbol in read.free_symbols})
    assert value.is_Rational, f"{value!r} is no exact number"
    return Fraction(int(value.p), int(value.q))


def run_javascript(texts: list[str], sizes: list[dict[str, int]]) -> list[list[float]]:
    """The value of every text at every sizes, by Node."""
    node = shutil.which("node")
    if node is None:
        if os.environ.get("CI"):
            pytest.fail("node is not installed, so that the JavaScript text is not checked")
        pytest.skip("node is not installed")
    program = """
        const [texts, sizes] = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const made = (text, at) => new Function(...Object.keys(at), `"use strict"; return ${text}`);
        const value = (text, at) => made(text, at)(...Object.values(at));
        console.log(JSON.stringify(texts.map((text) => sizes.map((at) => value(text, at)))));
    """
    done = subprocess.run(
        [node, "-e", program], input=json.dumps([texts, sizes]), capture_output=True, text=True, check=False
    )
    assert "" == done.stderr
    values: list[list[float]] = json.loads(done.stdout)
    return values
