"""Every family of published models: what its sizes must keep to, which keys it knows, the proof that ships with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from family_proofs import Sample, build, drawn, read
from transformers.activations import ACT2FN

import shapeviz
from shapeviz import plugins
from shapeviz.blocks.activation import NAMES
from shapeviz.errors import SizeError
from shapeviz.frontends import _ignored
from shapeviz.frontends._families import names as families

NEEDED: dict[str, dict[str, Any]] = {
    "deepseek_v2": {"num_experts_per_tok": 2},
    "falcon": {"new_decoder_architecture": True},
}
"""Keys without which a family's other defaults cannot be read, or have no key/value heads of their own."""
BEFORE = {"roberta": 2, "xlm_roberta": 2, "camembert": 2}
"""Rows of a position table that the key counts and no token gets."""
SEPARATE = ("deepseek_v3", "kimi_k2", "mt5", "t5", "umt5")
"""Families whose heads have widths of their own and need not divide anything."""
KEPT = ("model_type", "architectures", "num_labels", "pad_token_id")
RUNS_LATENT = {"deepseek_v2": "qk_rope_head_dim", "deepseek_v3": "qk_rope_head_dim"}
TURNING = (
    "cohere", "deepseek_v2", "deepseek_v3", "falcon", "gemma", "gemma2", "gemma3_text", "gpt_oss", "llama", "mistral",
    "mixtral", "olmo", "olmo2", "olmo3", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "starcoder2",
)  # fmt: skip
"""Families whose rotary positions turn whole heads."""


def family(name: str) -> ModuleType:
    return plugins.load("shapeviz.models", name)


def known_keys(name: str) -> set[str]:
    return {entry.name for entry in fields(family(name).Config)}


def having(*letters: str) -> list[str]:
    """The families with those letters."""
    return [name for name in families() if set(letters) <= set(family(name).SYMBOLS)]


