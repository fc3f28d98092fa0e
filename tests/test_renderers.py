"""A format is one file that says of itself what it is; every page can be written in every format that suits it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import shapeviz
from shapeviz import renderers
from shapeviz.cli._app import app
from shapeviz.errors import InputError, ShapevizError
from shapeviz.page import Code, Page, Strong, Table, Text
from shapeviz.page.listing import Column, Listing, listed
from shapeviz.page.views import cost_page, explain_page, kind_page, report_page, trace_page, verify_page
from shapeviz.renderers import View, render

SHOUT = '''"""Shouting."""
from shapeviz.renderers import Renderer
def render(page, view):
    return page.title.upper() + "!" + view.theme
renderer = Renderer(render, "The title, loud.", suffixes=(".shout", ".loud"), aliases=("cry",), draws={draws})
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of renderers, in a copy that one more can be written to."""
    for file in Path(renderers.__path__[0]).glob("*.py"):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(renderers, "__path__", [str(tmp_path)])
    renderers.renderers.cache_clear()
    yield tmp_path
    renderers.renderers.cache_clear()
    for name in ("to_shout", "to_empty"):
        sys.modules.pop(f"shapeviz.renderers.{name}", None)


@pytest.fixture(scope="module")
def report() -> "shapeviz.report.Report":
    return shapeviz.measure(shapeviz.read("gpt2"))


def invoke(*words: str) -> "tuple[int, str, str]":
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.stdout, result.stderr


def test_a_new_format_is_one_file(folder: Path, tmp_path: Path) -> None:
    (folder / "to_shout.py").write_text(SHOUT.format(draws=True))
    assert invoke("params", "gpt2", "-f", "cry", "--theme", "dark") == (0, "GPT2: GPT2LMHEADMODEL!dark", "")
    assert invoke("params", "gpt2", "-o", str(tmp_path / "x.loud"))[0] == 0
    assert (tmp_path / "x.loud").read_text().endswith("!light")
    assert "shout, cry (.shout, .loud)  The title, loud." in " ".join(invoke("params", "--help-all")[1].split("\n"))
    assert "png, shout and svg" in invoke("params", "gpt2", "--theme", "dark")[2]
    assert "shout draws a figure" in invoke("models", "gpt2", "-f", "shout")[2]


def test_a_format_that_does_not_draw_is_named_where_one_that_does_has_no_figure(folder: Path) -> None:
    (folder / "to_shout.py").write_text(SHOUT.format(draws=False))
    code, _, message = invoke("models", "gpt2", "-f", "svg")
    assert code == 2
    assert "use one of csv, github, html, json, latex, markdown, shout, table" in message


@pytest.mark.parametrize("text", ['"""Nothing."""', '"""A function."""\nrenderer = len'])
def test_a_file_that_is_no_renderer_is_told_what_it_lacks(folder: Path, text: str) -> None:
    (folder / "to_empty.py").write_text(text)
    with pytest.raises(ShapevizError, match=r"to_empty.py: a renderer ends with `renderer = Renderer\(render, "):
        render(Page("", ()), "empty")


def test_no_two_formats_have_a_name_or_a_suffix_in_common() -> None:
    made = renderers.renderers()
    names = [name for format, one in made.items() for name in (format, *one.aliases)]
    suffixes = [suffix for one in made.values() for suffix in one.suffixes]
    assert len({*names}) == len(names)
    assert len({*suffixes}) == len(suffixes)
    assert all(one.help.endswith(".") and (one.suffixes or name == "github") for name, one in made.items())


PAGES = {
    "trace": trace_page,
    "params": lambda report: cost_page(report, "params"),
    "by kind": lambda report: kind_page(report, "params"),
    "explain": lambda report: explain_page(report, "decoder.layer"),
    "verify": verify_page,
    "report": report_page,
    "list": lambda report: listed("1 thing", Listing("things", "Things", (Column("a", "A"),), ({"a": 1},))),
}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_written_in_every_format_that_suits_it(report, page: str) -> None:
    made = PAGES[page](report)
    for name, format in renderers.renderers().items():
        if format.binary or name == "svg":
            continue  # drawn by Graphviz from the DOT
        if format.draws and made.figure is None:
            with pytest.raises(InputError, match=f"-f {name} draws a figure, and there is none of this page"):
                render(made, name)
        else:
            assert made.title in render(made, name) or name in ("csv", "dot", "latex", "mermaid", "json")


def test_explain_draws_the_block_that_it_explains_unless_another_is_named(report) -> None:
    page = explain_page(report, "decoder.layer")
    assert "Layer   decoder.layer" in render(page, "dot")
    assert "Self-attention   decoder.layer.self_attention" in render(page, "dot", View("multi_head"))


def test_a_list_has_the_same_entries_in_every_format() -> None:
    columns = (Column("name", "name"), Column("size", "size", number=True))
    page = listed(
        "Two things", Listing("things", "", columns, ({"name": "a|b", "size": 1234}, {"name": "c", "size": None}))
    )
    assert render(page, "csv") == "name,size\na|b,1234\nc,\n"
    assert json.loads(render(page, "json")) == {
        "schema": "shapeviz-list/1", "title": "Two things",
        "things": [{"name": "a|b", "size": 1234}, {"name": "c", "size": None}],
    }  # fmt: skip
    assert render(page, "md") == "# Two things\n\n| name | size |\n| --- | ---: |\n| `a\\|b` | 1,234 |\n| `c` | `–` |\n"
    assert render(page, "table") == "Two things\n\nname   size\n────  ─────\na|b   1,234\nc         –\n"
    assert r"\texttt{a\textbar{}b} & 1{,}234 \\" in render(page, "latex")


def test_what_only_a_document_has_is_not_shown_on_a_terminal() -> None:
    parts = (
        Text("Kept", ("a line",)),
        Text("Left out", ("x",), document=True),
        Table(("n",), (("1",),), document=True),
    )
    page = Page("Title", parts)
    assert render(page, "table") == "Title\n\nKept\na line\n"
    assert "Left out" in render(page, "md")


def test_text_of_a_page_is_written_span_by_span() -> None:
    text = Text("Notes", (("run ", Code("a_b")),), (("of ", Strong("x*")),), code="```\nraw")
    page = Page("T", (text,))
    assert render(page, "md") == "# T\n\n## Notes\n\nrun `a_b`\n\n- of **x\\***\n\n````text\n```\nraw\n````\n"


def test_every_verb_of_lists_takes_latex_and_refuses_figures() -> None:
    assert invoke("models", "gpt2", "-f", "latex")[1].startswith(r"\documentclass")
    code, out, message = invoke("diff", "gpt2", "gpt2-medium", "-f", "mermaid")
    assert (code, out) == (2, "")
    assert "-f mermaid draws a figure" in message


def test_starting_does_not_load_formats_that_are_not_asked_for() -> None:
    code = (
        "import sys; sys.argv = ['shapeviz', 'params', '-f', 'table']\n"
        "from shapeviz.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in sys.modules if '.renderers.to_' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['shapeviz.renderers.to_table']"
