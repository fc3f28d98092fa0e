"""Multi-head latent attention: keys and values of all heads are made from one small vector, the only one kept."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import CAUSAL, Cache, Scores, attention
from shapeviz.blocks.linear import linear
from shapeviz.blocks.sublayer import Attend, Norm, Step
from shapeviz.expr import Expr
from shapeviz.ir import Axis
from shapeviz.lang import (
    Variable,
    alias,
    axis,
    block,
    concatenate,
    merge_heads,
    part,
    remember,
    reshape,
    restate,
    split_heads,
    where,
    write,
    written,
)

CAPTION = "heads {self.heads.h} × ({self.heads.d_n} + {self.heads.d_r}), latent {self.heads.r_kv}"


@dataclass(frozen=True)
class LatentHeads:
    """h heads, whose queries and keys are d_n wide without position and d_r wide with it, their values d_v; keys and
    values come from a latent r_kv wide, queries from one r_q wide, or from x at once where there is no r_q."""

    h: Expr
    d_n: Expr
    d_r: Expr
    d_v: Expr
    r_kv: Expr
    r_q: Expr | None

    @property
    def axis(self) -> Axis:
        """That of the heads, the same for queries, keys and values."""
        return axis("h", self.h)


@dataclass(frozen=True)
class LatentAttention(Attend):
    """Attention whose keys and values come from a latent. `bias` is that of the maps to latents and of the output; of
    a token generation keeps the latent [r_kv] and one turned key [d_r], for all heads."""

    heads: LatentHeads
    norm: Norm
    rotate: Step
    bias: bool = False
    cache: Cache | None = None

    @block(kind="latent_attention", role="attention", term="MultiHead({x}, {memory})", caption=CAPTION)
    def __call__(self, x: Variable, memory: Variable) -> Variable:
        """MultiHead(x, m) = Concat(head_1, …, head_h) W_O,  head_i = Attention([q_n; RoPE(q_r)], [k_n; RoPE(k_r)], v)
        (DeepSeek-AI 2024, arXiv:2405.04434, eq. 9–19, with norms of the latents)

        x [B S d_model] → the same.
        """
        q, (down, up) = self._queries(x), self._latent(alias(memory, "m"))
        Q = self._turned(split_heads(q, self.heads.axis, name="query_heads"))
        K, V = self._keys_and_values(down, up, Q)
        head = attention(Q, K, V, Scores(CAUSAL))
        merged = write(merge_heads(head), "Concat(head_1, …, head_h)")
        y = linear(merged, x.shape[-1], self.bias, "O", name="output")
        heads = f"MultiHead(x, m) = {written(y)},  head_i = {written(head)}"
        whole = "norms of the latents" if self.heads.r_q else "a norm of the latent, and queries without one"
        restate(heads, f"DeepSeek-AI 2024, arXiv:2405.04434, eq. 9–19, with {whole}")
        return y

    def _queries(self, x: Variable) -> Variable:
        """Those of all heads: [B S h·(d_n + d_r)]."""
        n = self.heads
        if n.r_q is None:
            q = linear(x, n.h * (n.d_n + n.d_r), bias=False, letter="Q^i", name="query")
        else:
            low = self.norm(linear(x, n.r_q, self.bias, "DQ", name="query_down"), name="query_norm")
            q = linear(low, n.h * (n.d_n + n.d_r), bias=False, letter="UQ^i", name="query_up")
        where(f"[q_n; q_r] = {written(q)}")
        return q

    def _latent(self, m: Variable) -> tuple[Variable, Variable]:
        """The latent beside one key that will be turned [B T r_kv+d_r], and what all heads make of the first."""
        n = self.heads
        down = linear(m, n.r_kv + n.d_r, self.bias, "DKV", name="key_value_down")
        c = self.norm(write(part(down, n.r_kv, name="latent"), "c"), name="key_value_norm")
        up = linear(c, n.h * (n.d_n + n.d_v), bias=False, letter="UKV^i", name="key_value_up")
        where(f"[k_n; v] = {written(up)}")
        where(f"[c; k_r] = {written(down)}")
        if self.cache:
            remember("latent", n.r_kv, self.cache.tokens)
            remember("turned key", n.d_r, self.cache.tokens)
        return down, split_heads(up, n.axis, name="key_value_heads")

    def _turned(self, q: Variable) -> Variable:
        """Queries of which the position turns a part: [B h S d_n+d_r]."""
        still, turning = write(part(q, self.heads.d_n), "q_n"), write(part(q, self.heads.d_r), "q_r")
        return concatenate(still, self.rotate(turning, name="query_rotary"), name="queries")

    def _keys_and_values(self, down: Variable, up: Variable, Q: Variable) -> tuple[Variable, Variable]:
        """[B h T d_n+d_r] and [B h T d_v]; the turned part of the keys is the same for every head."""
        n = self.heads
        turned = self.rotate(write(part(down, n.d_r, name="position_key"), "k_r"), name="key_rotary")
        shared = reshape("expand", "for every head", turned, *Q.axes[:-1], n.d_r, name="shared_key")
        K = concatenate(write(part(up, n.d_n, name="content_keys"), "k_n"), shared, name="keys")
        return K, write(part(up, n.d_v, name="values"), "v")
