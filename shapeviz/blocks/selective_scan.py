"""Mamba: a state space whose step, input and output depend on the token, scanned along the sequence."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.activation import activation as activate
from shapeviz.blocks.causal_convolution import causal_convolution
from shapeviz.blocks.linear import linear
from shapeviz.blocks.sublayer import Layer, Norm
from shapeviz.expr import ExprLike
from shapeviz.lang import (
    Variable,
    apply,
    axis,
    block,
    constant,
    contract,
    param,
    remember,
    restate,
    scan,
    written,
)  # fmt: skip


@block(role="state_space", title="Step of the recurrence", step=True)
def state_step(
    x: Variable, Δ: Variable, B: Variable, C: Variable, A: Variable, h: Variable
) -> tuple[Variable, Variable]:
    """h_t = exp(Δ_t ⊗ A) ⊙ h_(t-1) + (Δ_t ⊙ x_t) ⊗ B_t,  y_t = Σ_n h_t C_t
    (Gu & Dao 2023, eqs. 2a, 2b and 4, with Δ B for the B of eq. 4, as in their code)

    One token's x, Δ [B d], B, C [B n], for all A [d n] and the state h [B d n] → y [B d] and the next state.
    """
    kept = apply("exp", "exp(Δ A)", contract(Δ, A, over=(), name="discretised"))
    h = kept * h + contract(Δ * x, B, over=(), name="input")
    return contract(h, C, over=C.axes[-1], name="output"), h


@block(role="state_space", title="Selective scan", caption="{x} × {n} states, Δ of rank {R}", term="SSM({x})")
def selective_scan(x: Variable, n: ExprLike, R: ExprLike, cache: ExprLike | None = None) -> Variable:
    """y = SSM(Δ, A, B, C)(x) + x ⊙ D,  Δ = softplus(x W_Δ1 W_Δ2 + b_Δ2),  B = x W_B,  C = x W_C,  A = -exp(A_log)
    (Gu & Dao 2023, algorithm 2 and section 3.6, with D and A_log as in their code)

    x [B S d] → the same, through a state [B d n] that runs along S; A_log [d n], D [d]. Δ is of rank R. Generation
    keeps the state of each of `cache` sequences, however long they are. Of the recurrence only y_t = Σ_n h_t C_t is a
    matrix product, 2·B·d·n for every token, which PyTorch's counter sees where the module runs step by step, and not in
    a fused kernel; the rest is elementwise.
    """
    *batch, tokens, channels = x.axes
    states = axis("n", n)
    low = linear(x, R, False, "Δ1", name="step_down", title="Δ, down to its rank")
    high = linear(low, channels, True, "Δ2", name="step_up", title="Δ, up to the channels")
    Δ = apply("softplus", "softplus(Δ)", high)
    B = linear(x, states, False, "B", name="input_matrix", title="B")
    C = linear(x, states, False, "C", name="output_matrix", title="C")
    A = apply("exp", "A = -exp(A_log)", param("A_log", channels, states))
    if cache is not None:
        remember("state", channels.size * n, cache, grows=False)
    y, _ = scan(state_step, (x, Δ, B, C, A), constant("h_0", *batch, channels, states), over=tokens)
    return y + x * param("D", channels)


@dataclass(frozen=True)
class Mamba:
    """A selective state space between linear layers: d_in channels of n states each, a step Δ of rank R, a causal
    convolution with a kernel of K tokens. Generation keeps the states of `cache` sequences."""

    d_in: ExprLike
    n: ExprLike
    R: ExprLike
    K: ExprLike
    bias: bool = False
    conv_bias: bool = True
    activation: str = "silu"
    cache: ExprLike | None = None

    @block(
        kind="mamba",
        role="state_space",
        title="Mamba",
        caption="{x} → {self.d_in} → {x}, {self.n} states",
        term="Mamba({x})",
    )
    def __call__(self, x: Variable) -> Variable:
        """y = (SSM(SiLU(Conv(x W_in))) ⊙ SiLU(x W_gate)) W_O      (Gu & Dao 2023, section 3.4 and figure 3)

        x [B S d_model] → the same, through [B S d_in].
        """
        channels = axis("d_in", self.d_in)
        u = linear(x, channels, self.bias, "in", name="input")
        u = causal_convolution(u, self.K, self.conv_bias, self.cache, name="convolution")
        y = selective_scan(activate(self.activation, u), self.n, self.R, self.cache, name="scan")
        z = activate("silu", linear(x, channels, self.bias, "gate", name="gate"))
        y = linear(y * z, x.axes[-1], self.bias, "O", name="output")
        restate(f"y = {written(y)}", "Gu & Dao 2023, section 3.4 and figure 3")
        return y


@dataclass(frozen=True)
class MixingLayer(Layer):
    """One mixer in the place of attention and feed-forward network, the norm before it."""

    mix: Mamba
    norm: Norm

    @block(kind="mixing_layer", role="layer")
    def __call__(self, x: Variable) -> Variable:
        """x ← x + Mamba(Norm(x))      (Gu & Dao 2023, section 3.4)

        x [B S d_model] → the same.
        """
        return x + self.mix(self.norm(x, name="norm"), name="mixer")
