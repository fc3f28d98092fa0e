"""shapeviz: what shapes flow through a neural network, what it costs, and why, as exact formulas.

>>> import shapeviz
>>> report = shapeviz.measure(shapeviz.read())
>>> report.total["params"].value
87731712
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapeviz import errors, testing
    from shapeviz.expr import Expr
    from shapeviz.frontends import read
    from shapeviz.ir import Model
    from shapeviz.quantity import Quantity
    from shapeviz.renderers import render
    from shapeviz.report import Cell, Check, Column, Report, Row, measure
    from shapeviz.tracing import trace
    from shapeviz.verify import verify

__version__ = "0.2.0"
__all__ = [
    "Cell", "Check", "Column", "Expr", "Model", "Quantity", "Report", "Row", "__version__", "errors", "measure", "read",
    "render", "testing", "trace", "verify",
]  # fmt: skip
_HOMES = {
    "read": "frontends", "measure": "report", "render": "renderers", "testing": "testing", "trace": "tracing",
    "verify": "verify", "errors": "errors", "Model": "ir", "Expr": "expr", "Quantity": "quantity",
    **dict.fromkeys(("Report", "Column", "Row", "Cell", "Check"), "report"),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shapeviz' has no attribute {name!r}")
    from importlib import import_module

    home = import_module(f"shapeviz.{_HOMES[name]}")
    # importing `shapeviz.verify` puts the package under the verb's name, so the package is the verb
    value = home if _HOMES[name] == name else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
