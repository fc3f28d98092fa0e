"""Names from outside mean nothing to the format that they are written in, whatever signs they are made of."""

import csv
import json
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shapeviz
from shapeviz.page import Code, Table
from shapeviz.renderers.to_dot import html, quoted
from shapeviz.renderers.to_markdown import code, escape
from shapeviz.renderers.to_table import table_lines
from shapeviz.wording import legible

MARKS = r"\`*_{}[]#|~!"


@given(st.text())
def test_a_dot_string_ends_where_it_should_and_is_read_back(name: str) -> None:
    text = quoted(name)
    assert re.fullmatch(r'"(?:[^"\\\n]|\\.)*"', text, re.DOTALL)
    assert legible(name.replace("\n", " ")) == re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


@given(st.text())
def test_an_html_like_label_is_well_formed_and_is_read_back(name: str) -> None:
    text = ElementTree.fromstring(f"<TD>{html(name)}</TD>").text or ""
    assert text == legible(name.replace("\n", " "))


@given(st.text())
def test_no_mark_of_markdown_is_left_bare(name: str) -> None:
    text = escape(name)
    assert "\n" not in text
    assert not re.search("[<>]", text)
    bare = re.sub(rf"\\[{re.escape(MARKS)}]", "", text)
    assert not {*bare} & {*MARKS}


@given(st.text(alphabet="ab`| ", min_size=1))
def test_a_code_span_ends_with_its_own_fence_alone(name: str) -> None:
    fence = re.match("`+", code(name))[0]
    inside = code(name)[len(fence) : -len(fence)]
    assert name in inside
    assert fence not in re.findall("`+", inside)


def test_a_name_cannot_turn_hide_or_break_what_stands_beside_it() -> None:
    name = "a\n\u202eb\x1b[2J"
    table = Table(("block", "parameters"), ((Code(name), "40"),))
    shown = "\n".join(table_lines(table))
    assert "a\\n\\u202eb\\x1b[2J  40" in shown.splitlines()[-1]
    for text in (code(name), escape(name)):
        assert all(sign.isprintable() for sign in text)


SCRIPT = "a\n\n# Injected\n\n<script>x</script>\n"
EVIL = ["\x1b[31mred", SCRIPT, "=1+1", "@SUM(1)", "-x", "a\rb", "\x7f", "\u202ertl", "\x85"]


@pytest.mark.parametrize("format", ["table", "markdown", "csv", "json", "dot", "mermaid", "latex"])
def test_names_of_modules_break_out_of_no_format(format: str) -> None:
    nn = pytest.importorskip("torch").nn
    module = nn.Sequential()
    for name in EVIL:
        module.add_module(name, type("Evil\x1b\n", (nn.Linear,), {})(4, 4))
    report = shapeviz.measure(shapeviz.trace(module, "float32[B,4]", name="\x1b]0;title\x07", source="\u202esource"))
    text = shapeviz.render(report, format)
    assert all(sign.isprintable() or sign == "\n" for sign in text)
    assert not [line for line in text.splitlines() if line.startswith(("# Injected", "<script>"))]
    if format == "csv":
        paths = [row[0] for row in csv.reader(text.splitlines())]
        assert {"'=1+1", "'@SUM(1)", "'-x"} <= {*paths}
    if format == "json":
        assert "a\\rb" in [row["path"] for row in json.loads(text)["rows"]]
