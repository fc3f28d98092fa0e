"""Configurations answered by transformers' class with letters for their integer keys, against fresh instances of it."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

transformers = pytest.importorskip("transformers")
import torch  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.cli._app import app  # noqa: E402
from shapeviz.errors import SizeError  # noqa: E402
from shapeviz.tracing import trace  # noqa: E402
from shapeviz.tracing.configuration import plan  # noqa: E402

# A model type of every kind, its class, and letters that must stay letters.
CLASSES = {
    "llama": ("LlamaForCausalLM", "V d_model d_ff N h"), "gemma2": ("Gemma2ForCausalLM", "V d_model d_ff N h g d_k"),
    "qwen2_moe": ("Qwen2MoeForCausalLM", "V d_model d_e N h g E"), "mamba": ("MambaForCausalLM", "V d_model N"),
    "deepseek_v3": ("DeepseekV3ForCausalLM", "V d_model d_e N h E kv_lora_rank first_k_dense_replace"),
    "seed_oss": ("SeedOssForCausalLM", "V d_model d_ff N h g d_k"), "albert": ("AlbertForMaskedLM", "V d_model d_ff"),
    "bert": ("BertForMaskedLM", "V d_model d_ff N h"), "t5": ("T5ForConditionalGeneration", "V d_model d_ff N d_k h"),
    "vit": ("ViTForImageClassification", "d_model d_ff N h image_size patch_size"),
    "whisper": ("WhisperForConditionalGeneration", "V d_model"),
    "resnet": ("ResNetForImageClassification", "num_channels"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CLASSES)
def test_parameters_equal_fresh_instances_in_all_letters(kind: str) -> None:
    name, letters = CLASSES[kind]
    blueprint = plan({"model_type": kind, "architectures": [name]})
    model = trace(blueprint, run=False)
    assert {*letters.split()} <= model.sizes.numbers.keys() - model.sizes.pinned.keys()
    total, random, compared = shapeviz.measure(model, ["params"]).total["params"], Random(0), 0
    for _ in range(200):
        sizes = dict(blueprint.sizes)
        free = [name for name in sizes if name not in model.sizes.pinned]
        for letter in random.sample(free, min(3, len(free))):
            sizes[letter] *= random.choice([1, 2, 3])
            if letter == "N":
                sizes[letter] = min(sizes[letter], 24)
        try:
            ours = total.formula.at(model.sizes.resolve(**sizes))
            module = blueprint.instance(sizes)
        except Exception:  # sizes that break a condition, or that the class refuses in words of its own
            continue
        assert sum({id(w): w.numel() for w in module.parameters()}.values()) == ours, sizes
        compared += 1
        if compared == 3:
            return
    raise AssertionError(f"{kind} took {compared} of 200 sizes")


def test_the_formulas_of_a_class_are_those_of_the_family_that_is_written_here() -> None:
    data: dict[str, Any] = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_attention_heads": 8,
        "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 96, "num_hidden_layers": 5, "vocab_size": 200,
        "max_position_embeddings": 512,
    }  # fmt: skip
    ours = shapeviz.measure(shapeviz.read(data))
    theirs = shapeviz.measure(shapeviz.read(data, via="torch", sizes={"B": 3}))  # its masks are others for one sequence
    for name in ("params", "flops"):
        assert ours.total[name].formula == theirs.total[name].formula
    assert theirs.total["flops"].at(B=2, S=9, N=3) == ours.total["flops"].at(B=2, S=9, N=3)
    single = shapeviz.measure(shapeviz.read(data, via="torch"))
    assert ours.total["params"].formula == single.total["params"].formula
    assert ours.total["flops"].formula.subs({"B": 1}) == single.total["flops"].formula


def test_a_configuration_of_an_unknown_type_is_answered_at_once(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    keys = {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 300}
    data = {"model_type": "seed_oss", "architectures": ["SeedOssForCausalLM"], "num_hidden_layers": 3, **keys}
    file.write_text(json.dumps(data))
    words = ["params", str(file), "--size", "num_hidden_layers=7", "--size", "V=1000", "--json"]
    result = CliRunner().invoke(app, words)
    assert 0 == result.exit_code, result.stderr
    sizes = json.loads(result.stdout)["sizes"]
    assert (7, 1000, 64) == tuple(sizes[name] for name in ("N", "V", "d_model"))


def test_a_letter_that_was_the_smaller_in_all_that_was_run_must_be_so() -> None:
    # with more dense layers than layers there are none with experts, and no formula says how many less than none
    data = {"model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"]}
    sizes = trace(plan(data), run=False).sizes
    assert 61 == sizes.resolve(N=61, first_k_dense_replace=4)["N"]
    with pytest.raises(SizeError, match="first_k_dense_replace < N"):
        sizes.resolve(N=8, first_k_dense_replace=8)


def test_of_a_configuration_with_parts_the_language_model_is_built_if_that_is_its_class() -> None:
    data = {"model_type": "emu3", "architectures": ["Emu3ForCausalLM"]}
    with torch.device("meta"):
        oracle = transformers.Emu3ForCausalLM(transformers.Emu3Config().text_config)
    total = shapeviz.measure(trace(plan(data), run=False), ["params"]).total["params"]
    assert sum(weight.numel() for weight in oracle.parameters()) == total.value


def test_keys_that_must_move_together_are_refused_apart() -> None:
    data = {"model_type": "mamba2", "architectures": ["Mamba2ForCausalLM"], "num_hidden_layers": 2}
    model = trace(plan(data), run=False)
    assert "d_model·expand = h·d_k" in {condition.text for condition in model.sizes.conditions}
    with pytest.raises(SizeError):
        model.sizes.resolve(h=64)


TINY = {
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "vocab_size": 200,
}


def counted(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in {id(w): w for w in module.parameters()}.values())


def test_layers_that_take_turns_are_counted_by_kind_and_their_number_still_sets_both() -> None:
    # five with a window and one that attends to all, in turn: of 14 two attend to all
    data = {"model_type": "gemma3_text", "architectures": ["Gemma3ForCausalLM"], "num_hidden_layers": 14, **TINY}
    report = shapeviz.measure(trace(plan(data), run=False), ["params"])
    total = report.total["params"]
    assert {"N_sliding", "N_full"} == {name for name in total.expression.names if name.startswith("N")}
    assert (14, 12, 2) == tuple(report.sizes.numbers[name] for name in ("N", "N_sliding", "N_full"))
    for depth in (14, 31, 3):  # the last has none that attends to all, and is traced anew
        config = transformers.Gemma3TextConfig(**TINY, num_hidden_layers=depth)
        with torch.device("meta"):
            oracle = counted(transformers.Gemma3ForCausalLM(config))
        assert oracle == total.at(num_hidden_layers=depth), depth


def test_keys_of_configurations_within_one_are_letters(tmp_path: Path) -> None:
    vision = {"model_type": "clip_vision_model", **TINY}
    parts = {"text_config": {"model_type": "llama", **TINY}, "vision_config": vision}
    data = {"model_type": "llava", "architectures": ["LlavaForConditionalGeneration"], **parts}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(data))
    words = ["params", str(file), "--size", "text_config.intermediate_size=48", "--size", "vision_d_model=32", "--json"]
    result = CliRunner().invoke(app, words)
    assert 0 == result.exit_code, result.stderr
    config = transformers.LlavaConfig(**data)
    config.text_config.intermediate_size, config.vision_config.hidden_size = 48, 32
    with torch.device("meta"):
        oracle = counted(transformers.LlavaForConditionalGeneration(config))
    assert oracle == json.loads(result.stdout)["total"]["params"]["value"]


def test_weights_that_layers_share_are_counted_once_without_a_forward_pass() -> None:
    layers = torch.nn.ModuleList(torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(2))) for _ in range(4))
    for layer in (layers[2], layers[3]):
        for own, first in zip(layer, layers[1], strict=True):
            own.weight = first.weight
    # 4·2 biases of 3, and 2·2 matrices of 3·3
    assert 24 + 36 == shapeviz.measure(trace(layers, run=False), ["params"]).total["params"].value
