"""Tables, Markdown and CSV: the same cells in every dress, re-added and compared with the printed total."""

import csv
import io
import itertools
import re
from dataclasses import replace

import pytest

import shapeviz
from shapeviz.renderers.to_table import branches
from shapeviz.wording import humanize, share


@pytest.fixture(scope="module")
def report() -> "shapeviz.report.Report":
    return shapeviz.measure(shapeviz.read())


def test_leaves_of_the_printed_table_times_their_repetition_add_up_to_the_printed_total(report) -> None:
    text = shapeviz.render(report, "table", verb="params")
    line = re.compile(r"^([│├└─ ]*)(\w+)(?: × (\d+))?  +\(.*?\) +([\d,]+|not counted) ", re.M)
    entries = [(len(stem) // 3, int(n or 1), value) for stem, _, n, value in line.findall(text)]
    assert len(entries) > 30
    total, times = 0, {-1: 1}
    for (depth, n, value), (deeper, *_) in itertools.pairwise([*entries, (0, 1, "")]):
        times[depth] = times[depth - 1] * n
        if deeper <= depth and value != "not counted":  # a leaf
            total += int(value.replace(",", "")) * times[depth]
    assert 87_731_712 == total
    assert f"= {total:,}  (87.73 M)" in text


def test_csv_rows_of_depth_one_add_up_to_the_total(report) -> None:
    rows = list(csv.DictReader(io.StringIO(shapeviz.render(report, "csv"))))
    top = [row for row in rows if "." not in row["path"]]
    assert report.total["params"].value == sum(int(row["params"]) * int(row["copies"]) for row in top)
    assert "V*d_model" not in {row["params_formula"] for row in rows}
    assert "V·d_model" in {row["params_not_counted"] for row in rows}


def test_shares_of_the_parts_of_a_model_add_up_to_one(report) -> None:
    text = shapeviz.render(report, "table", verb="params")
    top = [float(found) for found in re.findall(r"^(?:encoder|decoder) .*?(\d+\.\d) %", text, re.M)]
    assert pytest.approx(sum(top), abs=0.11) == 100.0


def test_text_for_a_pipe_has_neither_colour_nor_trailing_blanks(report) -> None:
    for verb in ("trace", "params", "flops", "explain", "all"):
        text = shapeviz.render(report, "table", verb=verb)
        assert "\x1b" not in text
        assert "…" not in re.sub(r"head_1, …, head_h|0 … S|max\(0, …|\) …\)|cos\(…\)", "", text)
        assert not re.search(r" $", text, re.M)


def test_markdown_tables_have_equally_many_cells_in_every_line(report) -> None:
    for verb in ("trace", "params", "flops", "explain", "all"):
        text = shapeviz.render(report, "markdown", verb=verb)
        for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_names_from_outside_cannot_break_markdown(report) -> None:
    text = shapeviz.render(replace(report, title="a|b <script>\n# c `d`"), "md", verb="params")
    assert text.splitlines()[0] == r"# a\|b &lt;script&gt; \# c \`d\`"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1.00 K"), (999_995, "1.00 M"), (87_731_712, "87.73 M"), (10**33, "1000.00 Q")],
)
def test_numbers_for_people_have_an_si_prefix(number: int, text: str) -> None:
    assert text == humanize(number)


def test_a_share_is_a_percentage_and_a_bar_in_eighths() -> None:
    assert share(1, 2) == " 50.0 % █████"
    assert share(1, 80) == "  1.3 % ▏"
    assert share(0, 0) == ""


def test_the_lines_of_a_tree_lead_to_the_next_of_the_same_depth() -> None:
    assert branches((0, 1, 2, 1, 0)) == ["", "├─ ", "│  └─ ", "└─ ", ""]
