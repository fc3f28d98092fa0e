"""The table of token vectors."""

from __future__ import annotations

from shapeviz.expr import Expr, ExprLike
from shapeviz.lang import Variable, apply, block, lookup, restate, term, write

CITATION = "Vaswani et al. 2017, section 3.4"


@block(role="embedding", title="Token embedding", caption="{vocabulary} × {table}", step=True)
def embedding(ids: Variable, table: Variable, vocabulary: ExprLike) -> Variable:
    """x = W_E[ids]      (Vaswani et al. 2017, section 3.4)

    ids [B S] → [B S d_model]; the table [V d_model] belongs to the first embedding that uses it.
    """
    restate(f"x = {table.name}[ids]", CITATION)
    term(f"{table.name}[{{ids}}]")
    return lookup(table, ids)


def times_root(x: Variable, d_model: Expr) -> Variable:
    """√d_model·x, the token vectors as long as the positions that are added to them."""
    return write(apply("scale", f"√{d_model}·x", x), f"√{d_model} {{0}}", x)
