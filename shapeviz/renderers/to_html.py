"""One HTML file: what is printed as tables, text and figures, and above it the same report with every size in reach.

It asks for nothing from anywhere: styles and scripts stand in it, the browser runs those alone whose hashes it names.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from html import escape as escaped
from importlib.resources import files

from shapeviz.analysis import FLOPS
from shapeviz.errors import MissingToolError
from shapeviz.figure.themes import THEMES, Theme
from shapeviz.page import Cell, Code, Page, Part, Picture, Span, Strong, Table, Text, spans
from shapeviz.renderers import Renderer, View
from shapeviz.renderers._graphviz import draw
from shapeviz.wording import COUNTS, PREFIXES, legible

CHROME = {"link": ("#0969DA", "#58A6FF"), "bad": ("#CF222E", "#FF7B72"), "sel": ("#DDEBFB", "#12304F")}
"""Colours of the page beside those of a theme, light and dark."""
SCRIPTS = ("formula.js", "sizes.js", "figure.js", "controls.js", "page.js")
SCALES = {"": COUNTS, FLOPS.sign: PREFIXES, "B": PREFIXES}
"""How large numbers are said, by unit."""
BUTTONS = {
    "numbers": "Numbers first", "formulas": "Formulas", "unfold": "Unfold all", "markdown": "Copy Markdown",
    "link": "Copy link", "theme": "Dark or light",
}  # fmt: skip


def render(page: Page, view: View) -> str:
    """The page as one file, without the figure where Graphviz is not installed."""
    data = page.data()
    living = data.get("schema") == "shapeviz/1"
    style = _style(view.theme) + _asset("page.css")
    scripts = tuple(map(_asset, SCRIPTS)) if living else ()
    allowed = " ".join(map(_hash, scripts)) or "'none'"
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {allowed}; base-uri 'none'; form-action 'none'"
    forced = f' data-theme="{view.theme}"' if view.theme == "dark" else ""
    return "\n".join(
        [
            f'<!doctype html>\n<html lang="en"{forced}>\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escaped(policy)}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{text(page.title)}</title>\n<style>{style}</style>\n</head>\n<body>",
            *_header(page, living),
            *(_living(page, view, data) if living else ()),
            *_printed(page, view, living),
            *([_data({**data, "prefixes": SCALES})] if living else ()),
            *(f"<script>{script}</script>" for script in scripts),
            "</body>\n</html>\n",
        ]
    )


def text(what: str) -> str:
    """Text that is text and nothing else: no markup, no signs that steer a terminal or turn the direction of writing.

    >>> text("</script><b>&")
    '&lt;/script&gt;&lt;b&gt;&amp;'
    """
    return escaped(legible(what))


def _asset(name: str) -> str:
    return files("shapeviz").joinpath("web", name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"


def _data(data: Mapping[str, object]) -> str:
    """The element that holds the report as JSON, in which no sign can end it."""
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    safe = re.sub("[<>&\u2028\u2029]", lambda sign: f"\\u{ord(sign[0]):04x}", written)
    return f'<script type="application/json" id="report">{safe}</script>'


# colours


def _style(theme: str) -> str:
    """The colours of the page and of its figures, as classes, in light and dark."""
    light, dark = (THEMES[theme] if theme == "colorblind" else THEMES["light"]), THEMES["dark"]
    pair = [_colours(light, 0), _colours(dark, 1)]
    kinds = [kind for kind in light.kinds if kind]
    return (
        f":root{{color-scheme:light;{pair[0]}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{pair[1]}}}"
        f"@media(prefers-color-scheme:dark){{:root:not([data-theme]){{color-scheme:dark;{pair[1]}}}}}"
        + ".bar i,.stack i,.dot{background:var(--mut);border-color:var(--mut)}"
        + "".join(f".dot.k-{kind}{{background:var(--{kind});border-color:var(--{kind}-line)}}" for kind in kinds)
        + "".join(f".bar .k-{kind},.stack .k-{kind}{{background:var(--{kind}-line)}}" for kind in kinds)
        + "".join(f"#tree td.in{depth}{{padding-left:{10 + 17 * depth}px}}" for depth in range(10))
        + "".join(f".f-{name}{{fill:var(--{name})}}.s-{name}{{stroke:var(--{name})}}" for name in _names(light))
    )  # fmt: skip


def _names(theme: Theme) -> dict[str, str]:
    """Every colour of a theme by the name of its variable."""
    kinds = {kind or "other": pair for kind, pair in theme.kinds.items()}
    plain = {"bg": theme.background, "fg": theme.text, "mut": theme.muted, "data": theme.data, "res": theme.residual,
             "mem": theme.memory, "pan": theme.panel, "bd": theme.border}  # fmt: skip
    fills = {name: pair[0] for name, pair in kinds.items()}
    return plain | fills | {f"{name}-line": pair[1] for name, pair in kinds.items()}


def _colours(theme: Theme, dark: int) -> str:
    named = _names(theme) | {name: pair[dark] for name, pair in CHROME.items()}
    return "".join(f"--{name}:{colour};" for name, colour in named.items())


def _svg(page: Page, view: View, name: str, prefix: str = "") -> str:
    """A figure in the page's own colours; the ids of one that is not the living one get a prefix of their own."""
    theme = "colorblind" if view.theme == "colorblind" else "light"
    drawing = draw(page, View(name, theme), "svg").decode()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<!--.*?-->\s*", "", drawing, flags=re.S)
    drawing = re.sub(r'<svg width="([\d.]+)pt" height="[\d.]+pt"', '<svg role="img"', drawing, count=1)
    drawing = re.sub(r' (?:xmlns|xmlns:xlink)="[^"]*"', "", drawing)
    drawing = re.sub(
        r' font-family="[^"]*(Mono|Inter)[^"]*"', lambda m: ' class="mono"' if "Mono" in m[0] else "", drawing
    )
    named = {colour.lower(): name for name, colour in reversed(_names(THEMES[theme]).items())}
    drawing = re.sub(r"<(\w+) ([^<>]*)>", lambda tag: _coloured(tag[1], tag[2], named), drawing)
    return re.sub(r' id="', f' id="{prefix}', drawing) if prefix else drawing


