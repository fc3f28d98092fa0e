"""Attention with linear biases: nothing is added to the tokens, the distance itself lowers a score."""

from __future__ import annotations

from typing import Any

from shapeviz.blocks.attention import head_axes, multi_head
from shapeviz.blocks.position import alibi
from shapeviz.expr import Expr
from shapeviz.lang import Variable


def multi_head_with_alibi(x: Variable, memory: Variable, h: Expr, g: Expr, **options: Any) -> Variable:
    """MultiHead(x, m) with m_h·(j - i) added to the scores      (Press et al. 2022, section 3)

    x [B S d_model], memory m [B T d_model] → [B S d_model]; no parameter more than `multi_head` has.
    """
    return multi_head(x, memory, h=h, g=g, shift=alibi(x, *head_axes(h, g), name="alibi"), **options)
