"""Mixture of experts: a router sends each token to k of E feed-forward networks, some others see every token."""

from __future__ import annotations

from shapeviz.blocks.encoder import Sublayer
from shapeviz.blocks.linear import linear
from shapeviz.expr import Expr
from shapeviz.lang import Variable, apply, block, buffer, matmul, multiply, param, repeat, reshape, restate


@block(role="feed_forward", caption="{x} → {E}, top {k}", step=True)
def router(
    x: Variable,
    E: Expr,
    k: Expr,
    bias: bool = False,
    correction: bool = False,
    scores: str = "",
    normalised: bool = False,
) -> Variable:
    """p = softmax(TopK(x W_r))      (Jiang et al. 2024, section 2.1)

    x [B S d_model] → [B S k], the weights of the k experts that are chosen (with noise: Shazeer et al. 2017, eq. 3–5);
    W_r [d_model E]. With `scores`, softmax or
    sigmoid, every expert has one before the choice (Dai et al. 2024, section 2), and those chosen may be `normalised`.
    A `correction` [E] is added for the choice alone and is no parameter (DeepSeek-AI 2024, arXiv:2412.19437, eq. 16).
    Two things that change neither shapes nor cost are left out: groups of experts, the best of which are chosen first
    (n_group, topk_group), and the factor by which the weights are multiplied in the end (routed_scaling_factor).
    """
    linear_map = "x W_r" + " + b_r" * bias
    chosen = "TopK(s + e)" if correction else "TopK(s)"
    weights = f"s_i / Σ_j s_j,  i, j ∈ {chosen}" if normalised else f"s_i,  i ∈ {chosen}"
    letters = {"softmax": "softmax", "sigmoid": "σ"}
    if scores:
        restate(f"s = {letters[scores]}({linear_map});  p_i = {weights}", _citation(scores, correction, normalised))
    elif bias:
        restate(f"p = softmax(TopK({linear_map}))")
    s = matmul(x, param("W_r", x.shape[-1], E), name="scores")
    if bias:
        s = s + param("b_r", E)
    if scores:
        s = apply(scores, f"{letters[scores]} of all {E}", s)
    if correction:
        s = apply("correct", "choose by score + e", s, buffer("e", E))
    return reshape("top_k", f"the {k} largest of {E}", s, *x.axes[:-1], k, name="weights")


def _citation(scores: str, correction: bool, normalised: bool) -> str:
    """The paper that has the router with these scores; none is known for the softmax of all, normalised anew."""
    if correction and normalised and scores == "sigmoid":
        return "DeepSeek-AI 2024, arXiv:2412.19437, eq. 13–16"
    plain = scores == "softmax" and not correction and not normalised
    return "Dai et al. 2024, section 2" if plain else ""


@block(role="feed_forward", caption="{k} of {E} experts")
def mixture_of_experts(
    x: Variable,
    E: Expr,
    k: Expr,
    expert: Sublayer,
    shared: Sublayer | None = None,
    shared_gate: bool = False,
    router_bias: bool = False,
    correction: bool = False,
    scores: str = "",
    normalised: bool = False,
) -> Variable:
    """MoE(x) = Σ_{i ∈ TopK} p_i·Expert_i(x)      (Shazeer et al. 2017, eq. 1)

    x [B S d_model] → the same. Of E experts each token meets k; a `shared` one sees every token (Dai et al. 2024,
    section 3.2), weighed by a sigmoid gate of its own if it has one.
    """
    if shared:
        gate = "σ(x w)·" * shared_gate
        restate(
            f"MoE(x) = Σ_{{i ∈ TopK}} p_i·Expert_i(x) + {gate}Shared(x)",
            "" if shared_gate else "Dai et al. 2024, section 3.2",
        )
    p = router(x, E, k, router_bias, correction, scores, normalised)
    y = repeat(k, expert, x, copies=E, routed=True, name="expert")
    y = apply("combine", f"weighted by p, summed over the {k} chosen", y, p)
    if shared:
        z = shared(x, name="shared_expert", title="Shared expert")
        if shared_gate:
            weight = apply("sigmoid", "σ(x)", linear(x, 1, bias=False, name="shared_expert_gate"))
            z = multiply(z, reshape("expand", "for all features", weight, *z.axes), name="gated")
        y = y + z
    return y