def _coloured(tag: str, attributes: str, named: Mapping[str, str]) -> str:
    """A tag whose colours are classes, which a switch of the theme can change."""
    classes = re.findall(r' ?class="([^"]*)"', attributes)
    attributes = re.sub(r' ?class="[^"]*"', "", attributes)
    for kind, short in (("fill", "f"), ("stroke", "s")):
        found = re.search(rf'\b{kind}="(#[0-9a-f]{{6}})"', attributes)
        if found and found[1] in named:
            classes.append(f"{short}-{named[found[1]]}")
            attributes = attributes.replace(found[0], "")
    close = " /" if attributes.endswith("/") else ""
    written = " ".join(attributes.removesuffix("/").split())
    said = f' class="{" ".join(classes)}"' if classes else ""
    return f"<{tag}{said}{' ' + written if written else ''}{close}>"


# the living part


def _header(page: Page, living: bool) -> Iterator[str]:
    source = f'<span class="sub">{text(page.header.source)}</span>' if page.header else ""
    yield f'<header><h1>{text(page.title)}</h1>{source}<span class="sp"></span>'
    if living:
        yield from (f'<button type="button" id="{name}">{words}</button>' for name, words in BUTTONS.items())
        yield '<span class="copied" id="copied" role="status"></span>'
    yield "</header>"


def _living(page: Page, view: View, data: Mapping[str, object]) -> Iterator[str]:
    """The frame that the script fills: sizes, totals, the tree of modules, the figure."""
    columns: Mapping[str, Mapping[str, str]] = data["columns"]  # type: ignore[assignment]
    drawing = _figure(page, view)
    yield '<div id="living" hidden>'
    cards = (
        f'<div class="card" id="card-{name}"><b></b><span>{text(column["title"])}</span><code></code></div>'
        for name, column in columns.items()
    )
    yield f'<div class="cards" aria-live="polite">{"".join(cards)}</div>'
    yield f"<main{'' if drawing else ' class=plain'}>"
    yield (
        '<section class="panel" id="sizes"><h2>Sizes <span class="sp"></span><button type="button" id="reset">Reset'
        '</button></h2><div id="why" role="alert"></div><div id="controls"></div><div class="note" id="derived"></div>'
        "</section>"
    )
    yield (
        '<section class="panel"><h2>Modules <span class="sp"></span><select id="column" aria-label="column of the bar">'
        '</select><input type="search" id="search" placeholder="search" aria-label="search modules"></h2>'
        '<div class="stack" id="stack" aria-hidden="true"></div><div class="legend" id="legend"></div>'
        '<div class="scroll"><table id="tree" role="treegrid" aria-label="Modules"><thead><tr id="head"></tr></thead>'
        '<tbody id="rows"></tbody></table></div><div id="detail" aria-live="polite"></div></section>'
    )
    if drawing:
        yield f'<section class="panel" id="figure"><h2>Figure</h2><div class="drawing">{drawing}</div></section>'
    yield "</main></div>"


