"""Mixture of experts: a router sends each token to k of E feed-forward networks, some others see every token."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.activation import written_as
from shapeviz.blocks.linear import linear
from shapeviz.blocks.sublayer import Feed
from shapeviz.expr import Expr
from shapeviz.lang import (
    Variable,
    apply,
    block,
    buffer,
    cite,
    matmul,
    multiply,
    param,
    repeat,
    reshape,
    restate,
    state,
    write,
    written,
)


@dataclass(frozen=True)
class Scored:
    """A score between 0 and 1 for every expert before the choice, by softmax or sigmoid; those of the chosen ones may
    be `normalised`, to the sum 1.

    A `correction` e [E] is added for the choice alone, and is no parameter.
    """

    by: str
    normalised: bool = False
    correction: bool = False

    def choose(self, logits: Variable, E: Expr) -> Variable:
        """The scores of all experts [… E], and what the equation makes of them."""
        sign = "softmax({0})" if self.by == "softmax" else written_as(self.by)
        s = write(apply(self.by, f"{sign.partition('(')[0]} of all {E}", logits), sign, logits)
        chosen = "TopK(s)"
        text = written(s)
        if self.correction:
            s, chosen = apply("correct", "choose by score + e", s, buffer("e", E)), "TopK(s + e)"
        weights = f"s_i / Σ_j s_j,  i, j ∈ {chosen}" if self.normalised else f"s_i,  i ∈ {chosen}"
        restate(f"p_i = {weights},  s = {text}", self._citation())
        return s

    def _citation(self) -> str:
        """None is known for a softmax of all, normalised anew."""
        if self.by == "sigmoid" and self.normalised and self.correction:
            return "DeepSeek-AI 2024, arXiv:2412.19437, eq. 13–16"
        plain = self.by == "softmax" and not (self.normalised or self.correction)
        return "Dai et al. 2024, section 2" if plain else ""


@dataclass(frozen=True)
class Router:
    """The choice of k among E experts, by the largest of x W_r; `scored` says what is done to all of them before.

    Two things that change neither shapes nor cost are left out: groups of experts, the best of which are chosen first
    (n_group, topk_group), and the factor by which the weights are multiplied in the end (routed_scaling_factor).
    """

    E: Expr
    k: Expr
    scored: Scored | None = None
    bias: bool = False

    @block(kind="router", role="feed_forward", caption="{x} → {self.E}, top {self.k}", step=True, term="p_i")
    def __call__(self, x: Variable) -> Variable:
        """p = softmax(TopK(x W_r))      (Jiang et al. 2024, section 2.1)

        x [B S d_model] → [B S k], the weights of the chosen experts; W_r [d_model E]. With noise before the choice:
        Shazeer et al. 2017, eq. 3–5.
        """
        s = matmul(x, param("W_r", x.shape[-1], self.E), name="scores")
        s = s + param("b_r", self.E) if self.bias else s
        logits = written(s)
        if self.scored:
            s = self.scored.choose(s, self.E)
        else:
            restate(f"p = softmax(TopK({logits}))", "Jiang et al. 2024, section 2.1" + ", with a bias" * self.bias)
        return reshape(
            "top_k", f"the {self.k} largest of {self.E}", s, *x.axes[:-1], self.k, name="weights", copied=True
        )


@dataclass(frozen=True)
class Shared:
    """A network that sees every token beside the experts, weighed by a sigmoid gate of its own if it is `gated`."""

    feed: Feed
    gated: bool = False

    def __call__(self, x: Variable) -> Variable:
        """x [B S d_model] → the same, in the running block."""
        z = write(self.feed(x, name="shared_expert", title="Shared expert"), "Shared({0})", x)
        cite("Shared" + " without its gate" * self.gated + ": Dai et al. 2024, section 3.2")
        if not self.gated:
            return z
        gate = linear(x, 1, bias=False, letter="s", name="shared_expert_gate")
        weight = write(apply("sigmoid", "σ(x)", gate), "σ({0})", gate)
        return multiply(z, reshape("expand", "for all features", weight, *z.axes), name="gated")


@dataclass(frozen=True)
class MixtureOfExperts(Feed):
    """Of E experts each token meets the k that the router chooses; a `shared` network sees every token."""

    router: Router
    expert: Feed
    shared: Shared | None = None

    @block(kind="mixture_of_experts", role="feed_forward", term="FFN({x})",
           caption="{self.router.k} of {self.router.E} experts")  # fmt: skip
    def __call__(self, x: Variable) -> Variable:
        """MoE(x) = Σ_{i ∈ TopK} p_i·Expert_i(x)      (Shazeer et al. 2017, eq. 1)

        x [B S d_model] → the same.
        """
        p = self.router(x)
        y = repeat(self.router.k, self.expert, x, copies=self.router.E, routed=True, name="expert")
        y = apply("combine", f"weighted by p, summed over the {self.router.k} chosen", y, p)
        write(y, "Σ_{i ∈ TopK} p_i·Expert_i({0})", x)
        if self.shared:
            y = y + self.shared(x)
        return state("MoE(x)", y, "Shazeer et al. 2017, eq. 1")
