"""Mamba: a stack of selective state spaces, without attention and without positions (Gu & Dao 2023, section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.norm import rms_norm
from shapeviz.blocks.selective_scan import Mamba, MixingLayer
from shapeviz.errors import SizeError
from shapeviz.expr import Expr, ceil
from shapeviz.keys import integer_or, key, one_of
from shapeviz.models._checks import known_activations
from shapeviz.models._decoder_only import decoder_only
from shapeviz.models._letters import B, N, d_model
from shapeviz.models._plan import Layers, Plan

SYMBOLS = {
    "V": "vocab_size", "N": "num_hidden_layers", "d_model": "hidden_size", "e": "expand", "n": "state_size",
    "R": "time_step_rank", "K": "conv_kernel",
}  # fmt: skip
ALIASES = {"d_model": "hidden_size", "n_layer": "num_hidden_layers", "d_inner": "intermediate_size"}
IGNORED = {
    "layer_norm_epsilon", "rms_norm", "fused_add_norm", "residual_in_fp32", "rescale_prenorm_residual", "ssm_cfg",
    "time_step_scale", "time_step_min", "time_step_max", "time_step_init_scheme", "time_step_floor", "use_mambapy",
    "use_associative_scan", "pad_vocab_size_multiple",
}  # fmt: skip
CLASSES = {"MambaForCausalLM": "lm", "MambaModel": ""}
MODULES = {"decoder.embedding": "embeddings", "decoder.layer": "layers", "decoder.final_norm": "norm_f"}
LEGEND = {
    "e": "expansion of the inner width", "d_in": "inner width", "n": "states of a channel", "R": "rank of the step Δ",
    "K": "kernel of the convolution",
}  # fmt: skip
CONVENTIONS = {
    "flops": "2 per multiply-add; matrix products and convolutions only, of the recurrence y_t = h_t C_t for every "
    "token; the convolution has S + K - 1 places, as PyTorch pads it; one forward pass",
    "kv_cache": "bytes that one more token adds, b_kv bytes an element: none, for the state has one size for ever",
    "cache": "bytes kept for B sequences of any length, b_kv bytes an element: the last K inputs of the convolution, "
    "and the state",
}
e, d_in, n, R, K = map(Expr.of, LEGEND)


@dataclass(frozen=True)
class Config:
    """The keys of a Mamba configuration; the defaults are those of transformers."""

    vocab_size: int = key(50280)
    hidden_size: int = key(768)
    state_size: int = key(16)
    num_hidden_layers: int = key(32)
    expand: int = key(2)
    intermediate_size: int | None = key(None)
    conv_kernel: int = key(4)
    use_bias: bool = key(False)
    use_conv_bias: bool = key(True)
    hidden_act: str = key("silu")
    time_step_rank: int | str = key("auto", integer_or(one_of("auto")))
    tie_word_embeddings: bool = key(True)


def check(c: Config) -> None:
    """Raises SizeError for an inner width that is not the expanded one, and for an unknown activation."""
    inner = c.expand * c.hidden_size
    if c.intermediate_size not in (None, inner):
        raise SizeError(
            f"intermediate_size = {c.intermediate_size}: a Mamba of expand = {c.expand} and hidden_size = "
            f"{c.hidden_size} has {inner}; leave the key out"
        )
    known_activations(c)


def build(c: Config, task: str) -> Plan:
    """The plan of a Mamba; Δ has a sixteenth of the model's width for its rank unless it is given."""
    mix = Mamba(d_in, n, R, K, c.use_bias, c.use_conv_bias, c.hidden_act, cache=B)
    layer = MixingLayer(mix, rms_norm)
    function = decoder_only([Layers(N, layer)], rms_norm, task, c.tie_word_embeddings)
    rules = {"d_in": e * d_model} | ({"R": ceil(d_model / 16)} if c.time_step_rank == "auto" else {})
    return Plan(function, rules, legend=LEGEND, conventions=CONVENTIONS)
