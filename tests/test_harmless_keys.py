"""Which keys of a config.json are passed over: those that change no shape and no cost, by their name or their value."""

import dataclasses
from random import Random
from typing import Any

import pytest
from family_proofs import build, drawn, read
from test_families import family, sample
from transformers import CONFIG_MAPPING

import shapeviz
from shapeviz.errors import InputError, ShapevizError
from shapeviz.frontends import _ignored
from shapeviz.frontends._families import load
from shapeviz.frontends._families import names as families

PASSED = [
    ("llama", "internal_version", "7b-alpha-v1"), ("llama", "hidden_dropout_prob", 0.1), ("llama", "seed", 3),
    ("llama", "projector_init_std", 0.02), ("llama", "image_token_index", 32000), ("llama", "use_qk_norm", False),
    ("llama", "use_dora", False), ("llama", "adapters", {}), ("llama", "mtp_layers", None), ("llama", "min_p", 0.1),
    ("llama", "context_window_size", 2048), ("llama", "prefill_chunk_size", 2048), ("llama", "sliding_window_size", -1),
    ("llama", "layer_types", ["full_attention"] * 32), ("gpt2", "num_key_value_heads", 12), ("gpt2", "head_dim", 64),
    ("llama", "partial_rotary_factor", 1.0), ("qwen3_moe", "use_qk_norm", True), ("phi", "attention_bias", False),
    ("bart", "do_blenderbot_90_layernorm", False), ("phi", "rotary_dim", 32), ("mixtral", "attention_bias", False),
    ("llama", "router_z_loss_coef", 0.1), ("llama", "quantization_bits", 4), ("gemma2", "sliding_window_size", 4096),
]  # fmt: skip
REFUSED = [
    ("qwen2", "use_bias", False), ("llama", "attn_norm", False), ("gpt2", "tie_lm_head", False),
    ("llama", "mtp_layers", 1), ("llama", "use_qk_norm", True), ("qwen3_moe", "use_qk_norm", False),
    ("llama", "layer_scale_init_value", 0.1),
    ("llama", "drop_vision_last_layer", True), ("llama", "num_depth_coefficient", 2), ("gpt2", "rope_theta", 10000),
    ("llama", "sliding_window_size", 4096), ("llama", "layer_types", ["full_attention"]), ("gpt2", "head_dim", 32),
    ("llama", "layer_types", [[1], {}]),
    ("gpt2", "num_key_value_heads", 2), ("llama", "layer_types", ["linear_attention"] * 32), ("llama", "moe_layers", 0),
    ("bart", "do_blenderbot_90_layernorm", True), ("llama", "gemma2_init_codebook", True), ("gpt2", "head_dim", "64"),
]  # fmt: skip


def params(data: dict[str, Any]) -> int:
    return int(shapeviz.measure(read(data), ["params"]).total["params"].value)


def stated(name: str, **keys: Any) -> dict[str, Any]:
    return {"model_type": name, **keys}


@pytest.mark.parametrize(("name", "key", "value"), PASSED)
def test_a_key_that_changes_neither_shapes_nor_costs_is_passed_over(name: str, key: str, value: Any) -> None:
    assert params(stated(name)) == params(stated(name, **{key: value}))


@pytest.mark.parametrize(("name", "key", "value"), REFUSED)
def test_a_key_that_may_change_them_is_never_swallowed(name: str, key: str, value: Any) -> None:
    with pytest.raises(InputError, match=key):
        read(stated(name, **{key: value}))
    assert params(stated(name)) == params(stated(name, **{key: None}))


def test_an_engines_name_of_the_window_is_the_window() -> None:
    tokens = {"S": 8192}

    def kept(**keys: Any) -> Any:
        return shapeviz.measure(read(stated("mistral", **keys)), ["cache"]).total["cache"].at(**tokens)

    # 2 · 32 layers · 8 heads · 128 features · 2 bytes a token
    assert 131072 * 1024 == kept(sliding_window_size=1024) == kept(sliding_window=1024)
    assert 131072 * 8192 == kept(sliding_window_size=-1)
    with pytest.raises(InputError, match="another name of it"):
        read(stated("mistral", sliding_window=4096, sliding_window_size=1024))


def others(value: Any) -> list[Any]:
    """Values of another meaning: a switch turned, a size changed; one of every kind for what is null."""
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, 2 * value]
        case float():
            return [0.5]
        case str():
            return ["relu"]
        case None:
            return [True, False, 2, 4]
    return []


def changed(name: str) -> list[dict[str, Any]]:
    """A small configuration with one key of transformers' class at another value: each switch, and some other keys."""
    data = drawn(name, sample(name), 5, left_out=0) | {"architectures": list(family(name).CLASSES)[:1]}
    default, switches, rest = CONFIG_MAPPING[load(name).kind](), [], []
    for entry in dataclasses.fields(CONFIG_MAPPING[load(name).kind]):
        if entry.init and entry.name not in _ignored.IGNORED | {"architectures"}:
            stated = data.get(entry.name, getattr(default, entry.name, None))
            kept = switches if isinstance(stated, bool) else rest
            kept.extend({**data, entry.name: value} for value in others(stated))
    return switches + Random(name).sample(rest, 3)


@pytest.mark.parametrize("name", [name for name in families() if load(name).kind in CONFIG_MAPPING])
def test_what_is_accepted_of_a_class_of_transformers_has_its_parameters(name: str) -> None:
    for data in changed(name):
        try:
            ours = params(data)
            theirs = sum(weight.numel() for weight in build(data).parameters())
        except ShapevizError:
            continue  # refused
        except Exception:  # whatever transformers says of a value that it does not take
            continue
        assert theirs == ours, data
