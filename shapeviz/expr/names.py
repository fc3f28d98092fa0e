"""The names of dimensions: what they may be, and the order in which they are printed."""

from __future__ import annotations

from functools import cache
from keyword import iskeyword
from typing import Any

# What JavaScript keeps for itself, and what formulas call: no dimension can have such a name.
TAKEN = {
    "arguments", "case", "catch", "const", "debugger", "default", "delete", "do", "enum", "eval", "export", "extends",
    "function", "implements", "instanceof", "interface", "let", "new", "null", "package", "private", "protected",
    "public", "static", "super", "switch", "this", "throw", "typeof", "var", "void", "true", "false", "undefined",
    "Infinity", "NaN", "Math", "Min", "Max", "floor", "ceiling", "Integer",
}  # fmt: skip


def can_name(name: str) -> bool:
    """True if it is one and the same identifier in every notation."""
    if not name.isascii():
        from unicodedata import normalize  # no name of a bundled model needs it

        if normalize("NFKC", name) != name or "·" in name:
            return False
    return name.isidentifier() and not iskeyword(name) and name not in TAKEN


@cache
def rank(name: str) -> tuple[Any, ...]:
    """Capitals first, then single letters, then words, the longest first: `2·B·S²·h·d_model·d_k`.

    Capitals count repetitions and lengths, which lead a term on paper; widths follow.
    """
    stem = name.rstrip("0123456789")
    group = 0 if stem[0].isupper() else 1 if len(stem) == 1 else 2
    return (group, -len(stem) if group == 2 else 0, stem, int(name[len(stem) :] or -1), name)
