"""GPT-J: attention and feed-forward network side by side behind one LayerNorm, rotary positions
(Wang & Komatsuzaki 2021)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.norm import layer_norm
from shapeviz.blocks.parallel import Parallel
from shapeviz.blocks.position import rotary
from shapeviz.keys import key
from shapeviz.models._checks import divides, known_activations
from shapeviz.models._decoder_only import classes, decoder_only
from shapeviz.models._letters import N, d_ff, d_k, d_model, h
from shapeviz.models._patterns import causal
from shapeviz.models._plan import Layers, Plan

SYMBOLS = {"V": "vocab_size", "N": "n_layer", "d_model": "n_embd", "h": "n_head", "d_ff": "n_inner"}
ALIASES = {
    "hidden_size": "n_embd", "max_position_embeddings": "n_positions", "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
}  # fmt: skip
IGNORED = {
    "n_ctx", "resid_pdrop", "embd_pdrop", "attn_pdrop", "layer_norm_epsilon", "scale_attn_weights",
}  # fmt: skip
ONLY = {"attention_bias": (False,), "rotary": (True,)}
# its questions have as many scores as there are labels
CLASSES = {**classes("GPTJ"), "GPTJForQuestionAnswering": "token"}
MODULES = {"decoder.embedding": "wte", "decoder.*layer": "h", "decoder.final_norm": "ln_f"}


@dataclass(frozen=True)
class Config:
    """The keys of a GPT-J configuration; the defaults are those of GPT-J-6B.

    How much of a head the position turns, rotary_dim, costs nothing; PyTorch's implementation cannot run without it.
    """

    vocab_size: int = key(50400)
    n_positions: int = key(2048)
    n_embd: int = key(4096)
    n_layer: int = key(28)
    n_head: int = key(16)
    n_inner: int | None = key(None)
    rotary_dim: int | None = key(64, may_be_zero=True, null=True)
    activation_function: str = key("gelu_new")
    tie_word_embeddings: bool = key(False)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide the width, and for an unknown activation."""
    divides(c, "n_head", "n_embd")
    known_activations(c)


def build(c: Config, task: str) -> Plan:
    """The plan of a GPT-J; its feed-forward network is 4·d_model wide unless n_inner says otherwise."""
    attend = causal(MultiHead(Heads(h, h, d_k, d_k, bias=False), rotate=rotary))
    feed = FeedForward((d_ff,), activation=c.activation_function)
    layer = Parallel(attend, feed, layer_norm)
    function = decoder_only([Layers(N, layer)], layer_norm, task, c.tie_word_embeddings, head_bias=True)
    rules = {"d_k": d_model / h} | ({} if c.n_inner else {"d_ff": 4 * d_model})
    return Plan(function, rules, longest=c.n_positions)
