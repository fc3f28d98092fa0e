"""What is known of models from `transformers`: the inputs they take, their sizes by name, and two of their habits."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from typing import Any

from torch import nn

# The keys under which configurations keep a size, and the symbol that we write for it.
NAMES = {
    "d_model": ("hidden_size", "n_embd", "d_model", "dim"),
    "d_ff": ("intermediate_size", "n_inner", "ffn_dim", "d_ff", "hidden_dim", "ffn_hidden_size", "encoder_ffn_dim"),
    "V": ("vocab_size",),
    "h": ("num_attention_heads", "n_head", "num_heads", "n_heads", "encoder_attention_heads"),
    "g": ("num_key_value_heads",),
    "d_k": ("head_dim", "d_kv"),
    "E": ("num_local_experts", "num_experts", "n_routed_experts"),
}


def is_one(module: nn.Module) -> bool:
    """True for a model of transformers, which tells its main input and has a configuration."""
    return hasattr(module, "config") and isinstance(getattr(module, "main_input_name", None), str)


def names(module: nn.Module) -> dict[str, int]:
    """The sizes in a module's configuration by our symbols; a number that two of them share is left out."""
    config = getattr(module, "config", None)
    if config is None or isinstance(config, Mapping):
        values: Mapping[str, Any] = config or {}
    else:
        values = {key: getattr(config, key, None) for keys in NAMES.values() for key in keys}
    found: dict[str, int] = {}
    for symbol, keys in NAMES.items():
        sizes = [values[key] for key in keys if type(values.get(key)) is int and values[key] > 1]
        if sizes:
            found[symbol] = sizes[0]
    if "d_k" not in found and "h" in found and found.get("d_model", 1) % found["h"] == 0:
        found["d_k"] = found["d_model"] // found["h"]
    return {
        name: size for name, size in found.items() if sum(size == other for other in found.values()) == 1 and size > 1
    }


def inputs(module: nn.Module) -> dict[str, str]:
    """The inputs that a model's forward takes, guessed from its signature and configuration, as specs."""
    takes = signature(module.forward).parameters
    config: Any = getattr(module, "config", None)
    dtype = str(next((p.dtype for p in module.parameters()), "float32")).removeprefix("torch.")
    vision = getattr(config, "vision_config", None) or config
    found: dict[str, str] = {}
    main = str(module.main_input_name)
    if "input_ids" in takes and main in ("input_ids", "pixel_values"):
        found["input_ids"] = "int64[B,S]"
    if "pixel_values" in takes and (
        main == "pixel_values" or "input_ids" not in takes or hasattr(config, "text_config")
    ):
        size = getattr(vision, "image_size", 224) or 224
        high, wide = size if isinstance(size, list | tuple) else (size, size)
        found["pixel_values"] = f"{dtype}[B,{getattr(vision, 'num_channels', 3)},{high},{wide}]"
    if main == "input_features":
        length = 2 * getattr(config, "max_source_positions", 1500)
        found[main] = f"{dtype}[B,{getattr(config, 'num_mel_bins', 80)},{length}]"
    if main == "input_values":
        bins = getattr(config, "num_mel_bins", None)
        found[main] = (
            f"{dtype}[B,{config.max_length},{bins}]" if bins and hasattr(config, "max_length") else f"{dtype}[B,S]"
        )
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in takes:
        found["decoder_input_ids"] = "int64[B,T]"
    return found


@contextmanager
def settled(module: nn.Module, given: Mapping[str, Any], experts: str = "grouped_mm") -> Iterator[None]:
    """Two habits of transformers that depend on data, settled while the module runs.

    Experts run as one grouped product, whichever way the configuration asks for: k experts a token either way. And
    positions that the model counts itself are not searched for the seams of packed sequences.
    """
    masks = sys.modules.get("transformers.masking_utils")
    if masks is None:
        yield
        return
    configs = {id(m.config): m.config for m in module.modules() if hasattr(m, "config")}
    key = "_experts_implementation_internal"
    before = [(config, config.__dict__[key]) for config in configs.values() if key in getattr(config, "__dict__", {})]
    search = getattr(masks, "find_packed_sequence_indices", None)
    try:
        for config, _ in before:
            config.__dict__[key] = experts
        if search and "position_ids" not in given:
            masks.find_packed_sequence_indices = lambda position_ids: None  # type: ignore[attr-defined]
        yield
    finally:
        for config, value in before:
            config.__dict__[key] = value
        if search:
            masks.find_packed_sequence_indices = search  # type: ignore[attr-defined]
