"""Scaled dot-product attention and its multi-head form, from multi-head to grouped and multi-query.

What varies is a part: each brings its operations and its piece of the equation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from shapeviz.blocks.linear import linear
from shapeviz.blocks.sublayer import Attend, Norm, Step
from shapeviz.expr import Expr
from shapeviz.ir import Axis
from shapeviz.lang import (
    Variable,
    add,
    alias,
    apply,
    axis,
    block,
    cite,
    entitle,
    matmul,
    merge_heads,
    param,
    remember,
    restate,
    softmax,
    split_heads,
    sqrt,
    state,
    where,
    write,
    written,
)


class Mask(NamedTuple):
    """Which keys j a query i looks at: the scores of all others are -∞. No shape changes, FLOPs are counted dense."""

    name: str
    allowed: str
    citation: str

    def applied(self, scores: Variable) -> Variable:
        """The scores [… S T], masked."""
        where(f"M_ij = 0 for {self.allowed}, else -∞", f"M: {self.citation}")
        return write(apply("mask", f"{self.name} mask", scores), "{0} + M", scores)


CAUSAL = Mask("causal", "j ≤ i", "Vaswani et al. 2017, section 3.2.3")


def sliding(window: Expr) -> Mask:
    """A causal mask that also hides what is `window` tokens back, or more; the paper's looks both ways."""
    return Mask(f"causal, {window} wide", f"i - {window} < j ≤ i", "after Beltagy et al. 2020, section 3.1")


@dataclass(frozen=True)
class Scores:
    """What becomes of Q Kᵀ: divided by √d_k if `scaled`, masked, and made weights by a softmax.

    With `sinks`, as many as there are heads, every head has a learned logit s that no value goes with.
    """

    mask: Mask | None = None
    scaled: bool = True
    sinks: Expr | None = None

    def weights(self, Q: Variable, K: Variable, b: Variable | None) -> Variable:
        """The weights of the values, [B h S T]."""
        scores = matmul(Q, K.T, name="scores")
        if self.scaled:
            scores = scores / sqrt(K.shape[-1])
        if b is not None:
            scores = add(scores, b, name="shifted")
        if self.mask:
            scores = self.mask.applied(scores)
        return softmax(scores, name="weights") if self.sinks is None else self._with_sinks(scores, self.sinks)

    def _with_sinks(self, scores: Variable, sinks: Expr) -> Variable:
        where(f"[P; p_s] = softmax([{written(scores)}; s])", "s: OpenAI 2025, after Xiao et al. 2023")
        what = f"softmax over {scores.shape[-1]} and the head's sink s"
        return write(apply("softmax", what, scores, param("s", sinks)), "P")

    def citation(self, b: Variable | None) -> str:
        """Where the sum under the softmax is from, and what of it is not."""
        changes = ["without the scale"] * (not self.scaled) + ["with b added"] * (b is not None)
        return ", ".join(["Vaswani et al. 2017, eq. 1", *changes])


@block(role="attention", term="Attention({Q}, {K}, {V})")
def attention(Q: Variable, K: Variable, V: Variable, scores: Scores = Scores(), b: Variable | None = None) -> Variable:
    """Attention(Q, K, V) = softmax(Q Kᵀ / √d_k) V      (Vaswani et al. 2017, eq. 1)

    Q [B h S d_k], K [B h T d_k], V [B h T d_v] → [B h S d_v]; b [h S T] is added to the scores.
    """
    y = matmul(scores.weights(Q, K, b), V, name="weighted_values")
    return state("Attention(Q, K, V)", y, scores.citation(b))


