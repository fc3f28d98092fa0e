"""Factoring for reading: equal to the expanded form, the same in every run, and nearly as short as can be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from math import gcd
from random import Random

import oracles
import pytest
import sympy
from hypothesis import given
from oracles import expr, number
from strategies import SAMPLE, Recipe, polynomials, recipes

import shapeviz
from shapeviz.expr import Expr, factor, notation, product
from shapeviz.expr.factor import factored
from shapeviz.expr.parse import parse
from shapeviz.expr.products import Sum, expanded, symbols


def text(x: Expr) -> str:
    return x.written(notation.TEXT, factored=True)


def depth(x: Sum) -> int:
    return max((1 + depth(bracket) for product in x for bracket in product.brackets), default=0)


# exact


@given(polynomials)
def test_sympy_expands_it_to_the_same_polynomial(recipe: Recipe) -> None:
    x = expr(recipe)
    read = oracles.read_by_sympy(x.written(notation.SYMPY, factored=True))
    assert 0 == sympy.expand(read - oracles.symbolic(recipe))


@given(recipes)
def test_it_has_the_same_value_and_is_read_back_as_the_same(recipe: Recipe) -> None:
    x = expr(recipe)
    again = parse(text(x))
    assert x == again
    assert all(number(recipe, sizes) == again.at(sizes) for sizes in SAMPLE[:4])


def random_sum(terms: int, names: int, seed: int) -> Expr:
    """A sum of products of a few of the names."""
    random = Random(seed)
    letters = [f"{'NSabcdefgh'[i % 10]}{i}" for i in range(names)]
    total = Expr()
    for _ in range(terms):
        term = Expr.of(random.choice([1, 1, 2, 3, 4, 6, -1]))
        for letter in random.sample(letters, min(names, random.randint(1, 5))):
            term *= letter
        total += term
    return total


@pytest.mark.parametrize("seed", range(5))
def test_a_sum_of_a_hundred_terms_is_factored_within_a_bound_of_steps(seed: int) -> None:
    x = random_sum(100, 15, seed)
    factors = sorted(x.names)
    search = factor._Search(factors)
    powers = {tuple(dict(m).get(f, 0) for f in factors): c for m, c in x.terms.items()}
    search.sum(powers, factor.DEEPEST)
    assert search.looked_at < 2 * factor.EFFORT
    assert x == parse(text(x))
    assert symbols(factored(x.terms)) < 0.75 * symbols(expanded(x.terms))


def test_the_order_in_which_terms_were_added_makes_no_difference() -> None:
    x = random_sum(12, 6, 1)
    terms = list(x)
    for seed in range(5):
        Random(seed).shuffle(terms)
        factor._factored.cache_clear()
        assert text(x) == text(sum(terms, Expr()))


# readable: fewest symbols, with brackets two deep at most


Term = tuple[tuple[str, ...], int]
Terms = frozenset[Term]


@cache
def fewest(terms: Terms, deep: int, whole: bool = True) -> int:
    """The fewest symbols that write a sum of products, by trying everything; factors stand one by one in a term."""
    if not terms:
        return 0
    found = sum(map(term_symbols, terms))
    if deep == 0 or len(terms) == 1:
        return found
    first, *others = sorted(terms)
    for n in range(len(terms)):
        for chosen in combinations(others, n):
            rest = fewest(terms - {first, *chosen}, deep, whole=False)
            found = min(found, sum(map(term_symbols, {first, *chosen})) + rest)
            for one, other in products(frozenset({first, *chosen}), whole and n + 1 == len(terms)):
                found = min(found, part(one, deep - 1) + part(other, deep - 1) + rest)
    return found


def part(terms: Terms, deep: int) -> int:
    """As a factor of a product, where a 1 is not written."""
    return 0 if terms == {((), 1)} else fewest(terms, deep)


def term_symbols(term: Term) -> int:
    letters, number = term
    powers = sum(1 + (letters.count(letter) > 1) for letter in set(letters))
    return powers + (number != 1 or not letters)


def products(terms: Terms, whole: bool) -> Iterator[tuple[Terms, Terms]]:
    """Every monomial times a sum, and every sum times a sum, whose terms multiply to these, none twice.

    A number alone is taken out of a whole sum only: 2·g + 2·h + 1 needs no brackets.
    """
    content = gcd(*(number for _, number in terms))
    letters = sorted(set().union(*(letters for letters, _ in terms)))
    shared = [letter for one in letters for letter in [one] * min(term.count(one) for term, _ in terms)]
    for n in range(len(shared) + 1):
        for monomial in set(combinations(shared, n)):
            for divisor in {1, content}:
                if monomial or (whole and divisor > 1):
                    inner = frozenset((without(m, monomial), c // divisor) for m, c in terms)
                    yield frozenset({(monomial, divisor)}), inner
    primitive = frozenset((without(m, tuple(shared)), c // content) for m, c in terms)
    for n in range(2, len(terms) // 2 + 1):
        if len(terms) % n == 0:
            yield from sums_times_sums(primitive, n, (tuple(shared), content))


def sums_times_sums(terms: Terms, n: int, outside: Term) -> Iterator[tuple[Terms, Terms]]:
    """As (sum of n terms)·(sum), the monomial outside in the first; a term has the factors of one of each."""
    (m0, c0) = min(terms)
    parts = [(m, c) for k in range(len(m0) + 1) for m in set(combinations(m0, k)) for c in {1, c0}]
    for head in parts:
        tail = without(m0, head[0]), c0 // head[1]
        quotients = [(without(m, tail[0]), c // tail[1]) for m, c in terms if contains(m, tail[0]) and c % tail[1] == 0]
        for others in combinations(sorted(set(quotients) - {head}), n - 1):
            one = {head, *others}
            other = {(without(m, head[0]), c // head[1]) for m, c in terms if contains(m, head[0]) and c % head[1] == 0}
            for rest in combinations(sorted(other - {tail}), len(terms) // n - 1):
                made = [(tuple(sorted(a + b)), p * q) for a, p in one for b, q in {tail, *rest}]
                if len(set(made)) == len(made) and set(made) == set(terms):
                    first = frozenset((tuple(sorted(m + outside[0])), c * outside[1]) for m, c in one)
                    yield first, frozenset({tail, *rest})


def without(letters: tuple[str, ...], taken: tuple[str, ...]) -> tuple[str, ...]:
    left = list(letters)
    for letter in taken:
        left.remove(letter)
    return tuple(left)


def contains(letters: tuple[str, ...], some: tuple[str, ...]) -> bool:
    return all(letters.count(letter) >= some.count(letter) for letter in set(some))


@pytest.mark.parametrize("seed", range(8))
def test_a_small_sum_is_written_in_the_fewest_symbols_or_one_more(seed: int) -> None:
    random = Random(seed)
    more = []
    for _ in range(25):
        monomials = [sorted(random.choices("NSdhkg", k=random.randint(0, 3))) for _ in range(random.randint(2, 5))]
        terms = {tuple(m): random.choice([1, 1, 1, 2, 3, 4, 6]) for m in monomials}
        x = sum((product(m) * c for m, c in terms.items()), Expr())
        more.append(symbols(factored(x.terms)) - fewest(frozenset(terms.items()), factor.DEEPEST))
    assert set(more) <= {0, 1}
    assert more.count(0) >= 24


def written_symbols(formula: str) -> int:
    return len(re.findall(r"[^\W\d]\w*?(?=[⁰¹²³⁴⁵⁶⁷⁸⁹]|\b)|[0-9]+|[⁰¹²³⁴⁵⁶⁷⁸⁹]+", formula))


BY_HAND = {
    "": (
        "N_enc·(h·d_k·(4·d_model + 3) + d_model·(d_ff1 + d_ff2 + 6) + d_ff1·d_ff2 + d_ff1 + d_ff2)"
        " + N_dec·(2·h·d_k·(4·d_model + 3) + d_model·(d_ff1 + d_ff2 + 9) + d_ff1·d_ff2 + d_ff1 + d_ff2)"
    ),
    "gpt2": "N·(h·d_k·(4·d_model + 3) + d_ff·(2·d_model + 1) + 6·d_model) + d_model·(V + P + 2)",
    "llama-3-8b": "N·d_model·(2·d_k·(g + h) + 3·d_ff + 2) + d_model·(2·V + 1)",
    "deepseek-v3": (
        "(N_dense + N_moe)"
        "·(d_model·(r_q + r_kv + d_r + h·d_v + 2) + r_q·(h·(d_n + d_r) + 1) + r_kv·(h·(d_n + d_v) + 1))"
        " + 3·N_dense·d_model·d_ff + N_moe·d_model·(3·d_e·(E + N_s) + E) + d_model·(2·V + 1)"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_the_parameters_of_a_model_are_as_short_as_by_hand(name: str) -> None:
    total = shapeviz.measure(shapeviz.read(name) if name else shapeviz.read()).total["params"]
    assert total == parse(BY_HAND[name])
    found = total.written(notation.TEXT, factored=True)
    assert written_symbols(found) <= written_symbols(BY_HAND[name])
    assert written_symbols(found) < 0.65 * written_symbols(str(total))
    assert depth(factored(total.terms)) <= factor.DEEPEST


def test_symbols_are_counted_as_they_are_written() -> None:
    for seed in range(20):
        x = random_sum(8, 6, seed) + parse("3·S²·w/(2·h) + min(S, 2·w)")
        assert written_symbols(str(x)) == symbols(expanded(x.terms))
        assert written_symbols(text(x)) == symbols(factored(x.terms))


@pytest.mark.parametrize(
    "formula",
    [
        "N·d_model·(2·d_k·(g + h) + 3·d_ff + 2) + d_model·(V + 1)",  # layers by themselves, all else by itself
        "3·h·(d_model·d_k + d_k)",  # a weight and its bias
        "d_model·d_ff + d_ff",  # brackets would save nothing
        "(N_dense + N_moe)·(d_k + d_v)",  # how often, then how wide
        "2·g + 2·h + d_model",  # a number alone is no reason for brackets
        "2·d_model·(d_ff + 3)",
        "d_model·(4·d_ff + 6)",
        "B·(w·⌈S/w⌉ + T)",
        "(S² + S)/2",
        "(d_model + 1)/h",
        "-2·S·(T + w)",
        "S·(T - w) + d_k",
        "N·min(S, w)·(g + h)",
        "4·B·d_model·(2·S·(N_enc·h·d_k + V) + N_dec·T) + g",
    ],
)
def test_formulas_that_are_read_well_are_written_just_so(formula: str) -> None:
    assert formula == text(parse(formula))
