"""Mermaid: a flowchart with the boxes of the figure, layers folded, wires told apart, whatever the names."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shapeviz
from shapeviz.figure.themes import THEMES
from shapeviz.renderers.to_mermaid import escape


def mermaid(figure: str = "model", theme: str = "light", **sizes: object) -> str:
    return str(shapeviz.render(shapeviz.measure(shapeviz.read(**sizes)), "mermaid", figure=figure, theme=theme))


def arrows(text: str) -> "list[tuple[str, str, str]]":
    """(from, arrow, to) of every link, in the order in which Mermaid numbers them."""
    return re.findall(r'^\s+(\w+) (-->|-\.->|==>|~~~)(?:\|"[^"]*"\|)? (\w+)$', text, re.M)


@pytest.mark.parametrize("figure", ["model", "multi_head", "attention", "encoder.layer.feed_forward"])
def test_every_link_is_between_boxes_that_are_there(figure: str) -> None:
    text = mermaid(figure)
    defined = set(re.findall(r"^\s+(?:subgraph )?(\w+)[\[(]", text, re.M))
    links = arrows(text)
    assert len(links) > 4
    assert {end for source, _, target in links for end in (source, target)} <= defined


def test_wires_are_styled_by_their_role() -> None:
    text = mermaid()
    styled = {int(n): colour for n, colour in re.findall(r"linkStyle (\d+) stroke:(#\w+)", text)}
    kinds = [arrow for _, arrow, _ in arrows(text)]
    # two sums in an encoder layer, three in a decoder layer; one wire of memory
    assert (kinds.count("-.->"), kinds.count("==>")) == (5, 1)
    light = THEMES["light"]
    expected = {"-.->": light.residual, "==>": light.memory}
    assert {n: expected[kind] for n, kind in enumerate(kinds) if kind in expected} == styled


def test_layers_are_subgraphs_with_their_number_and_never_unrolled() -> None:
    assert 'subgraph c1["Encoder layer × 6"]' in mermaid()
    assert 'subgraph c1["Encoder layer × 1,000,000"]' in mermaid(enc=1_000_000)
    assert len(mermaid().splitlines()) == len(mermaid(enc=1_000_000).splitlines())


@pytest.mark.parametrize("theme", THEMES)
def test_kinds_of_block_have_the_colours_of_the_theme(theme: str) -> None:
    text, colours = mermaid(theme=theme), THEMES[theme]
    for kind in ("attention", "cross", "norm", "feed_forward", "embedding", "head", "softmax"):
        fill, stroke = colours.kinds[kind]
        assert f"classDef k_{kind} fill:{fill},stroke:{stroke},color:{colours.text}" in text


@given(st.text())
def test_any_name_in_a_label_is_read_back_as_it_was(name: str) -> None:
    label = escape(name)
    assert re.fullmatch(r"(?:[^\"<>&#;`*\[\]{}|\\~]|#\d+;)*", label)
    back = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label)
    assert back == "".join(sign for sign in name if sign.isprintable())


def test_a_hostile_title_stays_in_its_string() -> None:
    title = 'x"]; click b0 "javascript:alert(1)"\n---\n%%{init: {}}%% <script>'
    text = str(shapeviz.render(replace(shapeviz.measure(shapeviz.read()), title=title), "mermaid"))
    assert text.splitlines()[1].startswith(r'title: "x\"]; click')
    assert sum(line == "---" for line in text.splitlines()) == 2