def _figure(page: Page, view: View) -> str:
    if page.figure is None:
        return ""
    try:
        return _svg(page, view, view.figure)
    except MissingToolError:
        return ""


# what is printed


def _printed(page: Page, view: View, living: bool) -> Iterator[str]:
    """The page as it is written in every format, at the sizes that it was asked for."""
    yield '<div class="print">'
    if living:
        yield "<details open><summary>As printed, at the first sizes</summary>"
    if page.header:
        yield from _glossary(page)
    for number, part in enumerate(page.parts):
        yield from _part(page, part, view, f"p{number}-")
    if living:
        yield "</details>"
    yield "</div>"


def _glossary(page: Page) -> Iterator[str]:
    assert page.header
    rows = "".join(
        f"<tr><td><code>{text(name)}</code></td><td>{text(meaning)}</td>"
        f'<td class="right">{"–" if number is None else number}</td></tr>'
        for name, meaning, number in page.header.glossary
    )
    yield f"<table><thead><tr><th>letter</th><th>meaning</th><th>value</th></tr></thead><tbody>{rows}</tbody></table>"
    if page.header.derived:
        yield f"<p>Derived: {', '.join(f'<code>{text(rule)}</code>' for rule in page.header.derived)}.</p>"


def _part(page: Page, part: Part, view: View, prefix: str) -> Iterator[str]:
    match part:
        case Table():
            yield from _table(part)
        case Text():
            yield from _text(part)
        case Picture() if part.figure is not None:
            yield "" if part.minor else f"<h2>Figure: {text(part.title)}</h2>"
            try:
                drawing = _svg(Page(part.title, (), figure=lambda _: part.figure), view, "model", prefix)  # type: ignore[arg-type,return-value]
                yield f'<div class="drawing">{drawing}</div>'
            except MissingToolError as error:
                yield f"<p>{text(str(error))}</p>"


def _table(table: Table) -> Iterator[str]:
    yield from _lines(table.above)
    if table.heading:
        yield f"<h3>{text(table.heading)}</h3>" if table.minor else f"<h2>{text(table.heading)}</h2>"
    if table.rows:
        right = [' class="right"' if name in table.right else "" for name in table.columns]
        heads = "".join(
            f'<th scope="col"{way}>{text(name)}</th>' for name, way in zip(table.columns, right, strict=True)
        )
        yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
        for depth, row in zip(table.depths, table.rows, strict=True):
            cells = [f"<td{way}>{_cell(cell)}</td>" for cell, way in zip(row, right, strict=True)]
            cells[0] = cells[0].replace("<td>", "<td>" + "&emsp;" * depth, 1)
            yield f"<tr>{''.join(cells)}</tr>"
        yield "</tbody></table>"
    yield from _lines(table.below)


def _text(part: Text) -> Iterator[str]:
    if part.heading:
        yield f"<h{part.level}>{_cell(part.heading)}</h{part.level}>"
    yield from _lines(part.lines)
    if part.items:
        yield f"<ul>{''.join(f'<li>{_cell(item)}</li>' for item in part.items)}</ul>"
    if part.code:
        yield f"<pre>{text(part.code)}</pre>"


def _lines(lines: Iterable[Cell]) -> Iterator[str]:
    yield from (f"<p>{_cell(line)}</p>" for line in lines)


def _cell(cell: Cell) -> str:
    return "".join(map(_span, spans(cell)))


def _span(span: Span) -> str:
    match span:
        case str():
            return text(span)
        case Strong():
            return f"<strong>{text(span.text)}</strong>"
        case Code():
            return f"<code>{text(span.text)}</code>"
        case _:
            return f"<code>{text(str(span))}</code>"


renderer = Renderer(render, "One HTML file in which every number follows the sizes.", suffixes=(".html", ".htm"))
