"""Relative positions: a number for each head and distance, added to the scores of all layers of a stack."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import MultiHead
from shapeviz.blocks.sublayer import Attend
from shapeviz.expr import Expr, ExprLike
from shapeviz.lang import Variable, block, constant, lookup, param, reshape, where


@dataclass(frozen=True)
class Shifted(Attend):
    """Multi-head attention with b [h S T] added to the scores, which an outer block has made for all of its layers."""

    attend: MultiHead
    b: Variable

    def __call__(self, x: Variable, memory: Variable, *, name: str = "", title: str = "") -> Variable:
        """x [B S d_model], memory m [B T d_model] → [B S d_model]."""
        return self.attend(x, memory, self.b, name=name, title=title)


@block(role="embedding", title="Relative positions", caption="{buckets} × {h}", step=True, term="b")
def relative(x: Variable, buckets: ExprLike, h: Expr) -> Variable:
    """b[i, j] = W_R[bucket(j - i)]      (Raffel et al. 2020, section 2.1)

    x [B S d_model] tells the length → [h S S], one number for each head and distance; W_R [buckets h].
    """
    rows = x.axes[-2]
    distances = constant("distances", rows, rows, dtype="int64")
    looked_up = lookup(param("W_R", buckets, h), distances)
    return reshape("transpose", "heads first", looked_up, h, rows, rows, name="shift")


@dataclass(frozen=True)
class OwnRelative(Attend):
    """Multi-head attention that adds to its scores positions of its own, from a table of so many `buckets`."""

    attend: MultiHead
    buckets: ExprLike

    def __call__(self, x: Variable, memory: Variable, *, name: str = "", title: str = "") -> Variable:
        """x [B S d_model], memory m [B S d_model] → [B S d_model]."""
        where("MultiHead adds b_ij = W_R[bucket(j - i)]", "b: Raffel et al. 2020, section 2.1")
        b = relative(x, self.buckets, self.attend.heads.h, name="relative")
        return self.attend(x, memory, b, name=name, title=title)


@dataclass(frozen=True)
class Relative:
    """Relative positions of so many `buckets` of distances, one table for all layers of a stack."""

    buckets: ExprLike
    h: Expr

    def added_to(self, attend: MultiHead, x: Variable) -> Shifted:
        """Attention of which every layer adds to its scores what is made here once, [h S S], of x [B S d_model]."""
        where("MultiHead adds b_ij = W_R[bucket(j - i)]", "b: Raffel et al. 2020, section 2.1")
        return Shifted(attend, relative(x, self.buckets, self.h, name="relative"))
