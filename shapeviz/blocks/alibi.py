"""Attention with linear biases: nothing is added to the tokens, the distance itself lowers a score."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import MultiHead
from shapeviz.blocks.position import alibi
from shapeviz.blocks.sublayer import Attend
from shapeviz.lang import Variable, where


@dataclass(frozen=True)
class WithAlibi(Attend):
    """Multi-head attention with m_h·(j - i) added to the scores: no parameter more."""

    attend: MultiHead

    def __call__(self, x: Variable, memory: Variable, *, name: str = "", title: str = "") -> Variable:
        """x [B S d_model], memory m [B T d_model] → [B S d_model]."""
        where("MultiHead adds b_ij = m_h·(j - i)", "b: Press et al. 2022, section 3")
        slopes = alibi(x, *self.attend.heads.axes, name="alibi")
        return self.attend(x, memory, slopes, name=name, title=title)
