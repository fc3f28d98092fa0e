"""Equations that write themselves: every text is compared with what one writes on paper."""

from __future__ import annotations

import pytest

from shapeviz.lang import (
    Variable,
    alias,
    block,
    entitle,
    param,
    record,
    restate,
    softmax,
    source,
    sqrt,
    term,
    where,
    write,
    written,
)


@block(term="f({x}, {y})")
def f(x: Variable, y: Variable) -> Variable:
    """f(x, y) = x + y"""
    return x + y


def texts(make) -> str:
    """What the equation of a block writes for the result of `make(x, W, b)`."""
    found = []

    def model() -> Variable:
        """y = f(x)"""
        y = make(source("x", "B", "d"), param("W", "d", "d"), param("b", "d"))
        found.append(written(y))
        return y

    record(model)
    return found[0]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x, W, b: x @ W + b, "x W + b"),
        (lambda x, W, b: (x @ W + b) @ W, "(x W + b) W"),
        (lambda x, W, b: (x + b) * (x @ W), "(x + b) ⊙ x W"),
        (lambda x, W, b: (x * b) @ W, "(x ⊙ b) W"),
        (lambda x, W, b: softmax(x @ W + b), "softmax(x W + b)"),
        (lambda x, W, b: x @ W / sqrt("d"), "x W / √d"),
        (lambda x, W, b: (x + b) / sqrt("d"), "(x + b) / √d"),
        (lambda x, W, b: x @ W.T, "x Wᵀ"),
        (lambda x, W, b: f(x + b, x @ W), "f(x + b, x W)"),
        (lambda x, W, b: f(x, x) * b, "f(x, x) ⊙ b"),
        (lambda x, W, b: write(x @ W, "q") + b, "q + b"),
        (lambda x, W, b: write(x + b, "g(2 {0})", x + b), "g(2 (x + b))"),
    ],
)
def test_an_equation_is_written_from_what_was_recorded_as_on_paper(make, text: str) -> None:
    assert text == texts(make)


def test_a_long_chain_of_sums_is_written_only_when_it_is_wanted() -> None:
    def model() -> Variable:
        """y = f^200(x)"""
        x = source("x", "B", "d")
        for _ in range(200):
            x = x + f(x, x)  # written out, 3^200 letters
        return x

    assert record(model).equation == "y = f^200(x)"


def test_a_block_says_its_term_its_clauses_and_its_title_when_it_runs() -> None:
    @block(title="Plain")
    def shifted(x: Variable, b: Variable) -> Variable:
        """y = x      (Nobody 2017)"""
        y = x + b
        restate(f"y = {written(y)}", "Somebody 2018")
        where("b_i = 1 for all i", "b: Anybody 2019")
        where("x ≠ 0")
        term("S({x})")
        entitle("Shifted")
        return y

    def model() -> Variable:
        """y = S(x)"""
        y = shifted(source("x", "B", "d"), param("b", "d"))
        restate(f"y = {written(y)}")
        return y

    root = record(model)
    (child,) = root.blocks
    assert (child.equation, child.citation) == (
        "y = x + b,  b_i = 1 for all i,  x ≠ 0",
        "Somebody 2018; b: Anybody 2019",
    )
    assert (child.title, root.equation) == ("Shifted", "y = S(x)")


def test_an_alias_is_the_same_tensor_under_another_name() -> None:
    def model() -> Variable:
        """y = f(x, m)"""
        x = source("x", "B", "d")
        m = alias(x, "m")
        y = f(x, m)
        restate(f"y = {written(y)}")
        return y

    root = record(model)
    (child,) = root.blocks
    assert "y = f(x, m)" == root.equation
    assert [root.body[0].output] == list(child.inputs)
    assert {root.body[0].output} == {tensor for op in child.ops for tensor in op.inputs}
