"""What a class of transformers counts at given sizes: built and run on the meta device, by kind of module."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import fields
from random import Random
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from shapeviz.errors import InputError
from shapeviz.ir import Origin
from shapeviz.tracing import huggingface
from shapeviz.tracing.configuration import build
from shapeviz.tracing.process_state import alone, replaced
from shapeviz.tracing.specs import parse
from shapeviz.verify.all_sizes.letters import FreeLetters
from shapeviz.verify.observation import without_numbers

Counts = dict[tuple[str, str], int]  # by quantity and kind of module
LAYER_TYPES = {"sliding": "sliding_attention", "full": "full_attention"}
NOTHING_PADDED = {"fast_all": lambda mask: True}  # of transformers.masking_utils, which would ask for data
CACHES = ("past_key_values", "cache_params")
ATTENTION_TYPES = {"sliding": "local", "full": "global"}


class RefusedError(InputError):
    """The class cannot be built or run at these sizes."""


class UnrunnableError(RefusedError):
    """The class can be built at these sizes and not run."""


class ClassCounts:
    """A black box: parameters, active ones, buffers, FLOPs and cached elements of a class, by kind of module.

    Nothing of the model's own formulas enters: the class is built of the configuration's keys, its parameters are
    counted, torch's counter watches one forward pass, and the keys and values that this returns are counted. Without
    `forward` it is built alone.
    """

    def __init__(self, origin: Origin, letters: FreeLetters, forward: bool = True) -> None:
        self.origin, self.letters, self.forward = origin, letters, forward
        self.by, self.base = "", ""
        self.cached = False

    def __call__(self, point: Mapping[str, int]) -> Counts:
        """The counts at some values of the free letters. Raises RefusedError."""
        return self.counts(self.data(point), point)

    def counts(self, data: Mapping[str, Any], point: Mapping[str, int]) -> Counts:
        """The counts of a configuration, run at the batch and the lengths of a point. Raises RefusedError."""
        try:
            module: Any = build(data, self.origin.class_name, described(point))
        except InputError as error:
            raise RefusedError(str(error)) from error
        self.by = f"{getattr(module, 'made_of', 'transformers')}, {type(module).__name__}"
        self.base = getattr(module, "base_model_prefix", "")
        counts: Counts = {}
        for quantity, kind, number in self._counted(module, point):
            counts[quantity, kind] = counts.get((quantity, kind), 0) + number
        return counts

    def _counted(self, module: Any, point: Mapping[str, int]) -> Iterator[tuple[str, str, int]]:
        yield from _weights(module)
        if not self.forward:
            return
        try:
            flops, result = _run(module, point)
            if getattr(result, "cache_params", None) is not None:  # to keep the state costs a recurrence FLOPs
                module.config.use_cache = False
                flops, _ = _run(module, point)
        except Exception as error:  # whatever the class raises at these sizes
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise UnrunnableError(f"{described(point)}: {type(module).__name__} cannot be run: {reason}") from error
        yield from (("flops", kind, number) for kind, number in flops)
        caches = [cache for name in CACHES if (cache := getattr(result, name, None)) is not None]
        self.cached = bool(caches)
        yield from (("cache", kind, number) for cache in caches for kind, number in _kept(cache))

    def data(self, point: Mapping[str, int]) -> dict[str, Any]:
        """The configuration at these sizes; what says of every layer of which kind it is, as many as there are."""
        data: dict[str, Any] = {"pad_token_id": 0, **self.origin.data}
        data |= {key: int(size.at(point)) for key, size in self.letters.keys.items()}
        data |= {key: Random(f"{key} {point}").choice(values) for key, values in self.letters.idle.items()}
        depth = self.letters.sizes.get("N")
        kinds = [name.removeprefix("N_") for name in self.letters.kinds for _ in range(point[name])]
        known = {entry.name for entry in fields(self.origin.config)}
        if kinds and "layer_types" in known:
            windows = (next((w for w in LAYER_TYPES if w in kind), "full") for kind in kinds)
            data["layer_types"] = [LAYER_TYPES[window] for window in windows]
        elif given := data.get("layer_types"):
            data["layer_types"] = [given[0]] * int(depth.at(point)) if depth else given
        if kinds and "mlp_only_layers" in known:
            data["mlp_only_layers"] = [i for i, kind in enumerate(kinds) if "dense" in kind]
        if "attention_types" in known and depth:
            each = kinds or ["full"] * int(depth.at(point))
            data["attention_types"] = [[[ATTENTION_TYPES[kind]], 1] for kind in each]
        return data


def _weights(module: Any) -> Iterator[tuple[str, str, int]]:
    """Parameters, of a mixture's experts the active ones too, and buffers that a checkpoint stores."""
    experts = [f"{name}." for name, _ in module.named_modules() if name.endswith(".experts")]
    for name, weight in module.named_parameters():
        yield "params", without_numbers(name), weight.numel()
        active = weight.numel()
        if any(name.startswith(prefix) for prefix in experts):
            active = active * module.config.num_experts_per_tok // weight.shape[0]
        yield "active", without_numbers(name), active
    for path, part in module.named_modules():
        for name, tensor in part._buffers.items():
            if tensor is not None and name not in part._non_persistent_buffers_set:
                yield "buffers", without_numbers(f"{path}.{name}".lstrip(".")), tensor.numel()


