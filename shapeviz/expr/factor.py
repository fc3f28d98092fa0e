"""Sums written for reading: as products of sums, with as few symbols as a bounded search finds.

What several terms share, a monomial or a sum, divides them: they become one product, and its factors and the terms
that remain are taken apart in turn. This is the factoring of logic synthesis (Brayton and McMullen 1982, "The
decomposition and factorization of Boolean expressions"): divisors are found by comparing terms, not by solving.

Of 2·N·g·d·k + 2·N·h·d·k + 3·N·d·f + V·d + d, the first three share N·d, and of these the first two 2·k; the last two
share d. That is N·d·(2·k·(g + h) + 3·f) + d·(V + 1): 10 names and numbers instead of 19.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from operator import add, sub
from typing import NamedTuple

from shapeviz.expr import names
from shapeviz.expr.divisors import Numbers, Powers, common, content, exact, order, primitive, quotient, shared_powers
from shapeviz.expr.polynomial import Factor, Monomial, Number, Terms, factor_rank
from shapeviz.expr.products import Product, Sum, expanded, factor_symbols, number_symbols

DEEPEST = 2  # brackets inside one another: a third would save symbols at the expense of the reader
EFFORT = 3_000  # divisors looked at, after which only the most promising one is tried
KERNELS = 8  # sums whose common parts are looked for
WIDTHS = ((4, 8), (16, 2))  # sums of so many terms: how many divisors are tried; of more terms one


def factored(terms: Terms) -> Sum:
    """The sum with what its terms share taken out: equal to the terms, and the same in every run."""
    if len(terms) < 2:
        return expanded(terms)
    return _factored(tuple(terms.items()))


@lru_cache(4096)
def _factored(terms: tuple[tuple[Monomial, Number], ...]) -> Sum:
    factors = sorted({factor for monomial, _ in terms for factor, _ in monomial}, key=factor_rank)
    search = _Search(factors)
    powers = {tuple(map(dict(m).get, factors, [0] * len(factors))): c for m, c in terms}
    return search.as_products(search.sum(powers, DEEPEST))


class _Cost(NamedTuple):
    """What is compared of two ways to write a sum, in this order."""

    symbols: int
    counts: int  # capitals, which count repetitions and lengths: each is best written once
    products: int  # at the top
    ones: int  # a 1 that stands for a dimension taken out: h·(d·k + k) rather than h·k·(d + 1)
    brackets: int


class _Product(NamedTuple):
    number: Number
    powers: Powers
    brackets: tuple[_Sum, ...]
    lead: Powers  # of its terms the first


class _Sum(NamedTuple):
    products: tuple[_Product, ...]
    cost: _Cost


class _Division(NamedTuple):
    """Some of the terms are number · powers · the sums; `saved` is how many symbols that saves before more is done."""

    number: Number
    powers: Powers
    sums: tuple[Numbers, ...]
    taken: frozenset[Powers]
    saved: int


class _Search:
    def __init__(self, factors: Sequence[Factor]) -> None:
        self.factors = factors
        self.weights = [factor_symbols(factor) for factor in factors]
        self.counts = [isinstance(factor, str) and names.rank(factor)[0] == 0 for factor in factors]
        self.one = (0,) * len(factors)
        self.known: dict[tuple[frozenset[tuple[Powers, Number]], int, bool], _Sum] = {}
        self.term_costs: dict[Powers, tuple[int, int, bool]] = {}
        self.looked_at = 0

    def as_products(self, x: _Sum) -> Sum:
        return tuple(
            Product(number, self.monomial(powers), tuple(map(self.as_products, brackets)))
            for number, powers, brackets, _ in x.products
        )

    def monomial(self, powers: Powers) -> Monomial:
        return tuple((factor, n) for factor, n in zip(self.factors, powers, strict=True) if n)

    # what a way to write costs

    def term_cost(self, powers: Powers) -> tuple[int, int, bool]:
        """Symbols and capitals of a monomial, and whether anything stands above a fraction bar."""
        if powers not in self.term_costs:
            used = [i for i, n in enumerate(powers) if n]
            weight = sum(self.weights[i] + (abs(powers[i]) != 1) for i in used)
            self.term_costs[powers] = weight, sum(self.counts[i] for i in used), any(n > 0 for n in powers)
        return self.term_costs[powers]

    def written(self, products: Iterable[_Product]) -> _Sum:
        """A sum in the order of its first terms, with its cost."""
        ordered = tuple(sorted(products, key=lambda product: order(product.lead)))
        total, counts, ones, brackets = 0, 0, 0, 0
        for number, powers, inner, _ in ordered:
            weight, capitals, above = self.term_cost(powers)
            own = number_symbols(number, above or bool(inner))
            total, counts = total + weight + own, counts + capitals
            ones += abs(number) == 1 and powers == self.one and not inner
            for bracket in inner:
                total, counts = total + bracket.cost.symbols, counts + bracket.cost.counts
                ones, brackets = ones + bracket.cost.ones, brackets + bracket.cost.brackets + 1
        return _Sum(ordered, _Cost(total, counts, len(ordered), ones, brackets))

    def expanded(self, terms: Numbers) -> _Sum:
        return self.written(_Product(c, m, (), m) for m, c in terms.items())

    def symbols(self, terms: Numbers) -> int:
        total = 0
        for powers, number in terms.items():
            weight, _, above = self.term_cost(powers)
            total += weight + number_symbols(number, above)
        return total

    # taking apart

    def sum(self, terms: Numbers, depth: int) -> _Sum:
        """The best way that is found with brackets so deep; without any where they save nothing."""
        plain = self.expanded(terms)
        best = self.grouped(terms, depth, whole=True) if depth else plain
        return best if best.cost.symbols < plain.cost.symbols else plain

    def grouped(self, terms: Numbers, depth: int, whole: bool) -> _Sum:
        """The same, but with brackets also where they only bring together terms that belong together.

        Unless the terms are the `whole` of a sum, a number alone is no reason for brackets: 2·g + 2·h + d.
        """
        if len(terms) < 2:
            return self.expanded(terms)
        key = frozenset(terms.items()), depth, whole
        if key not in self.known:
            ways = [
                self.expanded(terms),
                *(self.carried_out(way, terms, depth) for way in self.divisions(terms, whole)),
            ]
            self.known[key] = min(ways, key=lambda way: way.cost)
        return self.known[key]

    def carried_out(self, way: _Division, terms: Numbers, depth: int) -> _Sum:
        number, powers, brackets = way.number, way.powers, list[_Sum]()
        for inner in (self.sum(terms, depth - 1) for terms in way.sums):
            if len(inner.products) > 1:
                brackets.append(inner)
                continue
            (only,) = inner.products  # a product within a product needs no brackets
            number, powers = number * only.number, tuple(map(add, powers, only.powers))
            brackets += only.brackets
        lead = min(way.taken, key=order)
        product = _Product(number, powers, tuple(sorted(brackets, key=self.bracket_order)), lead)
        rest = {m: c for m, c in terms.items() if m not in way.taken}
        return self.written([product, *self.grouped(rest, depth, whole=False).products])

    def bracket_order(self, bracket: _Sum) -> tuple[bool, list[tuple[tuple[int, int], ...]]]:
        """Sums of capitals first, then as their terms stand: (N_dense + N_moe)·(d_k + d_v)."""
        widths = any(n and not count for p in bracket.products for n, count in zip(p.lead, self.counts, strict=True))
        return widths, [order(product.lead)[1] for product in bracket.products]

    def divisions(self, terms: Numbers, whole: bool) -> list[_Division]:
        """The most promising divisions, the best first."""
        width = next((width for most, width in WIDTHS if len(terms) <= most), 1) if self.looked_at < EFFORT else 1
        shared = shared_powers(terms)
        self.looked_at += len(shared)
        rough = sorted(shared, key=lambda way: -self.rough_saving(way))[: max(width, KERNELS)]
        ways = [way for powers, group in rough for way in self.by_monomial(terms, group, powers)]
        ways += self.by_sums(terms, [way.sums[0] for way in ways])
        ways = [way for way in ways if way.saved >= 0 and (whole or any(way.powers) or len(way.sums) > 1)]
        return sorted(ways, key=lambda way: -way.saved)[:width]

    def rough_saving(self, way: tuple[Powers, Sequence[Powers]]) -> int:
        powers, group = way
        return (len(group) - 1) * sum(self.weights[i] for i, n in enumerate(powers) if n)

    def by_monomial(self, terms: Numbers, group: Sequence[Powers], powers: Powers) -> Iterator[_Division]:
        """What a group shares taken out; where that leaves a 1, also with the last dimension left in."""
        number = content({m: terms[m] for m in group}, powers)
        if number != 1 or any(powers):
            yield self.division(terms, group, number, powers)
        if any(powers) and abs(terms.get(powers, 0)) == abs(number):  # h·(d·k + k) beside h·k·(d + 1)
            last = max(i for i, n in enumerate(powers) if n)
            left = (*powers[:last], 0, *powers[last + 1 :])
            if number != 1 or any(left):
                yield self.division(terms, group, number, left)

    def division(self, terms: Numbers, group: Sequence[Powers], number: Number, powers: Powers) -> _Division:
        inner = {tuple(map(sub, m, powers)): exact(terms[m], number) for m in group}
        return self.made(terms, frozenset(group), number, powers, (inner,))

    def made(
        self, terms: Numbers, taken: frozenset[Powers], number: Number, powers: Powers, sums: tuple[Numbers, ...]
    ) -> _Division:
        after = self.term_cost(powers)[0] + number_symbols(number, True) + sum(map(self.symbols, sums))
        return _Division(number, powers, sums, taken, self.symbols({m: terms[m] for m in taken}) - after)

    def by_sums(self, terms: Numbers, sums: Sequence[Numbers]) -> Iterator[_Division]:
        """Several sums that are alike, or alike in part, as (a + b)·(c + d)."""
        kernels = list(dict.fromkeys(map(primitive, sums)))[:KERNELS]
        parts = [one & other for one, other in combinations(kernels, 2)]
        for kernel in dict.fromkeys([*kernels, *parts]):
            if 1 < len(kernel) <= len(terms) // 2:
                self.looked_at += 1
                divisor = dict(sorted(kernel, key=lambda term: order(term[0])))
                multiples, taken = quotient(terms, divisor)
                if len(multiples) > 1:
                    powers = common(list(multiples))
                    number = content(multiples, powers)
                    inner = {tuple(map(sub, m, powers)): exact(c, number) for m, c in multiples.items()}
                    yield self.made(terms, frozenset(taken), number, powers, (inner, divisor))
