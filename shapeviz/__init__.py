"""shapeviz: what shapes flow through a neural network, what it costs, and why, as exact formulas.

>>> import shapeviz
>>> report = shapeviz.measure(shapeviz.read())
>>> report.total["params"].value
87731712
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapeviz.frontends import read
    from shapeviz.renderers import render
    from shapeviz.report import measure
    from shapeviz.verify import verify

__all__ = ["measure", "read", "render", "verify"]
_HOMES = {"read": "frontends", "measure": "report", "render": "renderers", "verify": "verify"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shapeviz' has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"shapeviz.{_HOMES[name]}"), name)
    globals()[name] = found  # also over the submodule of the same name
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
