"""DeepSeek-V3: a DeepSeek-V2 whose router has sigmoid scores and a correction that balances the experts
(DeepSeek-AI 2024, arXiv:2412.19437, section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.models import _latent
from shapeviz.models._decoder_only import USUAL_IGNORED, USUAL_MODULES, classes
from shapeviz.models._plan import Count, Plan, at_most, divides

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

    vocab_size: int = 129280
    hidden_size: int = 7168
    intermediate_size: int = 18432
    num_hidden_layers: int = 61
    num_attention_heads: int = 128
    num_key_value_heads: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 4096
    attention_bias: bool = False
    first_k_dense_replace: Count = 3
    kv_lora_rank: int = 512
    q_lora_rank: int | None = 1536
    qk_nope_head_dim: int = 128
    qk_rope_head_dim: int = 64
    v_head_dim: int = 128
    n_routed_experts: int = 256
    n_shared_experts: Count = 1
    num_experts_per_tok: int = 8
    n_group: int = 8
    topk_group: int = 4
    norm_topk_prob: bool = True
    moe_intermediate_size: int = 2048
    num_nextn_predict_layers: Count = 0
    tie_word_embeddings: bool = False


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
    return _latent.latent_plan(
        c, task, bias=False, scores="sigmoid", normalised=c.norm_topk_prob, correction=True, notes=notes
    )
