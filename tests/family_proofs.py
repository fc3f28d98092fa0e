"""A family against transformers: random configurations, built there on the meta device, here as formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from random import Random
from typing import Any

import torch
import transformers
from covering import covering
from torch import nn
from transformers import CONFIG_MAPPING, DynamicCache
from transformers.initialization import no_init_weights

import shapeviz
from shapeviz import plugins
from shapeviz.errors import SizeError
from shapeviz.frontends import _families, from_huggingface
from shapeviz.ir import Block, Model
from shapeviz.report import Report, measure

Sample = Callable[[Random], dict[str, Any]]
Pair = tuple[nn.Module, Model]  # theirs and ours of one configuration
POOL = range(104)  # the random configurations of a family, of which a few hold every pair of choices
LEFT_OUT = 0.08  # of all keys, to be filled by a default


def drawn(family: str, sample: Sample, seed: int, left_out: float = LEFT_OUT) -> dict[str, Any]:
    """A random configuration with one of the family's classes; some keys are left out, if transformers takes it so."""
    return _drawn(family, sample, seed, left_out)[0]


def _keys(family: str, sample: Sample, seed: int, left_out: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """All keys of a random configuration, and those that are not left out."""
    random = Random(f"{family} {seed}")
    data = {"model_type": family, **sample(random)}
    names = list(plugins.load("shapeviz.models", family).CLASSES)
    data.setdefault("architectures", [random.choice([names[0], *names])])
    return data, {key: value for key, value in data.items() if key in KEPT or random.random() >= left_out}


def _drawn(family: str, sample: Sample, seed: int, left_out: float) -> tuple[dict[str, Any], Pair | None]:
    """The configuration, and what was built and read of it if that was needed to draw it."""
    data, fewer = _keys(family, sample, seed, left_out)
    if len(fewer) == len(data):
        return data, None
    try:
        module = build(fewer)
    except Exception:  # whatever transformers says of sizes that do not go together, now that some are defaults
        return data, None
    try:
        return fewer, (module, read(fewer))
    except SizeError:
        return data, None


def usual_sizes(random: Random, head_dim: bool = True) -> dict[str, Any]:
    """The keys that most decoders share: sizes, grouped heads, heads of a width of their own if `head_dim`, tying."""
    g, groups, d_k = random.choice([1, 2, 3]), random.choice([1, 2, 4]), 2 * random.randint(1, 8)
    wide = head_dim and random.random() < 0.4
    return {
        "vocab_size": random.randint(3, 300),
        "hidden_size": g * groups * (random.randint(1, 16) if wide else d_k),
        "intermediate_size": random.randint(1, 200),
        "num_hidden_layers": random.randint(1, 5),
        "num_attention_heads": g * groups,
        "num_key_value_heads": g,
        **({"head_dim": d_k} if wide else {}),
        "tie_word_embeddings": random.random() < 0.5,
        "num_labels": random.randint(1, 5),
    }


KEPT = ("model_type", "architectures", "num_labels", "layer_types")


def build(data: Mapping[str, Any], device: str = "meta") -> nn.Module:
    """The model of transformers of that configuration, without weights."""
    config = configured(data)
    config._experts_implementation = "eager" if device == "cpu" else None
    with torch.device(device), no_init_weights():
        module = getattr(transformers, data["architectures"][0])(config).eval()
    module.tie_weights()
    if data["model_type"] in ("t5", "mt5", "umt5"):  # both stacks read one table, even where the head has its own
        module.set_input_embeddings(module.get_input_embeddings())
    return module


def configured(data: Mapping[str, Any]) -> Any:
    """The configuration as transformers reads it."""
    keys = {key: value for key, value in data.items() if key != "model_type"}
    config = CONFIG_MAPPING[_families.load(data["model_type"]).kind](**keys)
    if "tie_word_embeddings" in data:
        config.tie_word_embeddings = data["tie_word_embeddings"]  # T5's would force it
    if getattr(config, "pad_token_id", None) is None:
        config.pad_token_id = 0  # for classifiers of batches
    return config


def read(data: Mapping[str, Any]) -> Model:
    """Our model of that configuration."""
    return from_huggingface.model(data, "random", "random config")


def check_counts(family: str, sample: Sample) -> None:
    """Parameters in all, of every top module and active; buffers; of random configurations.

    Of a hundred those that hold every pair of choices, and every key left out that one of the hundred leaves out.
    """
    keys = [_keys(family, sample, seed, LEFT_OUT) for seed in POOL]
    for seed in covering([data for data, _ in keys], [data.keys() - fewer.keys() for data, fewer in keys]):
        data, pair = _drawn(family, sample, seed, LEFT_OUT)
        found = differences(data, *(pair or (build(data), read(data))))
        assert {} == found, f"(theirs, ours): {found}, {data}"


def differences(data: Mapping[str, Any], module: nn.Module, model: Model) -> dict[str, tuple[int, int]]:
    """What transformers says and we do not: name of the count, their figure, ours."""
    report = measure(model, ["params", "active", "buffers"])
    theirs = {
        "params": sum(weight.numel() for weight in module.parameters()),
        "active": active(module, data),
        "buffers": persistent(module),
    }
    ours = {name: report.total[name].value for name in theirs}
    for name, paths in modules(model).items():
        part, found = inner(module, name), of_paths(report, paths)
        assert part is not None or not found, f"{', '.join(paths)} are ours, but {type(module).__name__} has no {name}"
        if part is not None:
            theirs[name], ours[name] = owned(module, part), sum(found)
    return {name: (theirs[name], ours[name]) for name in theirs if theirs[name] != ours[name]}


def modules(model: Model) -> dict[str, list[str]]:
    """Which of our paths make up a module of transformers."""
    found: dict[str, list[str]] = {}
    for path, name in model.origin.modules.items():
        found.setdefault(name, []).append(path)
    return found


def inner(module: nn.Module, name: str) -> nn.Module | None:
    """The part of that name, of the model or of the base model in it; None if this class has none."""
    base = getattr(module, module.base_model_prefix, module)
    for start in (base, module):
        try:
            return start.get_submodule(name)
        except AttributeError:
            continue
    return None


def owned(module: nn.Module, part: nn.Module) -> int:
    """The parameters of a part, those left out that an earlier module has as well."""
    prefix = next(name for name, child in module.named_modules() if child is part)
    return sum(weight.numel() for name, weight in module.named_parameters() if name.startswith(prefix + "."))


def of_paths(report: Report, patterns: Iterable[str]) -> list[int]:
    """The parameters of the blocks at those paths, in the whole model."""
    return [
        row.cells["params"].in_model
        for row in report.rows
        if any(fnmatch(row.path, pattern) and row.path.count(".") == pattern.count(".") for pattern in patterns)
    ]


def active(module: nn.Module, data: Mapping[str, Any]) -> int:
    """Parameters that a token meets: all but the experts that it is not sent to."""
    config, whole = module.config, sum(weight.numel() for weight in module.parameters())
    routed = [part for name, part in module.named_modules() if name.endswith(".experts")]
    for part in routed:
        weights = sum(weight.numel() for weight in part.parameters())
        experts = next(iter(part.parameters())).shape[0] if not isinstance(part, nn.ModuleList) else len(part)
        whole -= weights * (experts - config.num_experts_per_tok) // experts
    return whole


def persistent(module: nn.Module) -> int:
    """Elements of the buffers that a checkpoint stores."""
    return sum(
        tensor.numel()
        for part in module.modules()
        for name, tensor in part._buffers.items()
        if tensor is not None and name not in part._non_persistent_buffers_set
    )


def check_flops(
    family: str, sample: Sample, seed: int, inputs: Mapping[str, str] | None = None, points: bool = False
) -> None:
    """FLOPs as a polynomial in the dimensions of the inputs, equal to the trace; or, if asked, at three points."""
    data = drawn(family, sample, seed, left_out=0)
    specs = dict(inputs or {"input_ids": "int64[B,S]"})
    ours = fixed(read(data))
    if points:
        for B, S in ((1, 16), (2, 33), (3, 64)):
            sizes = {name: size for name, size in (("B", B), ("S", S), ("T", S + 3)) if name in ours.names}
            assert traced(data, specs, sizes).at(sizes) == ours.at(sizes), data
    else:
        assert traced(data, specs) == ours, data


def traced(data: Mapping[str, Any], specs: Mapping[str, str], sizes: Mapping[str, int] | None = None) -> Any:
    """The FLOPs that a trace of transformers' model counts."""
    module = build(data)
    module.config.use_cache = False
    model = shapeviz.trace(module, sizes=dict(sizes or {}), forward=dict(specs))
    numbers = {name: number for name, number in model.sizes.numbers.items() if name not in ("B", "S", "T")}
    return measure(model, ["flops"]).total["flops"].subs(numbers)


def fixed(model: Model) -> Any:
    """Our FLOPs with the numbers of the architecture put in: a polynomial in the batch and the lengths."""
    sizes = {name: n for name, n in model.sizes.resolve().items() if name not in ("B", "S", "T")}
    return measure(model, ["flops"]).total["flops"].subs(sizes)


def check_cache(family: str, sample: Sample, seed: int) -> None:
    """KV-cache bytes a token, against the cache that transformers fills for a few tokens on the CPU."""
    data = drawn(family, sample, seed, left_out=0)
    data["architectures"] = list(plugins.load("shapeviz.models", family).CLASSES)[:1]
    module, tokens = build(data, "cpu"), 5
    with torch.no_grad():
        cache = module(torch.zeros(1, tokens, dtype=torch.int64), use_cache=True).past_key_values
    elements = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    report = measure(read(data), ["kv_cache"])
    assert 2 * elements == tokens * report.total["kv_cache"].value, data


def check_windows(family: str, sample: Sample, seed: int, tokens: int = 200) -> None:
    """How many of some tokens all layers keep, against the windows of the cache that transformers sets up."""
    data = drawn(family, sample, seed, left_out=0)
    windows = [getattr(layer, "sliding_window", tokens) for layer in DynamicCache(config=configured(data)).layers]
    model = read(data)
    sizes = {**model.sizes.resolve(), "B": 1, "S": tokens}

    def keeps(node: Block) -> int:
        own = sum(kept.tokens.at(sizes) for kept in node.cached if kept.what == "keys")
        inside = sum(keeps(child) for child in node.body if isinstance(child, Block))
        return int(node.repeat.at(sizes) * (own + inside))

    assert sum(min(tokens, window) for window in windows) == keeps(model.root), data
