"""DeepSeek-V2: multi-head latent attention, shared and routed experts (DeepSeek-AI 2024, arXiv:2405.04434,
section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.moe import Scored
from shapeviz.errors import SizeError
from shapeviz.keys import key
from shapeviz.models import _latent
from shapeviz.models._checks import at_most, divides
from shapeviz.models._decoder_only import USUAL_IGNORED, USUAL_MODULES, classes
from shapeviz.models._plan import Plan

SYMBOLS = _latent.SYMBOLS
ALIASES = {"num_experts": "n_routed_experts"}
IGNORED = USUAL_IGNORED | {
    "pretraining_tp", "head_dim", "qk_head_dim", "n_group", "topk_group", "topk_method", "scoring_func",
    "norm_topk_prob", "routed_scaling_factor", "aux_loss_alpha", "seq_aux", "ep_size", "router_aux_loss_coef",
}  # fmt: skip
ONLY = {"moe_layer_freq": (1,), "use_mla": (True,)}
CLASSES = classes("DeepseekV2")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a DeepSeek-V2 configuration, with the defaults that its documentation states.

    num_key_value_heads has no effect: latent attention makes keys and values for every head.
    """

    vocab_size: int = key(102400)
    hidden_size: int = key(4096)
    intermediate_size: int = key(11008)
    num_hidden_layers: int = key(32)
    num_attention_heads: int = key(32)
    num_key_value_heads: int | None = key(None)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(2048)
    attention_bias: bool = key(False)
    mlp_bias: bool = key(False)
    first_k_dense_replace: int = key(0, may_be_zero=True)
    kv_lora_rank: int = key(512)
    q_lora_rank: int | None = key(1536, null=True)
    qk_nope_head_dim: int = key(128)
    qk_rope_head_dim: int = key(64)
    v_head_dim: int = key(128)
    n_routed_experts: int = key(64)
    n_shared_experts: int = key(2, may_be_zero=True)
    num_experts_per_tok: int | None = key(None)
    moe_intermediate_size: int = key(1407)
    tie_word_embeddings: bool = key(False)


def check(c: Config) -> None:
    """Raises SizeError for heads that do not divide or turn, and for chosen experts that are not said or too many."""
    divides(c, "num_attention_heads", "hidden_size")
    _latent.latent_check(c)
    if c.first_k_dense_replace < c.num_hidden_layers:
        if c.num_experts_per_tok is None:
            raise SizeError("num_experts_per_tok is needed, it has no default: how many experts does a token meet?")
        at_most(c, "num_experts_per_tok", "n_routed_experts")


def build(c: Config, task: str) -> Plan:
    """The plan of a DeepSeek-V2."""
    return _latent.latent_plan(c, task, c.mlp_bias, Scored("softmax"))