def _run(module: Any, point: Mapping[str, int]) -> tuple[list[tuple[str, int]], Any]:
    """The FLOPs of every kind of module by itself, in one forward pass, and what this gives."""
    inputs = {}
    for name, text in huggingface.inputs(module).items():
        spec = parse(text)
        dims = [int(size.at({n: point[n] for n in size.names})) for size in spec.dims]
        inputs[name] = torch.zeros(dims, dtype=getattr(torch, spec.dtype), device="meta")
    if getattr(module.config, "pad_token_id", 0) is None:
        module.config.pad_token_id = 0  # which token a classifier reads changes no size
    for part in module.modules():
        if hasattr(part, "warn_if_padding_and_no_attention_mask"):  # it looks at tokens, of which there are none
            part.warn_if_padding_and_no_attention_mask = lambda *_: None
    counter = FlopCounterMode(display=False)
    masks = sys.modules.get("transformers.masking_utils")
    with ExitStack() as stack:
        stack.enter_context(alone())
        stack.enter_context(replaced(vars(masks) if masks else {}, NOTHING_PADDED))
        stack.enter_context(huggingface.settled(module, inputs, experts="batched_mm"))
        stack.enter_context(torch.no_grad())
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(counter)
        result = module(**inputs)
    return _own_flops(counter, module), result


def _own_flops(counter: FlopCounterMode, module: nn.Module) -> list[tuple[str, int]]:
    """FLOPs of every kind of module without those of its parts."""
    root = type(module).__name__
    counts = {name.partition(".")[2]: sum(ops.values()) for name, ops in counter.get_flop_counts().items()
              if name.partition(".")[0] == root}  # fmt: skip
    return [(without_numbers(path), count) for path, count in own_share(counts).items()]


def own_share(counts: Mapping[str, int]) -> dict[str, int]:
    """What every module has by itself, by its path, of what it has with its parts: the root's path is empty.

    >>> own_share({"": 5, "layers": 0, "layers.0": 5, "layers.0.attn": 3})
    {'layers.0': 2, 'layers.0.attn': 3}
    """
    own = dict(counts)
    for path, count in counts.items():
        outer = next((outer for outer in _outwards(path) if counts.get(outer)), None)
        if outer is not None:
            own[outer] -= count
    return {path: count for path, count in own.items() if count}


def _outwards(path: str) -> Iterator[str]:
    """What contains a module, the innermost first."""
    while path:
        path = path.rpartition(".")[0]
        yield path


def _kept(cache: Any) -> Iterator[tuple[str, int]]:
    """The elements of a cache's tensors, by what they are: keys and values, or the state of a recurrence."""
    for part in ("self_attention_cache", "cross_attention_cache"):
        if hasattr(cache, part):
            yield from ((f"{part}.{kind}", number) for kind, number in _kept(getattr(cache, part)))
    for layer in getattr(cache, "layers", ()):
        for name, value in vars(layer).items():
            tensors = value.values() if isinstance(value, dict) else (value,)
            yield from ((name, x.numel()) for x in tensors if isinstance(x, torch.Tensor) and x.dim() > 1)


def described(point: Mapping[str, int]) -> str:
    """A point for a message: the sizes in force."""
    return ", ".join(f"{name} = {value}" for name, value in point.items())
