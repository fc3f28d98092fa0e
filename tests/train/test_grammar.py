"""Grammars: expectations against closed forms and enumeration, and the proof that a text reads one way."""

import math
from fractions import Fraction

import pytest

from shapeviz.train.grammar import Grammar, grammar

CODE = {"s": ["6 a", "b{t}", "c{s}{t}"], "t": ["3 d", "e{t}"]}


def entropy(*weights: int) -> float:
    return -sum(w / sum(weights) * math.log2(w / sum(weights)) for w in weights)


def test_a_geometric_length_has_its_closed_form() -> None:
    # E = 1/2·1 + 1/2·(1 + E) = 2 characters; each visit chooses 1 bit, and there are 2 visits
    found = grammar({"s": ["a", "b{s}"]}, "s").expectation
    assert (Fraction(2), 2.0) == found
    assert 1.0 == found.rate


def test_a_tree_that_branches_has_its_closed_form() -> None:
    # E = 3/4·1 + 1/4·(2 + 2E)  =>  E/2 = 5/4; visits: n = 1 + n/2 = 2
    found = grammar({"s": ["3 x", "({s}{s})"]}, "s").expectation
    assert Fraction(5, 2) == found.characters
    assert 2 * entropy(3, 1) == pytest.approx(found.bits)


def test_rules_that_refer_to_each_other_have_their_closed_form() -> None:
    # s = 1 + (1/3)·t, t = 2 + (1/2)·s  =>  s = 1 + 2/3 + s/6  =>  s = 2; t = 3
    # visits: n_s = 1 + n_t/2, n_t = n_s/3  =>  n_s = 6/5, n_t = 2/5
    found = grammar({"s": ["2 .", "-{t}"], "t": ["<>", "()" + "{s}"]}, "s").expectation
    assert Fraction(2) == found.characters
    assert 6 / 5 * entropy(2, 1) + 2 / 5 * 1 == pytest.approx(found.bits)


def test_expectations_equal_sums_over_all_texts() -> None:
    """Every text with its probability, until what is left of them does not matter."""
    weights = {
        "s": [(6 / 8, "a", ""), (1 / 8, "b", "t"), (1 / 8, "c", "st")],
        "t": [(3 / 4, "d", ""), (1 / 4, "e", "t")],
    }
    total = length = bits = 0.0
    unfinished = {("", "s"): 1.0}
    while unfinished:
        longer: dict[tuple[str, str], float] = {}
        for (text, rules), chance in unfinished.items():
            for share, character, more in weights[rules[0]]:
                found, p = (text + character, more + rules[1:]), chance * share
                if not found[1]:
                    total, length, bits = total + p, length + p * len(found[0]), bits - p * math.log2(p)
                elif p > 1e-8:
                    longer[found] = p
        unfinished = longer
    assert 1 == pytest.approx(total, abs=1e-5)
    expected = grammar(CODE, "s").expectation
    assert float(expected.characters) == pytest.approx(length, rel=1e-4)
    assert expected.bits == pytest.approx(bits, rel=1e-3)


@pytest.mark.parametrize("rules", [{"s": ["a", "{s}{s}b"]}, {"s": ["a{s}"]}, {"s": ["a", "3 ({s}{s})"]}])
def test_a_draw_that_never_ends_is_refused(rules: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="never to end"):
        _ = grammar(rules, "s").expectation


@pytest.mark.parametrize(
    ("rules", "match"),
    [({"s": ["a{t}"]}, "'t', which is no rule"), ({"s": []}, "needs alternatives"), ({"s": ["0 a"]}, "at least 1"),
     ({"s": ["a", ""]}, "some text")],
)  # fmt: skip
def test_a_bad_rule_is_refused(rules: dict[str, list[str]], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        grammar(rules, "s")


@pytest.mark.parametrize(
    ("rules", "text", "readings"),
    [
        ({"s": ["cat", "cats"]}, "cat", 1),  # alone it reads one way, followed by others it may not
        ({"s": ["a", "ab", "b"]}, "ab", 2),
        ({"s": ["{x}.", "the {y}."], "x": ["the a", "b"], "y": ["a", "c"]}, "the a.", 2),
        ({"s": ["({s})", "(())", "()"]}, "(())", 2),
        ({"s": ["{x}{x}.", "aaa."], "x": ["a", "aa"]}, "aaa.", 3),
        ({"s": ["{x}{y}", "{x}{z}"], "x": ["a", "b"], "y": ["c", "d"], "z": ["e", "d"]}, "ad", 2),
    ],
)
def test_an_ambiguous_grammar_is_found_out(rules: dict[str, list[str]], text: str, readings: int) -> None:
    one = grammar(rules, "s")
    assert one.clash() is not None
    assert readings == len(one.readings(text))


def test_a_clash_names_the_rule_its_alternatives_and_a_text() -> None:
    one = grammar({"s": ["{a}!", "{b}?"], "a": ["he", "she"], "b": ["they", "she"]}, "s")
    assert one.clash() is None
    found = grammar({"s": ["{a}!", "{b}?"], "a": ["he", "she!"], "b": ["she", "sh"]}, "s").clash()
    assert ("b", (0, 1)) == found[:2]
    assert "sh" == found.text
    assert "she.!" == grammar({"s": ["{a}!", "{b}?"], "a": ["he", "she."], "b": ["they", "she.!"]}, "s").clash().text


@pytest.mark.parametrize("seed", range(5))
def test_what_an_unambiguous_grammar_gives_is_read_one_way(seed: int) -> None:
    one = grammar(CODE, "s")
    assert one.clash() is None
    text = one.generate(200, seed)
    assert len(text) >= 200
    (bits,) = one.readings(text)
    # the draws are few, so the estimate is rough
    assert one.expectation.rate == pytest.approx(bits / len(text), rel=0.3)
    assert [] == one.readings(text[:-1] + "z")


def test_weights_are_frequencies() -> None:
    text = Grammar.generate(grammar({"s": ["3 a", "b"]}, "s"), 20_000, seed=1)
    # a binomial deviation of sqrt(20000 · 3/4 · 1/4) = 61
    assert 15_000 == pytest.approx(text.count("a"), abs=4 * 61)
