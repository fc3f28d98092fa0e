"""The table of token vectors."""

from __future__ import annotations

from shapeviz.expr import ExprLike
from shapeviz.lang import Variable, block, lookup


@block(role="embedding", title="Token embedding", caption="{vocabulary} × {table}", step=True)
def embedding(ids: Variable, table: Variable, vocabulary: ExprLike) -> Variable:
    """x = W_E[ids]      (Vaswani et al. 2017, section 3.4)

    ids [B S] → [B S d_model]; the table [V d_model] belongs to the first embedding that uses it.
    """
    return lookup(table, ids)