class Heads(NamedTuple):
    """h heads of queries and g of keys and values, d_k and d_v wide; one linear layer each makes those of all heads.

    Fewer heads of keys and values, g < h, are shared by groups of h/g heads of queries. The output's bias is as the
    others' unless said.
    """

    h: Expr
    g: Expr
    d_k: Expr
    d_v: Expr
    bias: bool = True
    output_bias: bool | None = None

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Those of the heads of queries: h, or g groups of h/g; the first of them is that of keys and values.

        They have names, so that the heads of queries, keys and values are the same whatever their sizes are written as.
        """
        if self.g == self.h:
            return (axis("h", self.h),)
        return axis("g", self.g), axis("r", Expr.of(self.h) / self.g)

    @property
    def caption(self) -> str:
        """What is said of the heads under the title of their block."""
        shared = ", {self.heads.g} for keys and values" if self.g != self.h else ""
        return "heads {self.heads.h} × {self.heads.d_k}" + shared

    @property
    def j(self) -> str:
        """The head of keys and values that belongs to head i of the queries."""
        return "i" if self.g == self.h else "j"

    def project(self, x: Variable, m: Variable, whole: bool) -> tuple[Variable, Variable, Variable]:
        """Queries of x, keys and values of m, for all heads at once: [B S h·d_k], [B T g·d_k], [B T g·d_v].

        The equation writes queries and keys as those of head i, or as a `whole`, of which it takes the heads later.
        """
        of_queries, of_keys = ("Q", "K") if whole else ("Q^i", f"K^{self.j}")
        return (
            linear(x, self.h * self.d_k, self.bias, of_queries, name="query"),
            linear(m, self.g * self.d_k, self.bias, of_keys, name="key"),
            linear(m, self.g * self.d_v, self.bias, f"V^{self.j}", name="value"),
        )

    def split(self, q: Variable, k: Variable, v: Variable) -> tuple[Variable, Variable, Variable]:
        """The heads of each: [B h S d_k], or [B g h/g S d_k] of shared ones, [B g T d_k], [B g T d_v]."""
        if self.g != self.h:
            where("j = ⌈i·g/h⌉", "j: Ainslie et al. 2023, section 2.2, for g = 1 Shazeer 2019, section 3")
        return (
            split_heads(q, *self.axes, name="query_heads"),
            split_heads(k, self.axes[0], name="key_heads"),
            split_heads(v, self.axes[0], name="value_heads"),
        )

    @property
    def citation(self) -> str:
        """Where the heads are from; biases are PyTorch's, the paper has none."""
        biased = self.bias or bool(self.output_bias)
        return "Vaswani et al. 2017, section 3.2.2" + ", with biases" * biased

    def merge(self, heads: Variable, d_model: Expr) -> Variable:
        """[B h S d_v] → [B S d_model]."""
        merged = merge_heads(heads, len(self.axes), name="concat")
        bias = self.bias if self.output_bias is None else self.output_bias
        return linear(write(merged, "Concat(head_1, …, head_h)"), d_model, bias, "O", name="output")


class QKNorm(NamedTuple):
    """A norm of the queries and the keys: of every head by itself, or, if `wide`, of all heads at once."""

    norm: Norm
    wide: bool = False

    def applied(self, q: Variable, k: Variable) -> tuple[Variable, Variable]:
        """Queries and keys, normalised."""
        cite("norms: " + ("OLMo et al. 2024" if self.wide else "after Dehghani et al. 2023, section 2"))
        return self.norm(q, name="query_norm"), self.norm(k, name="key_norm")


class Cache(NamedTuple):
    """Generation keeps the keys and values of so many `tokens`; their number `grows`, but for cross-attention's."""

    tokens: Expr
    grows: bool = True


@dataclass(frozen=True)
class MultiHead(Attend):
    """Multi-head attention, of `heads` whose `scores` are masked and shifted; queries and keys may be normalised and
    turned by their position. The block is entitled by its name unless `title` says otherwise."""

    heads: Heads
    scores: Scores = Scores()
    norm: QKNorm | None = None
    rotate: Step | None = None
    cache: Cache | None = None
    title: str = ""

    @block(kind="multi_head", role="attention", term="MultiHead({x}, {memory})")
    def __call__(self, x: Variable, memory: Variable, b: Variable | None = None) -> Variable:
        """MultiHead(x, m) = Concat(head_1, …, head_h) W_O,  head_i = Attention(x W_Q^i, m W_K^i, m W_V^i)
        (Vaswani et al. 2017, section 3.2.2)

        x [B S d_model], memory m [B T d_model] → [B S d_model]; b [h S T] is added to the scores.
        """
        entitle(self.title, self.heads.caption)
        Q, K, V = self._prepared(x, alias(memory, "m"))
        if self.cache:
            remember("keys", self.heads.g * self.heads.d_k, self.cache.tokens, self.cache.grows)
            remember("values", self.heads.g * self.heads.d_v, self.cache.tokens, self.cache.grows)
        head = attention(Q, K, V, self.scores, b)
        y = self.heads.merge(head, x.shape[-1])
        restate(f"MultiHead(x, m) = {written(y)},  head_i = {written(head)}", self.heads.citation)
        return y

    def _prepared(self, x: Variable, m: Variable) -> tuple[Variable, Variable, Variable]:
        """The heads of queries, keys and values, as attention reads them."""
        whole = self.norm is not None and self.norm.wide
        q, k, v = self.heads.project(x, m, whole)
        if self.norm and whole:
            q, k = self.norm.applied(q, k)
        Q, K, V = self.heads.split(q, k, v)
        if self.norm and whole:
            Q, K = write(Q, "{0}_i", q), write(K, f"{{0}}_{self.heads.j}", k)
        elif self.norm:
            Q, K = self.norm.applied(Q, K)
        if self.rotate:
            cite("RoPE: Su et al. 2021, section 3.2.2")
            Q, K = self.rotate(Q, name="query_rotary"), self.rotate(K, name="key_rotary")
        return Q, K, V
