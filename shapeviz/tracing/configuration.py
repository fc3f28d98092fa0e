"""The model of a config.json as transformers builds it, on the meta device: without weights, without its own code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import fields
from types import ModuleType
from typing import Any

import torch
from torch import nn

from shapeviz import plugins
from shapeviz.errors import InputError, nearest, requiring
from shapeviz.nets.language_model import LanguageModel
from shapeviz.nets.vaswani import Vaswani

RENAMED = {"T5WithLMHeadModel": "T5ForConditionalGeneration"}
OWN = {"vaswani": Vaswani, "shapeviz_lm": LanguageModel}
NOT_KEYS = ("model_type", "architectures", "transformers_version", "quantization_config")
# What would have transformers import code or fetch weights: kernels and classes by the name of a repository.
NAMING_CODE = ("auto_map", "use_kernels", "attn_implementation", "_attn_implementation", "experts_implementation")


def _family(data: Mapping[str, Any]) -> ModuleType:
    return plugins.load("shapeviz.models", str(data["model_type"]))


def build(data: Mapping[str, Any], class_name: str | None = None, where: str = "the configuration") -> nn.Module:
    """The module of a configuration: of the class named, else of the first in `architectures`, else the base model.

    Code and repositories that the configuration names are never loaded, and nothing is fetched. Raises InputError for a
    type or a class that transformers does not have and for keys that it refuses, MissingToolError if it is not there.
    """
    if own := OWN.get(str(data.get("model_type"))):
        defaults = {entry.name: entry.default for entry in fields(_family(data).Config)}
        with torch.device("meta"):
            return own({**defaults, **data}, class_name).eval()
    with requiring(f"{where}: via torch", "transformers"):
        import transformers
        from transformers import CONFIG_MAPPING, AutoModel, PreTrainedModel
    kind = data.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        near = nearest(str(kind), list(CONFIG_MAPPING))
        raise InputError(f"{where}: transformers {transformers.__version__} has no model_type {kind!r}; {near}")
    named = class_name or next(iter(data.get("architectures") or []), None)
    model_class = getattr(transformers, RENAMED.get(named, named), None) if isinstance(named, str) else None
    if named and not (isinstance(model_class, type) and issubclass(model_class, PreTrainedModel)):
        raise InputError(f"{where}: transformers {transformers.__version__} has no model class {named!r}")
    keys = {key: _harmless(value, where) for key, value in data.items() if key not in NOT_KEYS and not _names_code(key)}
    _check_backbone(keys, where)
    try:
        with redirect_stdout(sys.stderr), torch.device("meta"), _offline():
            config = CONFIG_MAPPING[kind](**keys)
            if isinstance(tied := keys.get("tie_word_embeddings"), bool):
                config.tie_word_embeddings = tied  # T5's own class would force it
            module: nn.Module = model_class(config) if model_class else AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    except (KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{where}: transformers cannot build it: {first[0]}") from error
    if kind == "t5":  # both stacks read one table, also where the head has its own
        stacks: Any = module
        stacks.set_input_embeddings(stacks.get_input_embeddings())
    return module.eval()


def _names_code(key: object) -> bool:
    return isinstance(key, str) and (key in NAMING_CODE or key.endswith("_implementation"))


def _harmless(value: Any, where: str) -> Any:
    """A value of a configuration without the keys in it that name code."""
    if isinstance(value, list):
        return [_harmless(one, where) for one in value]
    if not isinstance(value, Mapping):
        return value
    found = {key: _harmless(one, where) for key, one in value.items() if not _names_code(key)}
    _check_backbone(found, where)
    return found


def _check_backbone(keys: dict[str, Any], where: str) -> None:
    """A backbone is built without its weights. Raises InputError for one in a repository."""
    backbone = keys.get("backbone")
    if isinstance(backbone, str) and "/" in backbone:
        raise InputError(
            f"{where}: backbone {backbone!r} is a repository, and nothing is fetched: give backbone_config"
        )
    if "use_pretrained_backbone" in keys:
        keys["use_pretrained_backbone"] = False


@contextmanager
def _offline() -> Iterator[None]:
    """The library that fetches from the hub does not do so meanwhile."""
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
