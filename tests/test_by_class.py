"""A model type that nobody knows is understood by its class; stacks that share one table share it via torch too."""

import json
from pathlib import Path

import pytest
from test_bad_input import refused
from test_configurations import invoke

import shapeviz

KIMI = {"model_type": "kimi_k9", "architectures": ["DeepseekV3ForCausalLM"], "num_hidden_layers": 2}


def test_the_class_decides_where_the_type_is_unknown_and_a_note_says_so() -> None:
    by_class, by_type = shapeviz.read(KIMI), shapeviz.read({**KIMI, "model_type": "deepseek_v3"})
    assert shapeviz.measure(by_type).total["params"].value == shapeviz.measure(by_class).total["params"].value
    assert "'kimi_k9' is not known, its class is: DeepseekV3ForCausalLM of deepseek_v3" in by_class.notes[0]
    assert not [note for note in by_type.notes if "is not known" in note]


def test_its_keys_are_those_of_the_class() -> None:
    with pytest.raises(shapeviz.errors.InputError, match="d_llama = 3: this key of deepseek_v3 is not understood"):
        shapeviz.read({**KIMI, "d_llama": 3})


def test_its_proof_holds() -> None:
    small = {
        "hidden_size": 16,
        "vocab_size": 40,
        "intermediate_size": 8,
        "moe_intermediate_size": 4,
        "n_routed_experts": 8,
    }
    checks = shapeviz.verify(shapeviz.read({**KIMI, **small, "num_attention_heads": 2, "kv_lora_rank": 4}))
    assert [] == [check for check in checks if not check.ok]


def test_a_type_and_a_class_that_nobody_knows_are_refused_without_a_false_hint(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "no-such", "architectures": ["NoSuchForCausalLM"]}))
    told = refused("params", str(path))
    assert "unknown model_type 'no-such';" in told
    assert "via torch" not in told  # transformers is here, and has not got it
    path.write_text(json.dumps({"model_type": "no-such", "text_config": {"model_type": "nor-this"}}))
    assert f"point at one as {path}:text_config" in refused("params", str(path))


def test_stacks_that_share_a_table_by_force_share_it_via_torch(tmp_path: Path) -> None:
    sizes = {
        "d_model": 8,
        "d_ff": 4,
        "d_kv": 2,
        "num_layers": 1,
        "num_decoder_layers": 1,
        "num_heads": 2,
        "vocab_size": 99,
    }
    for kind, name in (("mt5", "MT5"), ("longt5", "LongT5")):
        path = tmp_path / f"{kind}.json"
        data = {"model_type": kind, "architectures": [f"{name}ForConditionalGeneration"], **sizes}
        total = {}
        for tied in (True, False):
            path.write_text(json.dumps({**data, "tie_word_embeddings": tied}))
            out = invoke("params", str(path), "--via", "torch", "--json").stdout
            total[tied] = json.loads(out)["total"]["params"]["value"]
        assert 99 * 8 == total[False] - total[True]  # the head's own table, and no other


SMALL = {
    "model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"], "hidden_size": 8, "intermediate_size": 8,
    "moe_intermediate_size": 4, "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 2,
    "vocab_size": 20, "kv_lora_rank": 4, "q_lora_rank": 4, "qk_nope_head_dim": 4, "qk_rope_head_dim": 2,
    "v_head_dim": 4, "first_k_dense_replace": 1, "n_routed_experts": 4, "num_experts_per_tok": 2,
    "n_group": 1, "topk_group": 1,
}  # fmt: skip


def test_what_a_trace_does_not_tell_is_not_counted_and_said_so(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(SMALL))
    done = invoke("params", str(path), "--via", "torch", "--active", "--json")
    assert ["params"] == [name for name in json.loads(done.stdout)["total"] if name in ("params", "active")]
    assert "active parameters of" in done.stderr
    assert "not counted: a trace does not tell" in done.stderr
    assert "a trace does not tell" in refused("params", str(path), "--via", "torch", "--max-active", "3B")
    assert "a trace does not tell" in refused("cache", str(path), "--via", "torch")
    for column in ("active", "kv_cache", "cache"):
        with pytest.raises(shapeviz.errors.InputError, match="a trace does not tell"):
            shapeviz.measure(shapeviz.read(path, via="torch", run=False), [column])


def test_a_class_in_other_capitals_is_found(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    sizes = {
        "hidden_size": 8,
        "intermediate_size": 4,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 9,
    }
    data = {"model_type": "phimoe", **sizes, "num_key_value_heads": 1, "num_local_experts": 2}
    total = []
    for name in ("PhiMoEForCausalLM", "PhimoeForCausalLM"):
        path.write_text(json.dumps({**data, "architectures": [name]}))
        total.append(json.loads(invoke("params", str(path), "--json").stdout)["total"]["params"]["value"])
    assert total[0] == total[1]
