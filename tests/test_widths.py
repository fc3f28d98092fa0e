"""What a terminal shows at 60 columns and more: whole tokens, no line too long, and not many more lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pytest

import shapeviz
from shapeviz.page import Page, Table
from shapeviz.page.views import page_of
from shapeviz.renderers import View
from shapeviz.renderers._wrap import columns, least, wrapped
from shapeviz.renderers.to_table import drawn, render, shown

WIDTHS = (60, 80, 100, 120, 200)
CASES = [*((model, width) for model in (None, "deepseek-v3") for width in WIDTHS), ("gpt2", 60), ("t5-small", 60)]
FOUR = ("params", "flops", "bytes_moved", "intensity")


@cache
def pages(model: str | None) -> dict[str, Page]:
    report = shapeviz.measure(shapeviz.read(model), ["params", "flops", "bytes_moved", "intensity", "active"])
    inner = "encoder.layer.self_attention" if model in (None, "t5-small") else ""
    return {
        "trace": page_of(report, "trace"),
        "trace with values": page_of(report, "trace", columns=("params", "flops")),
        "params": page_of(report, "params", active=True),
        "flops": page_of(report, "flops"),
        "columns": page_of(report, "params", columns=FOUR),
        "by kind": page_of(report, "params", by_kind=True, columns=FOUR),
        "kinds of one": page_of(report, "flops", by_kind=True),
        "explain": page_of(report, "explain", path=inner),
    }


def lines(page: Page, width: int) -> list[str]:
    return ["".join(piece.text for piece in line) for line in drawn(page, width)]


def tokens(text: str) -> set[str]:
    """Names, numbers with their commas and points, and prefixes; of a path its parts."""
    return {part for word in re.findall(r"[\w,.]*\w", text) for part in re.split(r"\.(?=[^\W\d])", word)}


def known(page: Page) -> set[str]:
    """Every token that a page has: as it is piped, and rounded."""
    short = (cell for part in tables(page) for column in part.short.values() for cell in column.cells)
    return tokens(" ".join([render(page, View()), "left out at this width: share", *short]))


def tables(page: Page) -> Iterator[Table]:
    return (part for part in shown(page) if isinstance(part, Table))


@pytest.mark.parametrize(("model", "width"), CASES)
def test_no_line_is_longer_than_the_terminal_and_none_ends_inside_a_token(model: str | None, width: int) -> None:
    for name, page in pages(model).items():
        text = lines(page, width)
        assert max(map(columns, text)) <= width, name
        assert set() == tokens(" ".join(text)) - known(page), name


@pytest.mark.parametrize(("model", "width"), CASES)
def test_a_shape_stands_on_one_line(model: str | None, width: int) -> None:
    seen = 0
    for name in ("trace", "params", "flops", "trace with values"):
        for line in drawn(pages(model)[name], width):
            for piece in line:
                if piece.kind in ("output", "shape", "sizes"):
                    assert piece.text.count("(") == piece.text.count(")") <= 3, piece.text
                    seen += "(" in piece.text
    assert seen > 20


@pytest.mark.parametrize(("name", "most"), [("params", 1.3), ("trace", 1.3), ("columns", 1.3)])
def test_the_default_model_takes_few_more_lines_at_80_columns_than_at_200(name: str, most: float) -> None:
    report = shapeviz.measure(shapeviz.read(), FOUR)
    page = page_of(report, "params", columns=FOUR) if name == "columns" else page_of(report, name)
    assert len(lines(page, 80)) <= most * len(lines(page, 200))


def test_all_values_are_shown_in_full_as_long_as_that_fits() -> None:
    # 27 columns of names, 11 + 18 + 17 of values with 3 gaps of 2 are 79
    page = page_of(shapeviz.measure(shapeviz.read(), FOUR[:3]), "params", columns=FOUR[:3])
    assert any("26,795,520  16,904,991,277,056    554,712,659,968" in line for line in lines(page, 80))
    assert any(line.split()[1:] == ["26.80", "M", "16.90", "T", "516.62", "GiB"] for line in lines(page, 60))


def test_a_column_that_had_to_leave_is_named() -> None:
    page = page_of(shapeviz.measure(shapeviz.read()), "params")
    assert "left out at this width: output" == lines(page, 80)[-1]
    assert "left out" not in "\n".join(lines(page, 200))


def test_a_formula_below_its_row_hangs_on_the_lines_of_the_tree() -> None:
    # 27 + 2 + 12 columns leave 19 at 60, of which the formula needs 80
    text = lines(page_of(shapeviz.measure(shapeviz.read()), "params"), 60)
    row = next(i for i, line in enumerate(text) if "layer × 6" in line)
    assert text[row + 1].startswith("   │    h·d_k·(4·d_model + 3)")
    assert "h·d_k·(4·d_model+3)+d_model·(d_ff1+d_ff2+6)+d_ff1·(d_ff2+1)+d_ff2" == re.sub(
        "[ │]", "", "".join(text[row + 1 : row + 3])
    )


def test_a_terminal_and_a_pipe_show_the_same_where_there_is_room() -> None:
    page = page_of(shapeviz.measure(shapeviz.read("gpt2")), "params")
    piped = [line for line in render(page, View()).splitlines() if not line.startswith("─")]
    assert piped == [line.rstrip() for line in lines(page, 400)]


@pytest.mark.parametrize(("text", "width", "expected"), [
    ("decoder.layer.self_attention.key", 20, ["decoder.layer.", "self_attention.key"]),
    ("at 87.73 M parameters", 9, ["at", "87.73 M"]),
    ("scores of (B, h, S, S) and", 18, ["scores of", "(B, h, S, S) and"]),
    ("encoder + decoder = 1 + 2 = 3", 20, ["encoder + decoder", "= 1 + 2 = 3"]),
    ("what differs; at B = 1, S = 4096", 20, ["what differs; at", "B = 1, S = 4096"]),
])  # fmt: skip
def test_a_line_ends_where_a_reader_would_end_it(text: str, width: int, expected: list[str]) -> None:
    assert expected == wrapped(text, width)[: len(expected)]


def test_a_name_that_no_line_can_hold_loses_its_middle_and_nothing_else() -> None:
    assert ["a" * 12 + "…" + "b" * 12] == wrapped("a" * 40 + "b" * 40, 25)
    assert 80 == least("a" * 40 + "b" * 40)
    assert 2 == columns("注")
