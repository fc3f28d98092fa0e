"""Keys of any config.json that change neither shapes nor cost, by name or by value; nothing else is passed over.

A key is harmless if it only says how the model was made, is trained, samples, is stored or is served; or if its value
says that the model lacks what the key is about, unless that may be something that the family has (`use_bias` = false).
"""

from __future__ import annotations

import re

BOOKKEEPING = {
    "_name_or_path", "name_or_path", "_commit_hash", "_from_model_config", "architectures", "auto_map", "custom_code",
    "finetuning_task", "license", "model_type", "task_specific_params", "tokenizer_class", "transformers_version",
    "vocab_file", "vocab_name", "problem_type", "is_encoder_decoder", "_num_labels", "prefix", "unsloth_version",
    "unsloth_fixed", "auto_mapping", "gradient_checkpointing", "is_composition", "keys_to_ignore_at_inference",
    "label2id", "sentence_transformers", "sbert_ce_default_activation_function", "language", "name", "tf_legacy_loss",
    "transformers.js_config", "tokenizer_model_max_length", "classifier_from_token",
}  # fmt: skip
NUMERICS = {
    "dtype", "torch_dtype", "use_bfloat16", "_attn_implementation", "_attn_implementation_autoset",
    "attn_implementation", "_flash_attn_2_enabled", "use_flash_attn", "use_flash_attention_2", "experts_implementation",
    "_experts_implementation", "chunk_size_feed_forward", "initializer_range", "initializer_factor",
    "quantization_config", "quantization", "compression_config", "kv_cache_quant_algo", "fused_kernels", "use_xformers",
}  # fmt: skip
OUTPUTS = {
    "output_attentions", "output_hidden_states", "return_dict", "return_dict_in_generate", "output_scores",
    "output_past", "output_router_logits", "use_return_dict", "use_cache", "cache_implementation",
    "tie_last_hidden_states",
}  # fmt: skip
TOKENS = {
    "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id",
    "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id", "bos_token", "eos_token", "pad_token",
    "add_bos_token", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens",
}  # fmt: skip
SUMMARY = {
    "summary_type", "summary_use_proj", "summary_activation", "summary_last_dropout", "summary_first_dropout",
    "summary_proj_to_labels", "eos_token_ids", "max_sequence_length", "seq_length", "replacing_rate", "layers_to_keep",
}  # fmt: skip
GENERATION = {
    "max_length", "min_length", "max_new_tokens", "do_sample", "early_stopping", "num_beams", "num_beam_groups",
    "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty",
    "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "num_return_sequences", "exponential_decay_length_penalty",
    "remove_invalid_values", "use_sinks", "assistant_confidence_threshold", "generation_config",
    "assistant_early_exit", "assistant_lookbehind", "constraints", "encoder_repetition_penalty", "epsilon_cutoff",
    "eta_cutoff", "force_words_ids", "guidance_scale", "is_assistant", "low_memory", "max_matching_ngram_size",
    "max_time", "min_new_tokens", "min_p", "num_assistant_tokens", "num_assistant_tokens_schedule", "output_logits",
    "penalty_alpha", "prompt_lookup_num_tokens", "renormalize_logits", "sequence_bias", "stop_strings",
    "target_lookbehind", "token_healing", "top_h", "watermarking_config", "dola_layers", "frequency_penalty",
    "presence_penalty", "max_tokens",
}  # fmt: skip
RUNTIME = {
    "cache_config", "compile_config", "continuous_batching_config", "disable_compile", "max_cache_len",
    "context_window_size", "prefill_chunk_size", "prefill_mode", "tensor_parallel_shards", "tensor_parallel_size",
    "pipeline_parallel_stages", "pipeline_parallel_size", "disaggregation", "max_batch_size", "max_batch_total_tokens",
    "max_history_size", "max_model_len", "model_max_length", "low_cpu_mem_usage", "device", "device_map", "neuron",
    "conv_template", "tokenizer_files", "tokenizer_info", "model_lib", "model_task", "onnx", "use_kernels",
    "disable_custom_kernels", "use_memory_efficient_attention", "xla_device",
}  # fmt: skip
IGNORED = frozenset(BOOKKEEPING | NUMERICS | OUTPUTS | TOKENS | SUMMARY | GENERATION | RUNTIME)

NAMES = re.compile(
    r"(^|_)(dropout|dropouts|pdrop|layerdrop)(_(p|prob|rate|ratio))?$|(^|_)drop(_\w+)?_(rate|prob)$"  # of training
    r"|(^|_)init(ializer)?_(xavier_std|std|range|factor|scale|gain|method|device|fn|type|mean|scheme|floor)$"
    r"|(^|_)(loss|z_loss)_(weight|coef|coeff|coefficient|factor|alpha|beta|gamma|scale|reduction|type)$"
    r"|(^|_)(eps|epsilon)$|(^|_)(path|dir|version|dtype|seed)$|_tokens?_(id|ids|index|idx)$|^(quant|quantization)_\w+$"
)
"""How keys are called that are harmless in every family."""
ROTARY = re.compile(r"^(rope|mrope|rotary)_\w+$|^partial_rotary_factor$|^original_max_position_embeddings$")
"""And in families that have rotary positions, of which none has a weight."""
TAKEN_AWAY = {
    "attention", "attn", "bias", "causal", "conv", "embed", "embedding", "embeddings", "expert", "experts", "ffn",
    "gate", "gated", "gating", "geglu", "glu", "gqa", "head", "heads", "layer", "layernorm", "layers", "ln", "mla",
    "mlp", "moe", "mqa", "multi", "norm", "norms", "parallel", "pool", "pooler", "pooling", "pos", "position",
    "positions", "proj", "projection", "qk", "qkv", "query", "residual", "rmsnorm", "rope", "rotary", "scale",
    "share", "shared", "sharing", "swiglu", "tie", "tied", "tying", "window",
}  # fmt: skip
"""Words of a key that is no extra: false may take away what a family has."""

ONLY: dict[str, tuple[object, ...]] = {
    "pruned_heads": ({}, []),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
    "cross_attention_hidden_size": (),
    "tie_encoder_decoder": (False,),
    "torchscript": (False,),
    "per_layer_config": ({},),
    "use_qk_norm": (False,),
    "sliding_window_size": (-1, 0),
    "attention_sink_size": (-1, 0),
}
"""Keys that change shapes, and the values at which they do not; null is always one of them."""


def harmless(key: str, value: object) -> bool:
    """True for a key that no family needs to know, by its name or by a value that stands for nothing.

    >>> harmless("internal_version", 3), harmless("use_dora", False), harmless("use_bias", False)
    (True, True, False)
    """
    if value is None or key in IGNORED or NAMES.search(key):
        return True
    return value in (False, [], {}) and type(value) is not int and not TAKEN_AWAY & {*key.split("_")}
