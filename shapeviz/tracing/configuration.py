"""The model of a config.json as transformers builds it, on the meta device: without weights, without its own code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
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
NOT_KEYS = ("model_type", "auto_map", "architectures", "transformers_version", "quantization_config")


def _family(data: Mapping[str, Any]) -> ModuleType:
    return plugins.load("shapeviz.models", str(data["model_type"]))


def build(data: Mapping[str, Any], class_name: str | None = None, where: str = "the configuration") -> nn.Module:
    """The module of a configuration: of the class named, else of the first in `architectures`, else the base model.

    Code that the configuration names (`auto_map`) is never loaded. Raises InputError for a type or a class that
    transformers does not have and for keys that it refuses, MissingToolError if it is not installed.
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
    keys = {key: value for key, value in data.items() if key not in NOT_KEYS}
    try:
        with redirect_stdout(sys.stderr), torch.device("meta"):
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
