"""Tables, Markdown and CSV: the same cells in every dress, re-added and compared with the printed total."""

import csv
import io
import itertools
import re
from dataclasses import replace
from fractions import Fraction

import pytest

import shapeviz
from shapeviz.page import plain
from shapeviz.page.explanation import introduction
from shapeviz.renderers._fit import branches
from shapeviz.wording import humanize, rounded, share


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


@pytest.mark.parametrize("model", ["deepseek-v3", "gpt-oss-20b", "qwen3-8b", "bloom-560m", "t5-small"])
def test_an_equation_and_its_sources_are_folded_and_lose_nothing(model: str) -> None:
    for row in shapeviz.measure(shapeviz.read(model)).rows:
        lines = [plain(line) for line in introduction(row)]
        assert max(map(len, lines)) <= 118
        # the words of title, equation and citation in this order, however the lines are cut
        expected = f"{row.equation} ({row.citation})" if row.citation else row.equation
        assert " ".join(expected.split()) in " ".join(" ".join(lines).split())


@pytest.mark.parametrize(("form", "expected"), [
    ("table", """
MultiHead(x, m) = Concat(head_1, …, head_h) W_O + b_O,
  head_i = Attention(x W_Q^i + b_Q^i, m W_K^i + b_K^i, m W_V^i + b_V^i)
  (Vaswani et al. 2017, section 3.2.2, with biases)
"""),
    ("markdown", r"""
MultiHead(x, m) = Concat(head\_1, …, head\_h) W\_O + b\_O,__
head\_i = Attention(x W\_Q^i + b\_Q^i, m W\_K^i + b\_K^i, m W\_V^i + b\_V^i)__
(Vaswani et al. 2017, section 3.2.2, with biases)__
""".replace("__\n", "  \n")),
])  # fmt: skip
def test_a_long_equation_ends_its_lines_at_clauses(report, form: str, expected: str) -> None:
    assert expected in shapeviz.render(report, form, verb="explain", path="encoder.layer.self_attention")
    short = shapeviz.render(report, form, verb="explain", path="encoder.layer.self_attention.attention")
    assert "V   (Vaswani et al. 2017, eq. 1)" in short


def test_each_line_of_an_equation_is_mathematics_of_its_own_in_latex(report) -> None:
    text = shapeviz.render(report, "latex", verb="explain", path="encoder.layer.self_attention")
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(r"$\mathrm{MultiHead}"))
    assert lines[start].endswith(r"b_{O},\allowbreak $\par")
    assert lines[start + 1].startswith(r"$\mathrm{head}_{i} = ")
    assert lines[start + 1].endswith(r"$\par")
    assert lines[start + 2].startswith("(Vaswani")


def test_what_stands_above_a_table_is_folded_to_the_terminal(monkeypatch, capsys) -> None:
    import shapeviz
    from shapeviz.page.views import cost_page
    from shapeviz.renderers.to_table import draw

    monkeypatch.setenv("COLUMNS", "80")
    draw(cost_page(shapeviz.measure(shapeviz.read()), "params"))
    above = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    # "sizes:", "letters:" once each; a line that goes on begins below the first entry
    assert all(len(line) <= 80 for line in above)
    assert all(line.startswith(("Encoder", "sizes:   ", "derived: ", "letters: ", " " * 9)) for line in above)


@pytest.mark.parametrize(("number", "unit", "text"), [
    (8_030_261_248, "", "8.03 B"), (1_026_408_209_408, "", "1.03 T"), (10**16, "", "10000.00 T"),
    (383_866_460_176_384, "FLOP", "383.87 T"), (10**16, "FLOP", "10.00 P"), (1152, "B", "1.13 KiB"),
    (Fraction(81, 2), "FLOP/B", "40.500 FLOP/B"),
])  # fmt: skip
def test_parameters_are_rounded_to_billions_flops_to_teras_and_bytes_to_binary_units(number, unit, text) -> None:
    assert text == rounded(number, unit)


def test_a_trace_ends_with_what_the_model_costs_in_all() -> None:
    # gpt2: 124,439,808 parameters as published; FLOPs 2·B·S·(12·(12·768² + 2·S·768) + 50257·768) at S = 1024
    flops = 2 * 1024 * (12 * (12 * 768**2 + 2 * 1024 * 768) + 50257 * 768)
    page = shapeviz.render(shapeviz.measure(shapeviz.read("gpt2")), verb="trace")
    assert f"total: 124,439,808 parameters  (124.44 M); {flops:,} FLOPs  (291.65 G)" == page.splitlines()[-1]


def test_figures_have_the_units_of_tables() -> None:
    report = shapeviz.measure(shapeviz.read("llama-3-8b"))
    model, attention = (shapeviz.render(report, "dot", figure=name) for name in ("model", "multi_head"))
    assert "8.03 B parameters" in model
    assert "b_kv = 2" not in model
    assert "4.00 KiB KV-cache bytes per token" in attention  # of one layer: 2 · 8 heads · 128 · 2 bytes
