"""Figures: valid for any sizes and names, labels computed, repeats folded, roles told apart by their lines."""

import os
import re
import shutil
import subprocess
from dataclasses import replace
from xml.etree import ElementTree

import pytest

import shapeviz
from shapeviz.errors import InputError, MissingToolError
from shapeviz.figure.themes import THEMES

SIZES = {
    "default": {},
    "one head": {"heads": 1, "d_k": 128},
    "128 heads, grouped": {"heads": 128, "d_k": 128, "kv_heads": 8},
    "five widths": {"ff": "64,128,256,512,1024", "gated": True},
    "encoder only": {"dec": 0, "positions": "learned", "vocab": 32000},
    "decoder only": {"enc": 0, "positions": "rotary", "norm": "rms", "norm_position": "pre"},
    "pre-norm": {"norm_position": "pre", "vocab": 100, "tie": False},
}


def dot(figure: str = "model", theme: str = "light", **sizes: object) -> str:
    return str(shapeviz.render(shapeviz.measure(shapeviz.read(**sizes)), "dot", figure=figure, theme=theme))


def drawn(source: str) -> ElementTree.Element:
    """The SVG that Graphviz draws, with no warning."""
    program = shutil.which("dot")
    if program is None:
        assert not os.environ.get("CI"), "Graphviz is missing in CI"
        pytest.skip("Graphviz is not installed")
    done = subprocess.run([program, "-Tsvg"], input=source, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return ElementTree.fromstring(done.stdout)


@pytest.mark.parametrize("figure", ["model", "multi_head", "attention"])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_graphviz_draws_every_figure_with_tooltips_and_ids(figure: str, sizes: dict[str, object]) -> None:
    svg = drawn(dot(figure, **sizes))
    space = "{http://www.w3.org/2000/svg}"
    nodes = [group for group in svg.iter(f"{space}g") if "node" in (group.get("class") or "").split()]
    assert svg.get("viewBox")
    assert len(nodes) > 4
    assert all(node.get("id") and not str(node.get("id")).startswith("node") for node in nodes)
    assert all(node.find(f".//{space}a") is not None or node.get("id") == "legend" for node in nodes)


@pytest.mark.parametrize("theme", THEMES)
def test_edges_differ_by_role_in_every_theme(theme: str) -> None:
    text, colours = dot(theme=theme), THEMES[theme]
    residual = [line for line in text.splitlines() if "style=dashed" in line and "->" in line]
    memory = [line for line in text.splitlines() if "penwidth=2.0" in line]
    # two sums in an encoder layer, three in a decoder layer; one wire of memory
    assert (len(residual), len(memory)) == (5, 1)
    assert all(colours.residual in line for line in residual)
    assert colours.memory in memory[0]
    assert f'edge [color="{colours.data}"' in text
    assert len({colours.residual, colours.memory, colours.data}) == 3


def test_the_light_theme_has_the_colours_of_the_house() -> None:
    light = THEMES["light"]
    assert (light.data, light.residual, light.memory) == ("#57606A", "#A0A7AF", "#B45309")


def test_layers_are_folded_into_a_badge_and_never_unrolled() -> None:
    assert len(dot().splitlines()) == len(dot(enc=1_000_000, dec=96).splitlines())
    assert " × 1,000,000 " in dot(enc=1_000_000)


def test_labels_are_computed_from_the_model() -> None:
    text = dot(enc=2, dec=3, d_model=512, heads=8, ff="2048")
    # 4·(512² + 512) = 1_050_624, 2·512·2048 + 2048 + 512 = 2_099_712, 2·512 = 1_024
    encoder, decoder = 1_050_624 + 2_099_712 + 2 * 1_024, 2 * 1_050_624 + 2_099_712 + 3 * 1_024
    assert (round(encoder / 1e6, 2), round(decoder / 1e6, 2)) == (3.15, 4.20)
    assert "2 × 3.15 M encoder layer  +  3 × 4.20 M decoder layer" in text
    for label in ("heads 8 × 64", "512 → 2048 → 512", "(B, S, 512)", "(B, T, V)"):
        assert label in text


def test_memory_stands_beside_the_shape_above_cross_attention() -> None:
    rank = re.search(r"\{rank=same; \"shape:(.*?)\"; \"shape:(.*?)\"\}", dot())
    assert rank
    assert rank.groups() == ("encoder.layer.add_2", "decoder.layer.add")


def test_fonts_are_named_for_graph_nodes_and_edges() -> None:
    text = dot()
    assert all(re.search(rf"^  {kind} \[[^\n]*fontname=", text, re.M) for kind in ("graph", "node", "edge"))
    assert "newrank=true" in text


def test_names_from_outside_cannot_break_a_figure() -> None:
    title = 'x"]; evil [label="\\ <b>&amp;|{}\n'
    report = replace(shapeviz.measure(shapeviz.read()), title=title)
    svg = drawn(shapeviz.render(report, "dot"))
    text = "".join(svg.itertext())
    assert "<b>&amp;" in text
    assert not [g for g in svg.iter() if g.get("id") == "evil"]


@pytest.mark.parametrize(("choice", "value", "hint"), [
    ("figure", "multihead", "multi_head"), ("theme", "drak", "dark"), ("figure", "encoder.leyer", "encoder.layer"),
])  # fmt: skip
def test_an_unknown_choice_is_answered_with_the_nearest(choice: str, value: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"unknown {choice} '{value}'; did you mean '{hint}'"):
        shapeviz.render(shapeviz.measure(shapeviz.read()), "dot", **{choice: value})


def test_without_graphviz_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match="apt-get install graphviz"):
        shapeviz.render(shapeviz.measure(shapeviz.read()), "svg")


def test_boxes_of_one_class_are_told_apart_by_their_names() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.ModuleDict({name: torch.nn.Linear(4, 4) for name in ("key", "value")})
    module.forward = lambda x: module["key"](x) + module["value"](x)
    figure = shapeviz.render(shapeviz.measure(shapeviz.trace(module, "float32[B,4]")), "dot")
    assert "key: Linear" in figure
    assert "value: Linear" in figure
