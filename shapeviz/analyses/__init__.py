"""Analyses: one column a file, which ends in `analysis = Analysis(…)` or `analysis = Ratio(…)`."""

from __future__ import annotations

from shapeviz import plugins
from shapeviz.analysis import Analysis, Ratio
from shapeviz.errors import InputError, nearest

HERE = "shapeviz.analyses"


def names() -> list[str]:
    """The names of all columns: the files of this folder."""
    return plugins.names(HERE)


def load(name: str) -> Analysis | Ratio:
    """The analysis of a column. Raises InputError for an unknown one, and for a file that defines none."""
    if not plugins.has(HERE, name):
        raise InputError(f"unknown column {name!r}; {nearest(name, names())}")
    file = f"shapeviz/analyses/{name}.py"
    try:
        analysis = getattr(plugins.load(HERE, name), "analysis", None)
    except Exception as error:  # whatever a file of somebody else raises while it is read
        raise InputError(f"{file} cannot be read: {error}") from error
    if not isinstance(analysis, Analysis | Ratio):
        raise InputError(f"{file} must end in analysis = Analysis(…) or Ratio(…); its analysis is {analysis!r}")
    return analysis


def parts(name: str) -> tuple[Analysis, ...]:
    """What a column is measured by: one analysis, or the two of a ratio. Raises InputError as `load` does."""
    analysis = load(name)
    whole = [load(part) for part in analysis.over] if isinstance(analysis, Ratio) else [analysis]
    if other := next((part for part in whole if isinstance(part, Ratio)), None):
        raise InputError(f"{name} is a ratio over {other.title}, which is a ratio itself: name two sums")
    return tuple(part for part in whole if isinstance(part, Analysis))
