"""The letters that families share, as expressions: what they mean stands in shapeviz.symbols."""

from __future__ import annotations

from typing import Any

from shapeviz.expr import Expr

B, S, T, V, P, N, C, E, k, h, g, w = map(Expr.of, ("B", "S", "T", "V", "P", "N", "C", "E", "k", "h", "g", "w"))

d_model, d_k, d_v, d_ff, d_e, d_s, N_enc, N_dec = map(
    Expr.of, ("d_model", "d_k", "d_v", "d_ff", "d_e", "d_s", "N_enc", "N_dec")
)


def heads(c: Any) -> tuple[Expr, Expr, dict[str, Expr], dict[str, str]]:
    """g and d_k of a configuration in the usual keys, with the rules and aliases that they stand for.

    g is h where every head has keys of its own, d_k is d_model / h where no head_dim is given.
    """
    shared = c.num_key_value_heads not in (None, c.num_attention_heads)
    rules = {} if getattr(c, "head_dim", None) else {"d_k": d_model / h}
    return g if shared else h, d_k, rules, {} if shared else {"g": "h"}
