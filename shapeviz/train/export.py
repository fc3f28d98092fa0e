"""A trained model in the files and names of transformers: GPT-2's or Llama's class, whichever computes the same."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shapeviz import files
from shapeviz.errors import InputError
from shapeviz.nets.language_model import EPS, LanguageModel
from shapeviz.train.folder import dumped, make_for

TOKENIZER = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
Named = Iterator[tuple[str, Tensor]]
NEEDED = {
    "GPT-2": {"positions": "learned", "norm": "layer", "gated": False, "qk_norm": False},
    "Llama": {"positions": "rotary", "norm": "rms", "gated": True, "qk_norm": False},
}
"""What a class can compute; an activation may be any, and a bias that is not there is one of zeros."""


def write(module: LanguageModel, tokenizer: Any, folder: Path) -> str:
    """Writes config.json, model.safetensors and the tokenizer into a folder; gives the class that reads them.

    Raises InputError for a model that is neither's, and if a file is there or cannot be written.
    """
    config, tensors = converted(module)
    contents: dict[str, str | bytes] = {
        "config.json": dumped(config),
        "model.safetensors": safetensors(tensors),
        "tokenizer_config.json": dumped(TOKENIZER),
    }
    make_for(folder, (*contents, "tokenizer.json"))
    files.write_all({folder / name: content for name, content in contents.items()})
    tokenizer.save(folder / "tokenizer.json")
    return str(config["architectures"][0])


def converted(module: LanguageModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The configuration and the weights by their names in transformers. Raises InputError if no class is this model."""
    c = module.config
    lacking = {
        name: [f"{key} {getattr(c, key)}" for key, value in needs.items() if getattr(c, key) != value]
        for name, needs in NEEDED.items()
    }
    if all(lacking.values()):
        why = "; ".join(f"{name} has no {', no '.join(words)}" for name, words in lacking.items())
        raise InputError(f"no class of transformers that is known here computes this model: {why}")
    make = _gpt2 if not lacking["GPT-2"] else _llama
    config, named = make(module)
    return config, dict(named)


def _gpt2(module: LanguageModel) -> tuple[dict[str, Any], Named]:
    c = module.config
    config = {
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": c.vocab_size,
        "n_positions": module.block_size, "n_embd": c.hidden_size, "n_layer": c.num_hidden_layers,
        "n_head": c.num_attention_heads, "n_inner": c.intermediate_size or 4 * c.hidden_size,
        "activation_function": c.activation, "layer_norm_epsilon": EPS, "resid_pdrop": c.dropout,
        "embd_pdrop": c.dropout, "attn_pdrop": c.dropout, "tie_word_embeddings": c.tie_word_embeddings,
        "bos_token_id": None, "eos_token_id": None, "dtype": "float32",
    }  # fmt: skip
    parts = {"attention_norm": "ln_1", "attention.query_key_value": "attn.c_attn", "attention.output": "attn.c_proj",
             "feed_forward_norm": "ln_2", "feed_forward.input": "mlp.c_fc", "feed_forward.output": "mlp.c_proj",
             "embedding": "wte", "positions": "wpe", "final_norm": "ln_f"}  # fmt: skip

    def named() -> Named:
        for ours, part in module.named_modules():
            name = ours.split(".", 2)[-1] if ours.startswith("layers.") else ours
            if name not in parts:
                continue
            place = f"h.{ours.split('.')[1]}." if name != ours else ""
            theirs, weight = f"transformer.{place}{parts[name]}", part.get_parameter("weight")
            yield f"{theirs}.weight", weight.T if isinstance(part, nn.Linear) else weight  # GPT-2's Conv1D is [in out]
            if not isinstance(part, nn.Embedding):
                yield f"{theirs}.bias", torch.zeros(len(weight)) if part.bias is None else part.get_parameter("bias")
        if module.head is not None and not c.tie_word_embeddings:
            yield "lm_head.weight", module.head.weight

    return config, named()


def _llama(module: LanguageModel) -> tuple[dict[str, Any], Named]:
    c = module.config
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": c.vocab_size,
        "max_position_embeddings": module.block_size, "hidden_size": c.hidden_size,
        "num_hidden_layers": c.num_hidden_layers, "num_attention_heads": c.num_attention_heads,
        "num_key_value_heads": c.num_attention_heads,
        "intermediate_size": c.intermediate_size or 4 * c.hidden_size, "hidden_act": c.activation,
        "rms_norm_eps": EPS, "attention_bias": c.bias, "mlp_bias": c.bias, "attention_dropout": c.dropout,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}, "rope_theta": 10000.0,
        "tie_word_embeddings": c.tie_word_embeddings, "bos_token_id": None, "eos_token_id": None, "dtype": "float32",
    }  # fmt: skip

    def linear(part: Any, *names: str) -> Named:
        """The rows of a matrix, and of its bias, as equally many matrices."""
        for kind in ("weight", "bias"):
            if getattr(part, kind) is not None:
                for name, rows in zip(names, getattr(part, kind).chunk(len(names)), strict=True):
                    yield f"{name}.{kind}", rows

    def named() -> Named:
        yield "model.embed_tokens.weight", module.embedding.weight
        for i, layer in enumerate(module.layers):
            at: Any = layer
            place = f"model.layers.{i}"
            attention, feed = f"{place}.self_attn", f"{place}.mlp"
            yield f"{place}.input_layernorm.weight", at.attention_norm.weight
            yield f"{place}.post_attention_layernorm.weight", at.feed_forward_norm.weight
            yield from linear(at.attention.query_key_value, *(f"{attention}.{x}_proj" for x in "qkv"))
            yield from linear(at.attention.output, f"{attention}.o_proj")
            yield from linear(at.feed_forward.input, f"{feed}.gate_proj", f"{feed}.up_proj")
            yield from linear(at.feed_forward.output, f"{feed}.down_proj")
        yield "model.norm.weight", module.final_norm.weight  # type: ignore[misc]
        if module.head is not None and not c.tie_word_embeddings:
            yield "lm_head.weight", module.head.weight

    return config, named()


def safetensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors in fp32 as a file of safetensors: the length of a header, the header as JSON, all bytes one after another
    (https://github.com/huggingface/safetensors, README, "Format").
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    parts, place = [], 0
    for name, tensor in tensors.items():
        part = tensor.detach().cpu().float().contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [place, place + len(part)]}
        parts.append(part)
        place += len(part)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)
