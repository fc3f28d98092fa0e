"""What is refused of a config.json, and of the options for one: in one message that says how to mend it."""

import json
from pathlib import Path

import pytest
from test_bad_input import refused
from test_configurations import LLAMA, by_hand, total

import shapeviz


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA))
    return path


SLIPS = {
    "": "is empty",
    " ": "empty",
    '{"model_type": "llama"': "line 1",
    "null": "not null",
    "[]": "not a list",
    '"llama"': "not a text",
    "{}": "no model_type",
    '{"model_type": null}': "no model_type",
    '{"model_type": ["llama"]}': "a text is needed",
    '{"model_type": "lama"}': "did you mean 'llama'",
    '{"model_type": "../llama"}': "unknown model_type",
    '{"model_type": "_plan"}': "unknown model_type",
    '{"model_type": "transformer"}': "unknown model_type",
    '{"tokenizer_class": "LlamaTokenizer"}': "a tokenizer's configuration",
    '{"weight_map": {}}': "an index of weights",
    '{"peft_type": "LORA"}': "an adapter's configuration",
    '{"model_type": "llama", "hidden_size": "4096"}': "a positive integer",
    '{"model_type": "llama", "hidden_size": null}': "leave the key out for its default",
    '{"model_type": "llama", "hidden_size": -1}': "hidden_size = -1",
    '{"model_type": "llama", "hidden_size": 0}': "hidden_size = 0",
    '{"model_type": "llama", "hidden_size": 4096.5}': "hidden_size = 4096.5",
    '{"model_type": "llama", "hidden_size": 1e999}': "hidden_size = Infinity",
    '{"model_type": "llama", "hidden_size": NaN}': "hidden_size = NaN",
    '{"model_type": "llama", "hidden_size": true}': "hidden_size = true",
    '{"model_type": "llama", "hidden_size": [4096]}': "hidden_size = [4096]",
    '{"model_type": "llama", "hidden_size": 1' + "0" * 51 + "}": "larger than 10⁵⁰",
    '{"model_type": "llama", "hidden_size": 1' + "0" * 5000 + "}": "too long",
    '{"model_type": "llama", "hidden_size": 4097}': "nearest: num_attention_heads 17, or hidden_size 4096 or 4128",
    '{"model_type": "llama", "num_key_value_heads": 5}': "num_attention_heads = 32 is no multiple of num_key_value",
    '{"model_type": "mixtral", "num_experts_per_tok": 9}': "num_experts_per_tok = 9 is more than num_local_experts = 8",
    '{"model_type": "llama", "hidden_size": 64, "hidden_size": 32}': "hidden_size is given twice",
    '{"model_type": "gpt2", "n_embd": 64, "hidden_size": 32}': "n_embd = 64 is another name of it",
    '{"model_type": "llama", "attention_bias": 1}': "true or false",
    '{"model_type": "llama", "hidden_act": "geluu"}': "did you mean 'gelu'",
    '{"model_type": "llama", "hidden_act": "' + "x" * 5000 + '"}': "x…' is known",
    '{"model_type": "llama", "hidden_act": "prelu"}': "no elementwise function 'prelu' is known",
    '{"model_type": "gpt2", "activation_function": "rellu"}': "activation_function: no elementwise function 'rellu'",
    '{"model_type": "t5", "feed_forward_proj": "gated-geluu"}': "did you mean 'gelu'",
    '{"model_type": "llama", "head_dim": 65}': "head_dim = 65: rotary positions turn pairs of features",
    '{"model_type": "llama", "num_hiden_layers": 3}': "did you mean 'num_hidden_layers'",
    '{"model_type": "llama", "mtp_layers": 3}': "--ignore mtp_layers",
    '{"model_type": "llama", "architectures": ["LlamaForCausaLM"]}': "did you mean 'LlamaForCausalLM'",
    '{"model_type": "llama", "architectures": "LlamaForCausalLM"}': "a list of class names",
    '{"model_type": "llama", "id2label": 3}': "id2label = 3",
    '{"model_type": "llama", "num_labels": 0}': "num_labels = 0",
    '{"model_type": "gpt2", "pruned_heads": {"0": [1]}}': "changes shapes",
    '{"model_type": "gpt2", "add_cross_attention": true}': "changes shapes",
    '{"model_type": "gemma2", "num_hidden_layers": 2, "layer_types": ["full_attention"]}': "layer_types has 1 entries",
    '{"model_type": "gemma2", "num_hidden_layers": 1, "layer_types": ["full"]}': "layer_types has 'full'",
    "[" * 100_000: "nested too deeply",
}


@pytest.mark.parametrize(("text", "message"), SLIPS.items(), ids=[text[:60] for text in SLIPS])
def test_a_configuration_with_a_slip_is_refused_in_one_message(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "slip.json"
    path.write_text(text)
    told = refused("params", str(path))
    assert message in told
    assert "slip.json" in told


def test_a_key_that_cannot_matter_is_ignored_on_request(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**LLAMA, "favourite_colour": "blue"}))
    assert "favourite_colour = blue" in refused("params", str(path))
    assert by_hand() == total(str(path), "--ignore", "favourite_colour")


def test_a_file_of_100_megabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    assert "100,000,000 bytes" in refused("params", str(path))


@pytest.mark.parametrize("content", [b"\xff\xfe{\0}\0", bytes(range(256))])
def test_a_file_that_is_no_text_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    assert "not text in UTF-8" in refused("params", str(path))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--size", "N_enc=3"), "has no size N_enc"), (("--enc", "3"), "--enc 3: llama has no size N_enc"),
        (("--size", "d_k=0"), "a positive integer"), (("--size", "hidden_act=3"), "hidden_act is no size"),
        (("--size", "g=5"), "num_key_value_heads = 5"), (("--batch", "0"), "a positive integer"),
        (("--seq", "7", "--size", "S=7"), "S is given by --size as well"), (("--no-bias",), "says it itself"),
        (("--norm", "rms"), "says it itself"), (("--training",), "--via torch"),
        (("--input", "x:int64[B]"), "--via torch"),
        (("--via", "jax"), "the only other way is via torch"), (("--via", "torch", "--no-head"), "no effect"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_of_a_configuration_is_refused(words: tuple[str, ...], message: str, config: Path) -> None:
    assert message in refused("params", str(config), *words)


@pytest.mark.parametrize("words", [("--head",), ("--no-head",), ("--via", "torch"), ("--ignore", "x")])
def test_options_of_configurations_are_for_them_alone(words: tuple[str, ...]) -> None:
    assert f"{words[0]} is for a published model" in refused("params", *words)


def test_a_sequence_longer_than_the_table_of_positions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"model_type": "gpt2"}')
    assert "1024 positions" in refused("params", str(path), "--seq", "1025")
    report = shapeviz.measure(shapeviz.read(path))
    with pytest.raises(shapeviz.errors.SizeError, match="S ≤ 1024 is needed"):
        report.total["flops"].at(S=1025)
