"""Markdown for GitHub: one view as tables, or the whole analysis as a document with figures."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shapeviz.renderers import View
from shapeviz.renderers._tables import Table, explanation, tables, telling
from shapeviz.renderers._text import derived, label, missing, summed
from shapeviz.report import Report


def render(report: Report, view: View) -> str:
    """The view as Markdown; names from outside cannot break out of it."""
    parts = [f"# {escape(report.title)}", *_sizes(report)]
    if view.verb == "all":
        parts += _document(report, view)
    else:
        parts += [part for table in tables(report, view) for part in _section(table)]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text whose signs mean nothing to Markdown or HTML.

    >>> escape("a|<i>") == "a" + chr(92) + "|&lt;i&gt;"
    True
    """
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", safe).replace("\n", " ")


def code(text: str) -> str:
    """A code span, its fence longer than any run of backticks inside.

    >>> code("d_k"), code("a`b")
    ('`d_k`', '`` a`b ``')
    """
    if "`" not in text:
        return f"`{text}`" if text else ""
    fence = "`" * (max(map(len, re.findall("`+", text))) + 1)
    return f"{fence} {text} {fence}"


def _document(report: Report, view: View) -> list[str]:
    walk, *costs = tables(report, view)
    parts = ["## Totals", *_totals(report)]
    for title, link in view.figures:
        parts += [f"## Figure: {escape(title)}", f"![{escape(title)}]({link})"]
    parts += ["## The walk of shapes", grid(walk)]
    for table in costs:
        parts += [f"## {escape(table.heading)}", grid(table), *map(_line, table.below)]
    parts += ["## Derivations", "Formula, substitution and value of one instance of every block."]
    seen: set[tuple[str, str]] = set()
    for row in report.rows:
        # the same block at the same cost is derived once
        key = (row.block, " ".join(f"{cell.each.python}" for cell in row.cells.values()))
        if (
            any(cell.derivation for cell in row.cells.values())
            and not (row.step and not row.weights)
            and key not in seen
        ):
            seen.add(key)
            parts += [f"### {code(row.path)}", *_derivation(report, row.path)]
    parts += ["### The whole model", *_derivation(report, "")]
    return [*parts, *_checks(report), *_conventions(report), *_made(view)]


def _totals(report: Report) -> list[str]:
    grid = ["| | formula of the parts | value |", "|---|---|---:|"]
    for column in telling(report):
        title, lines = report.columns[column].title, report.columns[column].derivation
        parts = " + ".join(label(line) for line in lines)
        grid.append(f"| {title} | {code(parts)} = {summed(lines)} | **{report.total[column].value:,}** |")
    notes = [f"- {c.title}: {escape(text)}" for name, c in report.columns.items() if (text := missing(report, name))]
    return ["\n".join(grid), *(["\n".join(notes)] if notes else [])]


def _derivation(report: Report, path: str) -> list[str]:
    first, *others = explanation(report, path)
    shown = [table for table in (first, *others) if table.rows]
    parts = ["  \n".join(map(_line, first.above[1:]))] if first.above[1:] else []
    for table in shown:
        parts += [f"**{table.heading}**", grid(table), "  \n".join(map(_line, table.below))]
    return parts


def _section(table: Table) -> list[str]:
    head = [f"## {escape(table.heading)}"] if table.heading else []
    return (
        ["  \n".join(map(_line, table.above))] * bool(table.above)
        + head
        + [grid(table)] * bool(table.rows)
        + [*map(_line, table.below)]
    )


def grid(table: Table) -> str:
    """A table in Markdown."""
    rule = ["---:" if name in table.right else "---" for name in table.columns]
    lines = [_bar(table.columns), _bar(rule)]
    for depth, row in zip(table.depths, table.rows, strict=True):
        lines.append(_bar(["&emsp;" * depth + code(row[0]), *map(_cell, row[1:])]))
    return "\n".join(lines)


def _bar(cells: Iterable[str]) -> str:
    safe = (re.sub(r"(?<!\\)\|", r"\|", cell) for cell in cells)
    return f"| {' | '.join(safe)} |"


def _cell(text: str) -> str:
    """Numbers and shares as they are, everything with letters or operators as code."""
    plain = not re.search(r"[^\d,.%\s█▏▎▍▌▋▊▉]", text)
    return text.strip() if plain else "= " + code(text[2:]) if text.startswith("= ") else code(text)


def _line(text: str) -> str:
    return escape(text.strip())


def _sizes(report: Report) -> list[str]:
    rows = [
        f"| {code(name)} | {escape(meaning)} | {report.sizes.numbers.get(name, '–')} |"
        for name, meaning in report.legend.items()
    ]
    grid = "\n".join(["| letter | meaning | value |", "|---|---|---:|", *rows])
    rules = ", ".join(map(code, derived(report)))
    text = f"Source: {escape(report.source)}." + (f" Derived: {rules}." if rules else "")
    return [text, grid]


def _checks(report: Report) -> list[str]:
    if not report.checks:
        return [
            "## Checks",
            "Not run: `shapeviz verify` compares every formula with PyTorch (`pip install torch torchinfo fvcore`).",
        ]
    good = sum(check.ok for check in report.checks)
    lines = [_bar(("block", "quantity", "formula", "found", "by", "")), _bar(["---"] * 2 + ["---:"] * 2 + ["---"] * 2)]
    for check in report.checks:
        mark = ("explained" if check.expected != check.found else "✓") if check.ok else "**✗**"
        cells = (
            code(check.path),
            escape(check.quantity),
            _value(check.expected),
            _value(check.found),
            escape(check.by),
        )
        lines.append(_bar((*cells, mark + (f" {escape(check.note)}" if check.note else ""))))
    return ["## Checks", f"{good} of {len(report.checks)} hold.", "\n".join(lines)]


def _value(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else escape(str(value))


def _conventions(report: Report) -> list[str]:
    texts = {name: column.convention for name, column in report.columns.items()}
    return ["## Conventions", "\n".join(f"- **{name}**: {escape(text)}" for name, text in texts.items())]


def _made(view: View) -> list[str]:
    lines = [f"- command: {code(view.command)}"] if view.command else []
    lines += [f"- made with {escape(view.versions)}"] if view.versions else []
    return ["## How it was made", "\n".join(lines)] if lines else []