@cache
def sample(name: str) -> Sample:
    """The random configurations of the family's own test."""
    path = Path(__file__).parent / "models" / f"test_{name}.py"
    spec = spec_from_file_location(f"sample_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.sample  # type: ignore[no-any-return]


def shallow(name: str) -> dict[str, Any]:
    """A random configuration of the family's first class with few layers, but more than one: all of them are run."""

    def depth(data: Mapping[str, Any]) -> int:
        return sum(size for letter, size in read(data).sizes.resolve().items() if letter.startswith("N"))

    first = {"architectures": list(family(name).CLASSES)[:1]}
    some = [drawn(name, sample(name), seed, left_out=0) | first for seed in range(12)]
    return min((data for data in some if depth(data) > 1), key=depth)


def usual(name: str, **keys: Any) -> dict[str, Any]:
    """A configuration with the defaults of the family, but for those keys."""
    return {"model_type": name, **NEEDED.get(name, {}), **keys}


def by_letter(name: str, **sizes: int) -> dict[str, int]:
    """Sizes under the family's own keys."""
    return {family(name).SYMBOLS[letter]: size for letter, size in sizes.items()}


def flops(data: Mapping[str, Any]) -> Any:
    return shapeviz.measure(read(data)).total["flops"]


@pytest.mark.parametrize("name", having("P"))
def test_a_sequence_is_no_longer_than_the_table_of_positions(name: str) -> None:
    sizes = read(usual(name)).sizes.resolve()
    cost, longest = flops(usual(name)), sizes["P"] - BEFORE.get(name, 0)
    target = {"T": 1} if "T" in sizes else {}
    assert cost.at(S=longest, **target) > 0
    with pytest.raises(SizeError, match=f"S ≤ {longest} is needed"):
        cost.at(S=longest + 1, **target)


@pytest.mark.parametrize("name", sorted({*having("h")} - {*having("g"), *SEPARATE}))
def test_heads_that_do_not_divide_the_width_are_an_error(name: str) -> None:
    keys = {"d_k": None} if "d_k" in family(name).SYMBOLS else {}
    sizes = by_letter(name, d_model=64, h=5) | {family(name).SYMBOLS[letter]: None for letter in keys}
    key, width = family(name).SYMBOLS["h"], family(name).SYMBOLS["d_model"]
    with pytest.raises(SizeError, match=f"{width} = 64 is no multiple of {key} = 5"):
        read(usual(name, **sizes))


@pytest.mark.parametrize("name", having("g"))
def test_key_value_heads_that_do_not_divide_the_heads_are_an_error(name: str) -> None:
    key, shared = family(name).SYMBOLS["h"], family(name).SYMBOLS["g"]
    with pytest.raises(SizeError, match=f"{key} = 4 is no multiple of {shared} = 3"):
        read(usual(name, **by_letter(name, d_model=64, h=4, g=3)))


@pytest.mark.parametrize("name", having("g"))
def test_nor_may_they_be_put_into_a_formula(name: str) -> None:
    cost = flops(usual(name, **by_letter(name, d_model=64, h=4, g=2)))
    assert cost.at(g=4, S=8) > cost.at(g=1, S=8)
    with pytest.raises(SizeError, match="h is a multiple of g is needed"):
        cost.at(g=3, S=8)


@pytest.mark.parametrize("name", having("k", "E"))
def test_a_token_meets_no_more_experts_than_there_are(name: str) -> None:
    cost, experts = flops(usual(name)), read(usual(name)).sizes.resolve()["E"]
    assert cost.at(k=experts, S=8) > cost.at(k=1, S=8)
    with pytest.raises(SizeError, match="k ≤ E is needed"):
        cost.at(k=experts + 1, S=8)


@pytest.mark.parametrize("name", [name for name in families() if "layer_types" in known_keys(name)])
def test_a_list_of_layers_has_one_entry_for_each(name: str) -> None:
    with pytest.raises(SizeError, match="layer_types has 1 entries"):
        read(usual(name, layer_types=["full_attention"]))


@pytest.mark.parametrize("name", families())
def test_a_family_does_not_say_again_what_all_ignore(name: str) -> None:
    own, everywhere = family(name), {*_ignored.IGNORED, *_ignored.ONLY, "num_labels", "id2label"}
    understood = known_keys(name) | set(getattr(own, "ALIASES", {}))
    only = set(getattr(own, "ONLY", {}))
    again = {key for key in only if _ignored.ONLY.get(key, ()) == own.ONLY[key]}
    assert set() == (own.IGNORED | again) & everywhere
    assert set() == (own.IGNORED & only) | (own.IGNORED | only) & understood


def test_the_activations_that_are_known_are_those_of_transformers() -> None:
    assert set(NAMES) == {name for name in ACT2FN if not list(ACT2FN[name].parameters())}


@pytest.mark.parametrize("name", TURNING)
def test_heads_of_odd_width_are_refused_where_transformers_cannot_turn_them(name: str) -> None:
    data = drawn(name, sample(name), 0, left_out=0) | {"architectures": list(family(name).CLASSES)[:1], "alibi": False}
    data |= by_letter(name, N=1) | {"layer_types": None, "first_k_dense_replace": 1}
    key = RUNS_LATENT.get(name, "head_dim")
    wide = {key: 5} if key in known_keys(name) else by_letter(name, d_model=5 * data[family(name).SYMBOLS["h"]])
    data = {key: value for key, value in (data | wide).items() if key in known_keys(name) or key in KEPT}
    with pytest.raises(SizeError, match="rotary positions turn pairs"):
        read(data)
    with pytest.raises(Exception, match=r"RoPE|size|shape"), torch.no_grad():
        build(data, "cpu")(torch.zeros(1, 4, dtype=torch.int64))


@pytest.mark.parametrize("name", families())
def test_the_proof_that_ships_holds(name: str) -> None:
    checks = shapeviz.verify(shapeviz.read(shallow(name), batch=2))  # at 1 transformers takes another branch
    assert [] == [check for check in checks if not check.ok]
    assert {"params", "buffers", "flops"} == {check.quantity for check in checks}
    assert len(checks) > 4
    for check in checks:
        assert check.found is not None, check
