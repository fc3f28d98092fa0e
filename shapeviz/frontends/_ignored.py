"""Keys of any config.json that change neither shapes nor cost, by name; nothing else is passed over."""

from __future__ import annotations

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
}  # fmt: skip
IGNORED = frozenset(BOOKKEEPING | NUMERICS | OUTPUTS | TOKENS | SUMMARY | GENERATION)

ONLY: dict[str, tuple[object, ...]] = {
    "pruned_heads": ({}, []),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
    "cross_attention_hidden_size": (),
    "tie_encoder_decoder": (False,),
    "torchscript": (False,),
    "per_layer_config": ({},),
}
"""Keys that change shapes, and the values at which they do not; null is always one of them."""
