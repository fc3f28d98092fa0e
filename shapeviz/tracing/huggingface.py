"""Models of `transformers`: the inputs that they take, their sizes by name, and two habits that depend on data."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature

import torch
from torch import nn

from shapeviz.tracing.lend_python import attribute, nothing
from shapeviz.tracing.process_state import replaced

# The keys under which configurations keep a size, by our letter for it.
KEYS = {
    "d_model": ("hidden_size", "n_embd", "d_model", "dim"),
    "d_ff": ("intermediate_size", "n_inner", "ffn_dim", "d_ff", "hidden_dim", "ffn_hidden_size", "encoder_ffn_dim"),
    "V": ("vocab_size",),
    "P": ("max_position_embeddings", "n_positions", "n_ctx"),
    "N": ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers"),
    "h": ("num_attention_heads", "n_head", "num_heads", "n_heads", "encoder_attention_heads"),
    "g": ("num_key_value_heads",),
    "d_k": ("head_dim", "d_kv"),
    "E": ("num_local_experts", "num_experts", "n_routed_experts"),
    "k": ("num_experts_per_tok",),
    "d_e": ("moe_intermediate_size",),
    "w": ("sliding_window",),
}
LETTER_OF = {key: letter for letter, keys in KEYS.items() for key in keys}


def is_one(module: nn.Module) -> bool:
    """True for a model of transformers, which tells its main input and has a configuration."""
    return hasattr(module, "config") and isinstance(getattr(module, "main_input_name", None), str)


def letters(keys: Iterable[str]) -> dict[str, str]:
    """The letter of every key: that of the glossary, of the first key that means it, else the key itself.

    >>> letters(["n_embd", "vocab_size", "conv_kernel"])
    {'n_embd': 'd_model', 'vocab_size': 'V', 'conv_kernel': 'conv_kernel'}
    """
    found: dict[str, str] = {}
    for key in keys:
        letter = LETTER_OF.get(key, key)
        found[key] = key if letter in found.values() else letter
    return found


@contextmanager
def lent_configurations() -> Iterator[None]:
    """Configurations take symbolic integers where they ask for integers, and models draw no initial values."""
    from huggingface_hub import dataclasses
    from transformers import PreTrainedModel

    check = dataclasses.type_validator

    def lenient(name: str, value: object, expected_type: object) -> None:
        if not isinstance(value, torch.SymInt | torch.SymFloat):
            check(name, value, expected_type)

    with (
        replaced(vars(dataclasses), {"type_validator": lenient}),
        attribute(PreTrainedModel, "initialize_weights", nothing),
    ):
        yield


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
    height, width = map(_text, size if isinstance(size, list | tuple) else (size, size))
    return f"B,{_text(getattr(vision, 'num_channels', 3))},{height},{width}"


def _text(size: object) -> str:
    """A size for a spec: of a symbolic one the letter, if it is no more than that; else its number."""
    if not isinstance(size, torch.SymInt):
        return str(size)
    names = getattr(size.node.shape_env, "names", {})
    return str(names.get(str(size.node.expr)) or size.node.hint)


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
