"""Names as users know them, and sizes as they write them: resolved, or refused with what to give instead."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import shapeviz
from shapeviz import published
from shapeviz.cli._app import app
from shapeviz.errors import InputError, SizeError
from shapeviz.keys import numeral


@pytest.mark.parametrize(
    ("name", "base"),
    [("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"), ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b"),
     ("google/gemma-2-9b-it", "gemma-2-9b"), ("meta-llama/Llama-2-7b-chat-hf", "llama-2-7b"),
     ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b"), ("Qwen/Qwen3-8B-Base", "qwen3-8b"),
     ("llama-3.1-8b-instruct", "llama-3.1-8b"), ("deepseek-ai/deepseek-llm-7b-chat", "deepseek-llm-7b")],
)  # fmt: skip
def test_a_variant_is_its_base_model_with_a_note(name: str, base: str) -> None:
    model = shapeviz.read(name)
    assert base == model.name
    assert any(name in note and base in note for note in model.notes)
    assert shapeviz.measure(shapeviz.read(base)).total == shapeviz.measure(model).total
    assert not any("counted as" in note for note in shapeviz.read(base).notes)


def test_a_name_of_the_hub_is_found_whole_or_not_at_all() -> None:
    for name in published.names():
        owner = published.load(name)["source"].split("; ")[0].removeprefix("huggingface.co/")
        if owner.count("/") == 1 and " " not in owner:
            assert published.load(name)["config"] == published.load(str(published.alias(owner)))["config"], owner
    assert None is published.alias("meta-llama/Llama-3")  # the beginning of many names


UNKNOWN = [
    "gpt-4", "gpt-3", "whisper-small", "clip-vit-base-patch32", "mbart-large", "mpt-30b", "olmoe-1b-7b",
    "claude-3", "electra-small", "openai/whisper-small", "some/where/else", "mamba2-2.7b", "gemma-4-9b",
]  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_name_is_never_answered_with_a_model_of_another_family(name: str) -> None:
    with pytest.raises(InputError, match="not known here: give its config") as error:
        shapeviz.read(name)
    assert not [known for known in published.names() if f" {known}" in str(error.value)]


@pytest.mark.parametrize(
    ("name", "near"),
    [("llama3-8b", "llama-3-8b"), ("lama-3-8b", "llama-3-8b"), ("gpt-2", "gpt2"), ("vit", "vit-base-patch16-224"),
     ("t5", "t5-small"), ("bert-bse-cased", "bert-base-cased"), ("qwen3-9b", "qwen3-8b"), ("opt-1b", "opt-1"),
     ("phi-3-mini", "phi-3-mini-128k"), ("meta-llama/Llama-3.1-9B", "llama-3.1-8b"), ("deepseek", "deepseek-coder")],
)  # fmt: skip
def test_a_slip_is_answered_with_the_nearest_of_the_family(name: str, near: str) -> None:
    with pytest.raises(InputError, match=rf"did you mean .*{re.escape(near)}"):
        shapeviz.read(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [("resnet50", "torchvision.models:resnet50"), ("efficientnet_b0", "torchvision.models:efficientnet_b0"),
     ("model.safetensors", "weights, from which no model can be read: give the config.json beside it"),
     ("model.onnx", "an ONNX graph"), ("last.pt", "file.py:factory"), ("llama-3-8b.Q4_K_M.gguf", "quantized weights"),
     ("https://huggingface.co/a/b/resolve/main/config.json", "nothing is downloaded; save the config.json"),
     ("https://huggingface.co/Qwen/Qwen2.5-7B-Instruct/blob/main/config.json", "qwen2.5-7b is bundled"),
     ("s3://bucket/config.json", "nothing is downloaded")],
)  # fmt: skip
def test_what_is_no_model_is_told_what_to_give_instead(name: str, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        shapeviz.read(name)


def test_a_file_of_weights_that_is_there_is_not_read_as_something_else(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(InputError, match="that is weights"):
        shapeviz.read(path)


def test_the_list_of_models_names_no_other_family_either() -> None:
    result = CliRunner().invoke(app, ["models", "whisper"])
    assert (2, "") == (result.exit_code, result.stdout)
    assert "are known: shapeviz models" in result.stderr


NUMERALS = {
    "4k": 4000, "4K": 4000, "4Ki": 4096, "32k": 32000, "8B": 8 * 10**9, "1.5b": 15 * 10**8, "1_024": 1024,
    "1,024": 1024, "2**12": 4096, "2^12": 4096, "2GiB": 2**31, "2 GB": 2 * 10**9, "3T": 3 * 10**12, " 7 ": 7, "-5": -5,
}  # fmt: skip


@pytest.mark.parametrize(("text", "number"), NUMERALS.items())
def test_a_number_may_be_written_as_people_do(text: str, number: int) -> None:
    assert number == numeral(text)


@pytest.mark.parametrize("text", ["", "k", "4x", "1.0005k", "0x10", "1__2", "1,02", "²", "2**-3", "2**", "4kk", "1.5"])
def test_what_is_no_whole_number_is_none(text: str) -> None:
    assert None is numeral(text)


def test_a_power_that_nobody_can_mean_takes_no_time() -> None:
    with pytest.raises(SizeError, match="larger than"):
        shapeviz.read(seq="99**999999999")


def test_suffixes_are_taken_wherever_a_size_is_given(tmp_path: Path) -> None:
    (tmp_path / "sizes.toml").write_text('seq = "4k"\nff = "2k, 2**5"\nvocab = "32k"\n')
    numbers = shapeviz.read(tmp_path / "sizes.toml").sizes.numbers
    assert (4000, 2000, 32, 32000) == tuple(numbers[name] for name in ("S", "d_ff1", "d_ff2", "V"))
    assert 4000 == shapeviz.read({"seq": "4k"}).sizes.numbers["S"] == shapeviz.read(seq="4k").sizes.numbers["S"]
    assert 512 == shapeviz.read("gpt2", sizes={"S": "2**9"}).sizes.numbers["S"]
    assert 1024 == shapeviz.read("gpt2", seq="1Ki").sizes.numbers["S"]
    for line, words in (("params --seq 4k", "S = 4000"), ("params gpt2 --size S=1Ki", "S = 1024")):
        assert words in CliRunner().invoke(app, line.split()).stdout


@pytest.mark.parametrize(
    ("line", "word"),
    [("positions rope", "rotary"), ("positions absolute", "learned"), ("norm rmsnorm", "rms"),
     ("norm LayerNorm", "layer"), ("norm-position prenorm", "pre")],
)  # fmt: skip
def test_a_word_of_others_is_answered_with_ours(line: str, word: str) -> None:
    key, value = line.split()
    with pytest.raises(InputError, match=f"did you mean '{word}'"):
        shapeviz.read({key: value})
