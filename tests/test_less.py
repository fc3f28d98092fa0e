"""--depth and --summary: less is shown, and every sum is the one of the whole model."""

import json

import pytest
from test_widths import lines
from typer.testing import CliRunner

import shapeviz
from shapeviz.cli._app import app
from shapeviz.page.summary import biggest, down_to, summary
from shapeviz.page.views import page_of
from shapeviz.quantity import Quantity

MODELS = (None, "gpt2", "albert-base-v2", "mixtral-8x7b", "deepseek-v3")


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*arguments])
    assert code == done.exit_code, done.output
    return done.stdout if code == 0 else done.output


@pytest.fixture(scope="module")
def reports() -> dict[str | None, "shapeviz.Report"]:
    return {model: shapeviz.measure(shapeviz.read(model)) for model in MODELS}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("column", ["params", "flops"])
def test_the_biggest_parts_and_the_rest_add_up_to_the_model_and_none_lies_within_another(
    reports, model, column
) -> None:
    report = reports[model]
    parts = biggest(report, [column])
    (*_, table) = summary(report, [column])
    shown = [int(row[1].replace(",", "")) for row in table.rows]
    assert report.total[column].value == sum(shown)
    assert [part.cells[column].in_model for part in parts] == shown[: len(parts)]
    paths = [part.path for part in parts]
    assert 1 < len(paths) <= 6
    assert not any(other.startswith(f"{path}.") for path in paths for other in paths)


def test_the_parts_of_gpt2_are_those_that_its_paper_has() -> None:
    # 50257·768 + 12·(4·768² + 4·768) attention + 12·(8·768² + 5·768) feed-forward; the rest: positions and norms
    (*_, table) = summary(shapeviz.measure(shapeviz.read("gpt2")), ["params"])
    parts = {str(row[0]).split(" ×")[0]: row[1] for row in table.rows}
    assert {
        "decoder.embedding": f"{50257 * 768:,}",
        "decoder.layer.self_attention": f"{12 * (4 * 768**2 + 4 * 768):,}",
        "decoder.layer.feed_forward": f"{12 * (8 * 768**2 + 5 * 768):,}",
        "all the rest": f"{1024 * 768 + 12 * 4 * 768 + 2 * 768:,}",
    } == parts


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("column", ["params", "flops"])
def test_rows_of_each_depth_have_in_their_sums_what_is_below_them(reports, model, column) -> None:
    report = reports[model]
    shown = down_to(report, 1)
    assert {0} == {row.depth for row in shown.rows}
    assert report.total[column].value == sum(row.cells[column].in_model for row in shown.rows)
    assert isinstance(shown.rows[0].cells[column].each, Quantity)


@pytest.mark.parametrize("verb", ["trace", "params", "flops", "cache"])
def test_depth_cuts_every_table_and_the_json_alike(verb: str) -> None:
    whole, cut = (json.loads(run(verb, "gpt2", "--json", *more)) for more in ((), ("--depth", "2")))
    assert [row for row in whole["rows"] if row["depth"] < 2] == cut["rows"] != whole["rows"]
    assert whole["total"] == cut["total"]
    text = run(verb, "gpt2", "--depth", "2")
    assert "layer × 12" in text
    assert "self_attention" not in text.partition("\n\n")[2].partition("\n\n")[0].replace("x + MultiHead", "")


def test_depth_0_leaves_the_totals() -> None:
    assert "parameters: decoder = 124,439,808  (124.44 M)" in run("params", "gpt2", "--depth", "0")


@pytest.mark.parametrize("model", [None, "gpt2", "deepseek-v3"])
@pytest.mark.parametrize("verb", ["trace", "params", "flops"])
def test_a_summary_fits_on_a_screen_of_24_lines_and_80_columns(reports, model, verb) -> None:
    text = lines(page_of(reports[model], verb, summary=True), 80)
    assert len(text) <= 23
    assert f"{reports[model].total['params'].value:,}" in "\n".join(text)


def test_a_summary_begins_with_what_the_verb_counts() -> None:
    text = run("flops", "gpt2", "--summary")
    assert text.index("FLOPs") < text.index("parameters")
    assert 6 >= len(json.loads(run("flops", "gpt2", "--summary", "--json"))["rows"]) > 1


def test_a_figure_is_drawn_whole_whatever_the_depth() -> None:
    assert run("params", "gpt2", "-f", "dot") == run("params", "gpt2", "-f", "dot", "--depth", "1")


def test_a_depth_below_zero_is_refused() -> None:
    assert "--depth" in run("params", "--depth", "-1", code=2)
