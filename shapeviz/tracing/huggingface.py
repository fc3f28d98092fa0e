"""Models of `transformers`: the inputs that they take, their sizes by name, and two habits that depend on data."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature

from torch import nn

from shapeviz.tracing.process_state import replaced

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
    values = config
    if not isinstance(values, Mapping):
        values = {key: getattr(config, key, None) for keys in NAMES.values() for key in keys}
    sizes: dict[str, int] = {}
    for symbol, keys in NAMES.items():
        first = next((values[key] for key in keys if type(values.get(key)) is int and values[key] > 1), None)
        if first is not None:
            sizes[symbol] = first
    if "d_k" not in sizes and "h" in sizes and sizes.get("d_model", 1) % sizes["h"] == 0:
        sizes["d_k"] = sizes["d_model"] // sizes["h"]
    numbers = [*sizes.values()]
    return {name: size for name, size in sizes.items() if numbers.count(size) == 1 and size > 1}


def inputs(module: nn.Module) -> dict[str, str]:
    """The inputs that a model's forward takes, guessed from its signature and configuration, as specs.

    Texts get a batch and a length of their own, images and sounds the size that the configuration says.
    """
    parameters = signature(module.forward).parameters
    config = getattr(module, "config", None)
    main = str(module.main_input_name)
    dtype = str(next((p.dtype for p in module.parameters()), "float32")).removeprefix("torch.")
    specs: dict[str, str] = {}
    if "input_ids" in parameters and main in ("input_ids", "pixel_values"):
        specs["input_ids"] = "int64[B,S]"
    # A model of texts and images has a text_config; without it images are an option that a text model need not get.
    optional = main != "pixel_values" and "input_ids" in parameters and not hasattr(config, "text_config")
    if "pixel_values" in parameters and not optional:
        specs["pixel_values"] = f"{dtype}[{_image(config)}]"
    if main == "input_features":  # spectrograms: two frames for each position
        length = 2 * getattr(config, "max_source_positions", 1500)
        specs[main] = f"{dtype}[B,{getattr(config, 'num_mel_bins', 80)},{length}]"
    if main == "input_values":
        specs[main] = f"{dtype}[{_sound(config)}]"
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in parameters:
        specs["decoder_input_ids"] = "int64[B,T]"
    return specs


def _image(config: object) -> str:
    """The dimensions of a batch of images, B,3,224,224."""
    vision = getattr(config, "vision_config", None) or config
    size = getattr(vision, "image_size", 224) or 224
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return f"B,{getattr(vision, 'num_channels', 3)},{height},{width}"


def _sound(config: object) -> str:
    """The dimensions of a batch of spectrograms of one length, or of waves of any."""
    bins, length = getattr(config, "num_mel_bins", None), getattr(config, "max_length", None)
    return f"B,{length},{bins}" if bins and length is not None else "B,S"


@contextmanager
def settled(module: nn.Module, inputs: Mapping[str, object], experts: str = "grouped_mm") -> Iterator[None]:
    """Two habits of transformers that depend on data, settled while the module runs.

    Experts run as one grouped product, whichever way the configuration asks for: k experts a token either way. And
    positions that the model counts itself are not searched for the seams of packed sequences.
    """
    masks = sys.modules.get("transformers.masking_utils")
    if masks is None:  # nobody imported transformers, so no module is one of its
        yield
        return
    key = "_experts_implementation_internal"  # behind a property that would look up whether the kernel is there
    spaces = {id(m.config): vars(m.config) for m in module.modules() if hasattr(getattr(m, "config", None), "__dict__")}
    before = [(space, space[key]) for space in spaces.values() if key in space]
    counted = {} if "position_ids" in inputs else {"find_packed_sequence_indices": lambda position_ids: None}
    try:
        for space, _ in before:
            space[key] = experts
        with replaced(vars(masks), counted):
            yield
    finally:
        for space, value in before:
            space[key] = value
