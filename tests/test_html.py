"""The page: its formulas are Python's to the last digit, in Node and in a browser, and it asks for nothing."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shapeviz
from shapeviz.errors import SizeError
from shapeviz.expr import Expr, ceil, floor, maximum, minimum
from shapeviz.page import Code, Page, Table, Text
from shapeviz.page.views import report_page
from shapeviz.renderers import render
from shapeviz.renderers.to_html import SCALES, SCRIPTS
from shapeviz.report import Report
from shapeviz.wording import rounded

WEB = Path(shapeviz.__file__).parent / "web"


def needed(found: Any, what: str) -> Any:
    """What a test needs; a reason to skip on a user's machine, and to fail in CI."""
    if not found:
        assert not os.environ.get("CI"), f"{what} is missing in CI"
        pytest.skip(f"{what} is not installed")
    return found


def in_node(program: str, given: object) -> Any:
    """What a program prints as JSON that gets some object, with the page's formulas in reach."""
    node = needed(shutil.which("node"), "node")
    text = f"require({json.dumps(str(WEB / 'formula.js'))});{program}"
    done = subprocess.run([node, "-e", text], input=json.dumps(given), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


EVALUATE = """
const asked = JSON.parse(require("fs").readFileSync(0)).map(([formula, sizes]) => {
  const known = new Map(Object.entries(sizes).map(([name, size]) => [name, BigInt(size)]));
  return formulas.text(formulas.evaluate(formula, known));
});
console.log(JSON.stringify(asked));
"""


def values(asked: list[tuple[str, dict[str, int]]]) -> list[str]:
    """What formulas come to at some sizes, by the page's own script."""
    texts = [[formula, {name: str(size) for name, size in sizes.items()}] for formula, sizes in asked]
    return in_node(EVALUATE, texts)  # type: ignore[no-any-return]


B, S, d, h = map(Expr.of, ("B", "S", "d_model", "h"))
sides = st.sampled_from([B, S, d, h, Expr.of(3), d / h, B * S, S * S - 2 * B])


@st.composite
def expressions(draw: st.DrawFn) -> Expr:
    """Sums, products, quotients, roundings and extremes of letters."""
    result = draw(sides)
    for _ in range(draw(st.integers(1, 4))):
        other, way = draw(sides), draw(st.sampled_from("+-*/<>⌊⌈"))
        ways = {"+": result + other, "-": result - other, "*": result * other, "/": result / 7}
        ways |= {
            "<": minimum(result, other),
            ">": maximum(result, other),
            "⌊": floor(result / 5),
            "⌈": ceil(result / 64),
        }
        result = ways[way]
    return result


def test_formulas_are_pythons_to_the_last_digit() -> None:
    found: list[tuple[Expr, dict[str, int]]] = []

    @given(expressions(), st.lists(st.integers(1, 10**9), min_size=4, max_size=4))
    def collect(expression: Expr, sizes: list[int]) -> None:
        found.append((expression, dict(zip(("B", "S", "d_model", "h"), sizes, strict=True))))

    collect()
    answers = values([(expression.python, sizes) for expression, sizes in found])
    assert [str(expression.at(sizes)) for expression, sizes in found] == answers


@pytest.mark.parametrize("name", [None, "gpt2", "deepseek-v3", "t5-small", "vit-base-patch16-224", "mamba-130m"])
def test_every_formula_of_a_report_has_the_value_that_stands_beside_it(name: str | None) -> None:
    data = shapeviz.render(shapeviz.measure(shapeviz.read(name)), "json", verb="params")
    cells: list[tuple[str, str]] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.keys() >= {"formula", "value"}:
                cells.append((node["formula"], str(node["value"])))
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    whole = json.loads(data)
    walk(whole)
    assert len(cells) > 50
    assert [value for _, value in cells] == values([(formula, whole["sizes"]) for formula, _ in cells])


def test_what_is_no_formula_is_refused_and_never_run() -> None:
    program = """
    const said = JSON.parse(require("fs").readFileSync(0)).map((f) => {
      try { return formulas.text(formulas.evaluate(f, new Map([["x", 2n]]))); } catch (e) { return e.name; }
    });
    console.log(JSON.stringify(said));"""
    bad = ["process.exit(1)", "x;x", "(x", "x)", "x**y", "f(x)", "", "x x", "constructor", "1/0", "x**(1/2)", "'a'"]
    found = in_node(program, bad)
    assert {"SyntaxError", "ReferenceError", "RangeError"} >= set(found)


def test_numbers_are_rounded_as_everywhere_else() -> None:
    draw = random.Random(3)
    asked = [(draw.randrange(10**size), unit) for size in range(1, 25) for unit in ("", "FLOP", "B") for _ in range(8)]
    asked += [(999_999, ""), (999_994, "FLOP"), (1023, "B"), (1024**2 - 1, "B"), (0, "")]
    program = """
    const [asked, scales] = JSON.parse(require("fs").readFileSync(0));
    console.log(JSON.stringify(asked.map(([x, unit]) => formulas.rounded(BigInt(x), unit, scales))));"""
    given = [[[str(number), unit] for number, unit in asked], SCALES]
    assert [rounded(number, unit) for number, unit in asked] == in_node(program, given)


class Tags(HTMLParser):
    """The tags of a page, the text in them, and what would be asked of a server."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.asked: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.asked += [value or "" for name, value in attributes if name in ("src", "href", "xlink:href", "style")]
        assert not [name for name, _ in attributes if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


HOSTILE = "</script><script>alert(1)</script><!--'\"&\u202e\x00 </title>"


def test_names_from_outside_are_text_and_nothing_is_asked_of_anybody() -> None:
    table = Table((HOSTILE,), ((Code(HOSTILE),), (HOSTILE,)), heading=HOSTILE)
    section = Text(HOSTILE, (HOSTILE,), code=HOSTILE)
    page = Page(HOSTILE, (table, section), data=lambda: {"schema": "shapeviz-list/1", "title": HOSTILE})
    html = render(page, "html")
    parsed = Tags()
    parsed.feed(html)
    assert "script" not in parsed.tags
    assert [] == parsed.asked
    assert sum("alert(1)" in words for words in parsed.words) >= 6
    assert not re.search("[\x00\u202e]", html)


def test_a_living_page_names_what_may_run_and_holds_no_other_script() -> None:
    html = report("gpt2")
    parsed = Tags()
    parsed.feed(html)
    assert [] == parsed.asked
    policy = unescape(re.search('Content-Security-Policy" content="([^"]*)"', html)[1])  # type: ignore[index]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert 1 + len(SCRIPTS) == parsed.tags.count("script")
    assert len(html) < 300_000


def report(name: str | None) -> str:
    return render(report_page(shapeviz.measure(shapeviz.read(name))), "html")  # type: ignore[no-any-return]


# in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    needed(find_spec("playwright"), "playwright")
    from playwright import sync_api as playwright

    program = needed(shutil.which("chromium") or shutil.which("chromium-browser"), "chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens the page of a model; at the end nothing may have been asked for, and nothing have gone wrong."""
    wrong: list[str] = []
    context = browser.new_context(viewport={"width": 1400, "height": 1000})

    def open_page(html: str, anchor: str = "", **settings: Any) -> Any:
        (tmp_path / "page.html").write_text(html, encoding="utf-8")
        where = browser.new_context(**settings) if settings else context
        page = where.new_page()
        page.on("console", lambda said: wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith("file:") or wrong.append(asked.url))
        page.goto(f"file://{tmp_path / 'page.html'}{anchor}")
        return page

    yield open_page
    context.close()
    assert [] == wrong


def until(page: Any, expression: str) -> None:
    """Waits until an expression is true; not in the page, whose policy lets nothing be evaluated from a text."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    raise AssertionError(expression)


def measured(name: str | None) -> Report:
    return shapeviz.measure(shapeviz.read(name))


@pytest.mark.parametrize("name", ["gpt2", "deepseek-v3"])
def test_totals_follow_every_size_exactly_and_broken_rules_are_said(opened: Any, name: str) -> None:
    page, found, refused = opened(report(name)), measured(name), 0
    draw, names = random.Random(7), list(found.sizes.values)
    ask = """([sizes, columns]) => {
      try { shapeviz.set(sizes); } catch { return null; }
      return columns.map(shapeviz.total);
    }"""
    for _ in range(40):
        changed = {name: draw.choice([1, 2, 8, 64, 96, 100, 1000]) for name in draw.sample(names, 3)}
        sizes = {**found.sizes.values, **changed}
        try:
            expected: Any = [str(total.at(sizes)) for total in found.total.values()]
        except SizeError:
            expected, refused = None, refused + 1
        assert expected == page.evaluate(ask, [sizes, list(found.total)]), sizes
    assert 0 < refused < 40


def test_hands_on_a_slider_a_box_the_tree_and_the_address(opened: Any) -> None:
    page, found = opened(report("gpt2")), measured("gpt2")
    shown = "document.querySelector('#card-params code').textContent"
    page.fill("#n-N", "24")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    until(page, f"{shown} === '{found.total['params'].at(N=24):,}'")
    typed = (("2**5", 32), ("2^6", 64), ("1k", 1000), ("1.5kB", 1500), ("1 Ki", 1024), ("many", 1024), ("24", 24))
    for said, number in typed:
        page.fill("#n-N", said)
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        until(page, f"shapeviz.sizes.N === '{number}'")
    page.focus("#r-V")
    before = page.evaluate("shapeviz.sizes.V")
    for _ in range(40):
        page.keyboard.press("ArrowLeft")
    until(page, f"shapeviz.sizes.V !== '{before}'")
    V = int(page.evaluate("shapeviz.sizes.V"))
    assert f"{found.total['params'].at(N=24, V=V):,}" == page.evaluate(shown)
    address = page.url
    assert "N=24" in address
    again = opened(report("gpt2"), "#" + address.partition("#")[2])
    assert f"{found.total['params'].at(N=24, V=V):,}" == again.evaluate(shown)
    until(again, "document.querySelector('#n-N').value === '24'")
    again.evaluate("location.hash = 'N=6&numbers=1&open=decoder.layer'")
    until(again, "shapeviz.sizes.N === '6' && document.querySelectorAll('#rows tr').length > 9")
    again.evaluate("location.hash = ''")  # an address without any state is the first state
    until(again, "shapeviz.sizes.N === '12' && document.querySelectorAll('#rows tr').length < 9")
    assert "false" == again.evaluate("document.querySelector('#numbers').getAttribute('aria-pressed')")
    rows = page.locator("#rows tr")
    few = rows.count()
    page.locator("#rows tr[data-path='decoder.layer'] .fold").click()
    assert rows.count() > few
    page.keyboard.press("ArrowDown")
    assert "decoder.layer.self_attention_norm" == page.evaluate("document.activeElement.dataset.path")
    assert "Ba et al. 2016" in page.inner_text("#detail")
    page.fill("#search", "query")
    assert ["query", "query_heads"] == [name.strip() for name in rows.locator("td:first-child").all_inner_texts()]


def test_a_size_that_cannot_be_is_shown_with_the_rule_that_it_breaks(opened: Any) -> None:
    page = opened(report("gpt2"))
    page.focus("#r-d_model")
    for _ in range(8):  # a step of the slider is less than one of the size
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(20)
    until(page, "document.querySelector('#why').textContent.includes('d_k = d_model/h')")
    assert "768" != page.input_value("#n-d_model")
    assert "768" == page.evaluate("shapeviz.sizes.d_model")


def test_what_the_figure_says_follows_or_is_left_out(opened: Any) -> None:
    needed(shutil.which("dot"), "Graphviz")
    page = opened(report("gpt2"))
    page.evaluate("shapeviz.set({ d_model: 1024, h: 16, N: 24 })")
    ask = "[...document.querySelectorAll('#figure svg text')].map((node) => node.textContent.trim())"
    words = page.evaluate(ask)
    assert {"(B, S, 1024)", "× 24", "354.82 M parameters"} <= set(words)
    assert not [said for said in words if re.search(r"\b(768|3072|124\.44|7\.09|38\.60)\b", said)]
    page.evaluate("shapeviz.set({ d_model: 768, h: 12, N: 12 })")
    assert "768 → 3072 → 768 · 4.72 M" in [" ".join(said.split()) for said in page.evaluate(ask)]


def test_a_page_without_scripts_and_in_the_dark_shows_its_tables(opened: Any) -> None:
    page = opened(report("gpt2"), java_script_enabled=False, color_scheme="dark")
    assert not page.locator("#living").is_visible()
    assert "124,439,808" in page.inner_text(".print")
