"""What is exported is read by transformers and safetensors, and computes the same."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from training import text, tiny
from typer.testing import CliRunner

from shapeviz.cli._app import app
from shapeviz.errors import InputError
from shapeviz.nets.language_model import LanguageModel
from shapeviz.train import export, generate, tokenizers
from shapeviz.train.loop import train

transformers = pytest.importorskip("transformers")
LLAMA = {"positions": "rotary", "norm": "rms", "gated": True, "activation": "silu"}


def varied(**options: Any) -> LanguageModel:
    """A model with no weight as it begins."""
    torch.manual_seed(0)
    module = LanguageModel(tiny(Path(), layers=2, ff=24, **options).model(11)).eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return module


@pytest.mark.parametrize(
    ("options", "name"),
    [({}, "GPT2LMHeadModel"), ({"tie": False, "bias": False, "activation": "relu2"}, "GPT2LMHeadModel"),
     ({**LLAMA, "bias": False}, "LlamaForCausalLM"), ({**LLAMA, "tie": False}, "LlamaForCausalLM")],
)  # fmt: skip
def test_transformers_computes_the_same(tmp_path: Path, options: dict[str, Any], name: str) -> None:
    module, words = varied(**options), tokenizers.make("char", "abcdefghijk")
    assert name == export.write(module, words, tmp_path / "out")
    theirs, told = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert name == type(theirs).__name__
    assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), told
    ids = torch.randint(11, (3, 16))
    with torch.no_grad():
        assert torch.allclose(theirs.eval()(ids).logits, module(ids), atol=1e-5)
    if "bias" not in options:  # as many as ours, where no bias of zeros is added
        ours = sum(weight.numel() for weight in module.parameters())
        assert ours == sum(weight.numel() for weight in theirs.parameters())


def test_the_file_is_one_of_safetensors(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.torch")
    tensors = {"a": torch.randn(3, 5), "é": torch.arange(7.0), "t": torch.randn(4, 2).T, "none": torch.zeros(0, 2)}
    (tmp_path / "x.safetensors").write_bytes(export.safetensors(tensors))
    found = library.load_file(tmp_path / "x.safetensors")
    assert set(tensors) == set(found)
    assert all(torch.equal(tensors[name], found[name]) for name in tensors)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"qk_norm": True}, "GPT-2 has no qk_norm True; Llama has no positions learned"),
     ({"positions": "rotary"}, "Llama has no norm layer")],
)  # fmt: skip
def test_what_no_class_computes_is_refused_with_the_reason(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        export.converted(varied(**options))


def test_a_run_is_exported_with_its_tokenizer(tmp_path: Path) -> None:
    train(
        tiny(text(tmp_path), tokenizer="bpe", vocab_size=300, steps=1),
        tmp_path / "run",
        say=lambda _: None,
        report=False,
    )
    words = ["export", str(tmp_path / "run"), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert 0 == done.exit_code, done.output
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} == {
        path.name for path in (tmp_path / "out").iterdir()
    }
    _, ours = generate.load(tmp_path / "run")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    line = "the cat sat, Hm?  away 🙂"
    assert ours.encode(line).tolist() == theirs(line)["input_ids"]
    assert line == theirs.decode(theirs(line)["input_ids"])
    assert "gpt2" == json.loads((tmp_path / "out" / "config.json").read_text())["model_type"]
    again = CliRunner().invoke(app, words)
    assert 2 == again.exit_code
    assert "holds config.json, model.safetensors" in again.output
    assert 2 == CliRunner().invoke(app, words[:2]).exit_code
