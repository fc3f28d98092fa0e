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
from shapeviz.expr import Expr
from shapeviz.nets.language_model import LanguageModel
from shapeviz.nets.vaswani import Vaswani
from shapeviz.tracing import huggingface
from shapeviz.tracing.blueprint import Blueprint
from shapeviz.tracing.configuration_parts import Part, parts

RENAMED = {"T5WithLMHeadModel": "T5ForConditionalGeneration"}
OWN = {"vaswani": Vaswani, "shapeviz_lm": LanguageModel}
NOT_KEYS = ("model_type", "architectures", "transformers_version", "quantization_config")
# What would have transformers import code or fetch weights: kernels and classes by the name of a repository.
NAMING_CODE = ("auto_map", "use_kernels", "attn_implementation", "_attn_implementation", "experts_implementation")


def knows(kind: str) -> bool:
    """True for a model type that the installed transformers can build."""
    with requiring("a configuration's class", "torch", "transformers"):
        from transformers import CONFIG_MAPPING
    return kind in CONFIG_MAPPING


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
    _, config_class, model_class = _classes(data, class_name, where)
    keys = _keys(data, where)
    try:
        with redirect_stdout(sys.stderr), torch.device("meta"), _offline():
            return _made(config_class, model_class, keys)
    except (KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        raise InputError(f"{where}: transformers cannot build it: {_words(error)}") from error


def plan(
    data: Mapping[str, Any], class_name: str | None = None, where: str = "the configuration", inner: bool = True
) -> Blueprint:
    """The class of a configuration with its integer keys as letters, those of the glossary where it has one.

    inner: also those of configurations within it, and a letter for each kind of layers that take turns. Raises as
    `build` does.
    """
    kind, config_class, model_class = _classes(data, class_name, where)
    keys = _keys(data, where)
    own = [*_parts(config_class, model_class, keys, inner)]
    arguments = {key: letter for part in own for key, letter in part.arguments.items()}

    def make(**integers: Any) -> nn.Module:
        given = dict(keys)
        for part in own:
            _set(given, part.path, part.given(integers))
        with huggingface.lent_configurations(), _offline():
            return _made(config_class, model_class, given)

    return Blueprint(
        make, model_class.__name__ if model_class else kind,
        {key: Expr.symbol(letter) for key, letter in arguments.items()},
        {letter: size for part in own for letter, size in part.numbers.items()},
        meanings={letter: words for part in own for letter, words in part.meanings.items()},
        periods={part.letters[part.depth]: part.period for part in own if part.depth},
        rules={letter: rule for part in own for letter, rule in part.rules.items()},
        depths={part.letters[part.depth]: part.depth for part in own if part.kinds},
        otherwise=plan(data, class_name, where, False) if inner and _is_more(own) else None,
    )  # fmt: skip


def _parts(config_class: Any, model_class: Any, keys: dict[str, Any], inner: bool) -> Iterator[Part]:
    """The parts of a configuration that the class of models is made of; without `inner` the outermost alone."""
    try:
        config = config_class(**keys)
    except Exception:  # the class says it better when the model is built
        config, inner = None, False
    if not inner:
        yield Part("", config_class, keys, config, by_kind=False)
        return
    found = [*parts(config, config_class, keys, by_kind=True)]
    needed = getattr(model_class, "config_class", None)
    if isinstance(needed, type) and not isinstance(config, needed):  # the model is that of a part, see _made
        found = [part for part in found if isinstance(part.config, needed)] or found
    yield from found


def _is_more(own: list[Part]) -> bool:
    return len(own) > 1 or any(part.kinds for part in own)


def _set(given: dict[str, Any], path: str, keys: Mapping[str, Any]) -> None:
    """Puts the keys of a part at its path; what stands there within them is put there later."""
    for step in path.split(".") if path else ():
        given[step] = dict(given.get(step) or {})
        given = given[step]
    given.update(keys)


def _classes(data: Mapping[str, Any], class_name: str | None, where: str) -> tuple[str, Any, Any]:
    """The model type, its class of configurations and its class of models; None for the base model."""
    with requiring(f"{where}: via torch", "transformers"):
        import transformers
        from transformers import CONFIG_MAPPING, PreTrainedModel
    kind = data.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        near = nearest(str(kind), list(CONFIG_MAPPING))
        raise InputError(f"{where}: transformers {transformers.__version__} has no model_type {kind!r}; {near}")
    named = class_name or next(iter(data.get("architectures") or []), None)
    model_class = getattr(transformers, _spelled(named, transformers), None) if isinstance(named, str) else None
    if named and not (isinstance(model_class, type) and issubclass(model_class, PreTrainedModel)):
        raise InputError(f"{where}: transformers {transformers.__version__} has no model class {named!r}")
    return kind, CONFIG_MAPPING[kind], model_class


def _spelled(name: str, library: ModuleType) -> str:
    """The name of a class as the library has it: an older one's, or in other capitals (PhiMoE for Phimoe)."""
    name = RENAMED.get(name, name)
    return name if hasattr(library, name) else next((one for one in dir(library) if one.lower() == name.lower()), name)


def _made(config_class: Any, model_class: Any, keys: Mapping[str, Any]) -> nn.Module:
    from transformers import AutoModel

    config = config_class(**keys)
    needed = getattr(model_class, "config_class", None)
    if isinstance(needed, type) and not isinstance(config, needed):  # the language model of a configuration with parts
        text = config.get_text_config(decoder=True)
        config = text if isinstance(text, needed) else config
    forced = False
    if isinstance(tied := keys.get("tie_word_embeddings"), bool):
        forced = bool(getattr(config, "tie_word_embeddings", False)) and not tied
        config.tie_word_embeddings = tied  # T5's own class would force it
    with _in_dtype(getattr(config, "dtype", None)):
        module: nn.Module = model_class(config) if model_class else AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    if forced:  # both stacks read one table, also where the head has its own
        stacks: Any = module
        stacks.set_input_embeddings(stacks.get_input_embeddings())
    return module.eval()


@contextmanager
def _in_dtype(dtype: object) -> Iterator[None]:
    """What is built meanwhile has this dtype, as in transformers' own `from_config`; without one it is float32."""
    before = torch.get_default_dtype()
    if isinstance(dtype, torch.dtype) and dtype.is_floating_point and dtype.itemsize > 1:
        torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _names_code(key: object) -> bool:
    return isinstance(key, str) and (key in NAMING_CODE or key.endswith("_implementation"))


def _keys(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The keys of a configuration that its class is given: none that names code or a repository."""
    keys = {key: _harmless(value, where) for key, value in data.items() if key not in NOT_KEYS and not _names_code(key)}
    _check_backbone(keys, where)
    return keys


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


def _words(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
