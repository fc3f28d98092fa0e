"""DeepSeek-V3: a DeepSeek-V2 whose router has sigmoid scores and a correction that balances the experts
(DeepSeek-AI 2024, arXiv:2412.19437, section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.moe import Scored
from shapeviz.keys import key
from shapeviz.models import _latent
from shapeviz.models._checks import at_most, divides
from shapeviz.models._decoder_only import USUAL_IGNORED, USUAL_MODULES, classes
from shapeviz.models._plan import Plan

SYMBOLS = _latent.SYMBOLS
ALIASES = {"num_local_experts": "n_routed_experts", "num_mtp_layers": "num_nextn_predict_layers"}
IGNORED = USUAL_IGNORED | {
    "rope_interleave", "pretraining_tp", "head_dim", "qk_head_dim", "scoring_func", "routed_scaling_factor",
    "aux_loss_alpha", "seq_aux", "ep_size", "router_aux_loss_coef",
}  # fmt: skip
ONLY = {"moe_layer_freq": (1,), "topk_method": ("noaux_tc",), "mlp_bias": (False,), "use_mla": (True,)}
CLASSES = classes("DeepseekV3", "ForTokenClassification")
MODULES = USUAL_MODULES


@dataclass(frozen=True)
class Config:
    """The keys of a DeepSeek-V3 configuration, with the defaults that its documentation states.

    num_key_value_heads has no effect: latent attention makes keys and values for every head. Nor have modules that
    predict further tokens, which no class of the model holds.
    """

    vocab_size: int = key(129280)
    hidden_size: int = key(7168)
    intermediate_size: int = key(18432)
    num_hidden_layers: int = key(61)
    num_attention_heads: int = key(128)
    num_key_value_heads: int | None = key(None)
    hidden_act: str = key("silu")
    max_position_embeddings: int = key(4096)
    attention_bias: bool = key(False)
    first_k_dense_replace: int = key(3, may_be_zero=True)
    kv_lora_rank: int = key(512)
    q_lora_rank: int | None = key(1536, null=True)
    qk_nope_head_dim: int = key(128)
    qk_rope_head_dim: int = key(64)
    v_head_dim: int = key(128)
    n_routed_experts: int = key(256)
    n_shared_experts: int = key(1, may_be_zero=True)
    num_experts_per_tok: int = key(8)
    n_group: int = key(8)
    topk_group: int = key(4)
    norm_topk_prob: bool = key(True)
    moe_intermediate_size: int = key(2048)
    num_nextn_predict_layers: int = key(0, may_be_zero=True)
    tie_word_embeddings: bool = key(False)


def check(c: Config) -> None:
    """Raises SizeError for more chosen experts than there are, and for groups of experts that do not divide."""
    _latent.latent_check(c)
    if c.first_k_dense_replace < c.num_hidden_layers:
        at_most(c, "num_experts_per_tok", "n_routed_experts")
        divides(c, "n_group", "n_routed_experts")
        at_most(c, "topk_group", "n_group")


def build(c: Config, task: str) -> Plan:
    """The plan of a DeepSeek-V3."""
    more = c.num_nextn_predict_layers
    notes = (f"num_nextn_predict_layers = {more}: modules that predict further tokens are not counted",) if more else ()
    scored = Scored("sigmoid", normalised=c.norm_topk_prob, correction=True)
    return _latent.latent_plan(c, task, bias=False, scored=scored, notes=notes)
