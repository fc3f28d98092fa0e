"""LaTeX: documents that pdflatex compiles without an error and without a line that runs off the page."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shapeviz
from shapeviz.expr import Expr
from shapeviz.page import Code, Equation, Formula, Page, Shape, Table, Text
from shapeviz.page.views import report_page
from shapeviz.renderers import render
from shapeviz.renderers._tex import equation, escape, maths

HOSTILE = [
    "\\end{document}",
    "50 % of $x$ & #1",
    "a_b^c~d {",
    "}",
    "<<x>> ,, -- ?`!`",
    "naïve 中文 🙂 \u202e",
    "\x00\n\t",
    "'\"`|",
]


def compiled(text: str, folder: Path, runs: int = 2) -> str:
    """The log of pdflatex, which must have found no error."""
    program = shutil.which("pdflatex")
    if program is None:
        assert not os.environ.get("CI"), "pdflatex is missing in CI"
        pytest.skip("pdflatex is not installed: apt-get install texlive-latex-recommended lmodern")
    (folder / "page.tex").write_text(text)
    for _ in range(runs):  # longtable knows the widths of its columns in the second run
        command = [program, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "page.tex"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-1500:]
    return (folder / "page.log").read_text(errors="replace")


def too_wide(log: str) -> list[float]:
    """By how many points boxes are too wide, those of less than 5 left out."""
    return [float(points) for points in re.findall(r"Overfull \\hbox \((\d+\.\d+)pt", log) if float(points) > 5]


@pytest.mark.parametrize("model", [None, "gpt2", "deepseek-v3", "t5-small"])
def test_a_report_compiles_and_nothing_runs_off_the_page(model: str | None, tmp_path: Path) -> None:
    page = report_page(shapeviz.measure(shapeviz.read(model)), command="shapeviz report", versions="shapeviz 0.1.0")
    assert too_wide(compiled(render(page, "latex"), tmp_path)) == []


def test_the_width_of_a_box_that_is_too_wide_is_seen(tmp_path: Path) -> None:
    wide = r"\documentclass{article}\begin{document}\hbox to 1pt{too wide for this}\end{document}"
    assert len(too_wide(compiled(wide, tmp_path, runs=1))) == 1


def test_names_from_outside_compile_wherever_they_stand(tmp_path: Path) -> None:
    cells = tuple((Code(name), name, Equation(name), Equation(f"y = {name}")) for name in HOSTILE)
    columns = ("name", *HOSTILE[:3])
    parts = [Table(columns, cells, heading=name, above=(name,), below=(Equation(name),)) for name in HOSTILE]
    texts = [Text(name, (name,), (Code(name),), code=name) for name in HOSTILE]
    sized = Shape((Expr.of("größe"), Expr.of("d_model") * Expr.of("层")))
    aligned = Table(("a", "b", "c"), ((Code("x"), Formula(Expr.of("größe") / 3), sized),), aligned=True)
    text = render(Page(HOSTILE[0], (*parts, *texts, aligned)), "latex")
    assert text.count(r"\end{document}") == 1
    compiled(text, tmp_path, runs=1)


@given(st.text())
def test_no_sign_of_a_name_means_anything_to_tex(name: str) -> None:
    for text in (escape(name), maths(name)):
        bare = re.sub(r"\\[a-zA-Z]+|\\[^a-zA-Z]", "", text)
        assert bare.count("{") == bare.count("}")
        assert not re.search(r"[$&#%~]", bare)
        assert all(sign.isascii() or "À" <= sign <= "ÿ" for sign in text)
    assert not re.search(r"[_^]", re.sub(r"\\ensuremath\{\^\{\d\}\}", "", re.sub(r"\\_", "", escape(name))))


@pytest.mark.parametrize(("text", "expected"), [
    ("y = x W + b", r"$y = x\, W + b$"),
    ("softmax(Q Kᵀ / √d_k) V", r"$\mathrm{softmax}(Q\, K^{\top} / \sqrt{d_{k}})\, V$"),
    ("√(a² + b)", r"$\sqrt{a^{2} + b}$"),
    ("Σ_{i ∈ TopK} p_i", r"$\sum _{i \in  \mathrm{TopK}} p_{i}$"),
    ("x + self_attention", r"$x + \mathrm{self\_attention}$"),
    ("split into heads", "split into heads"),
])  # fmt: skip
def test_an_equation_of_text_is_set_as_mathematics(text: str, expected: str) -> None:
    assert equation(text) == expected


def test_formulas_are_factored_and_their_substitution_has_crosses() -> None:
    text = shapeviz.render(
        shapeviz.measure(shapeviz.read()), "latex", verb="explain", path="encoder.layer.self_attention"
    )
    assert r"3 \cdot h \cdot (d_{\mathrm{model}} \cdot d_{k} + d_{k}) \\" in text
    assert r" & = 3 \times 6 \times (1024 \times 128 + 128) \\" in text
    assert r" & = \text{2{,}361{,}600}" in text
