"""Generation: with a cache as without, from its own random numbers, cut as asked; by the program, from a run folder."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from test_bad_input import invoke, refused
from torch import Tensor
from training import text, tiny

from shapeviz.errors import InputError
from shapeviz.nets.language_model import LanguageModel
from shapeviz.train import tokenizers
from shapeviz.train.generate import continued, generate, load
from shapeviz.train.loop import train
from shapeviz.train.sampling import Sampling

ALPHABET = "\n abcdefghijklmnopqrstuvwxyz"
SIZES: dict[str, Any] = {"vocab_size": len(ALPHABET), "hidden_size": 16, "num_hidden_layers": 2,
                         "num_attention_heads": 2, "max_position_embeddings": 24}  # fmt: skip
WAYS = [Sampling(0), Sampling(), Sampling(0.7, top_k=5), Sampling(1.3, top_p=0.8), Sampling(0.9, 9, 0.9)]
VARIANTS: list[dict[str, Any]] = [
    {}, {"positions": "rotary", "qk_norm": True, "activation": "relu2"},
    {"positions": "sinusoidal", "norm": "rms", "gated": True}, {"dropout": 0.5},
]  # fmt: skip


def model(**keys: Any) -> LanguageModel:
    """A module with such weights that what it says depends on all of the context."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(3)
        module = LanguageModel({**SIZES, **keys})
        for weight in module.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return module


def new(module: LanguageModel, ids: Tensor, tokens: int, sampling: Sampling, cache: bool, seed: int = 1) -> Tensor:
    return continued(module, ids, tokens, sampling, torch.Generator().manual_seed(seed), cache)


@pytest.mark.parametrize("keys", VARIANTS)
@pytest.mark.parametrize("sampling", WAYS)
@pytest.mark.parametrize("begin", [1, 7, 24])
def test_a_cache_changes_no_token_inside_the_window(keys: dict[str, Any], sampling: Sampling, begin: int) -> None:
    module = model(**keys)
    ids = torch.randint(len(ALPHABET), (3, begin), generator=torch.Generator().manual_seed(begin))
    tokens = 24 - begin + 1  # the last one is chosen when the window is just full
    with_cache, without = (new(module, ids, tokens, sampling, cache) for cache in (True, False))
    assert torch.equal(with_cache, without)
    assert len(set(with_cache.flatten().tolist())) > 1 or tokens == 1


def test_behind_the_window_a_cache_begins_anew_with_its_last_half() -> None:
    module, ids = model(), torch.zeros(2, 3, dtype=torch.int64)
    found = new(module, ids, 60, Sampling(0), cache=True)
    whole, start = ids, 0
    for _ in range(60):
        if whole.shape[1] - start > 24:
            start = whole.shape[1] - 12
        whole = torch.cat((whole, module.eval()(whole[:, start:])[:, -1].argmax(-1, keepdim=True)), 1)
    assert torch.equal(whole[:, 3:], found)


def test_without_a_cache_the_window_slides_by_one() -> None:
    module, whole = model(), torch.zeros(2, 3, dtype=torch.int64)
    found = new(module, whole, 60, Sampling(0), cache=False)
    for _ in range(60):
        whole = torch.cat((whole, module.eval()(whole[:, -24:])[:, -1].argmax(-1, keepdim=True)), 1)
    assert torch.equal(whole[:, 3:], found)


@pytest.mark.parametrize("cache", [True, False])
def test_a_window_of_one_and_a_prompt_longer_than_the_window_do(cache: bool) -> None:
    assert (1, 5) == new(model(max_position_embeddings=1), torch.zeros(1, 1).long(), 5, Sampling(0), cache).shape
    module, long = model(), torch.arange(70)[None] % len(ALPHABET)
    last = long[:, -12:] if cache else long[:, -24:]
    expected = module.eval()(last)[:, -1].argmax(-1)
    assert torch.equal(expected, new(module, long, 2, Sampling(0), cache)[:, 0])


def test_the_seed_alone_decides_and_pytorch_s_generator_is_left_alone() -> None:
    module, ids = model(), torch.zeros(1, 1, dtype=torch.int64)
    torch.manual_seed(5)
    first, state = new(module, ids, 40, Sampling(), True), torch.get_rng_state()
    torch.manual_seed(6)
    assert torch.equal(first, new(module, ids, 40, Sampling(), True))
    assert not torch.equal(first, new(module, ids, 40, Sampling(), True, seed=2))
    torch.manual_seed(5)
    assert torch.equal(state, torch.get_rng_state())


def test_a_module_in_training_is_left_in_training() -> None:
    module = model(dropout=0.5).train()
    assert torch.equal(*(new(module, torch.zeros(1, 1).long(), 9, Sampling(0), True) for _ in range(2)))
    assert module.training
    assert module.layers[0].training


# choosing


def shares(sampling: Sampling, logits: Tensor, draws: int = 40_000) -> Tensor:
    """How often each token is chosen."""
    rows = logits.expand(draws, -1)
    chosen = sampling.choose(rows, torch.Generator().manual_seed(0))
    return torch.bincount(chosen.flatten(), minlength=logits.shape[-1]) / draws


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_softmax_of_logits_over_temperature(temperature: float) -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, 1.5])
    expected = (logits / temperature).softmax(-1)
    # four standard deviations of a share of 40,000 draws are at most 0.01
    torch.testing.assert_close(shares(Sampling(temperature), logits), expected, rtol=0, atol=0.01)


def test_top_k_keeps_the_likeliest_in_proportion() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, 1.5])
    expected = torch.tensor([2.0, -torch.inf, -torch.inf, -torch.inf, 1.5]).softmax(-1)
    torch.testing.assert_close(shares(Sampling(top_k=2), logits), expected, rtol=0, atol=0.01)


@pytest.mark.parametrize(("p", "kept"), [(0.1, 1), (0.39, 1), (0.41, 2), (0.69, 2), (0.71, 3), (0.99, 4), (1.0, 4)])
def test_top_p_keeps_the_fewest_that_have_so_much(p: float, kept: int) -> None:
    probabilities = torch.tensor([0.1, 0.4, 0.3, 0.2])
    found = Sampling(top_p=p).scores(probabilities.log()[None]).softmax(-1)[0]
    order = [1, 2, 3, 0]
    expected = torch.zeros(4)
    expected[order[:kept]] = probabilities[order[:kept]]
    torch.testing.assert_close(found.float(), expected / expected.sum())


def test_top_p_cuts_what_top_k_left() -> None:
    probabilities = torch.tensor([[0.1, 0.4, 0.3, 0.2]])
    # of 0.4 and 0.3 the first has 4/7 = 0.571
    for p, kept in ((0.56, [1]), (0.58, [1, 2])):
        scores = Sampling(top_k=2, top_p=p).scores(probabilities.log())[0]
        assert kept == scores.isfinite().nonzero().flatten().tolist()


@pytest.mark.parametrize("temperature", [0, 1e-300])
def test_no_temperature_and_next_to_none_take_the_likeliest(temperature: float) -> None:
    logits = torch.tensor([[1.0, 3.0, 2.999, -50.0]])
    generator = torch.Generator().manual_seed(0)
    assert [1] * 20 == [int(Sampling(temperature).choose(logits, generator)) for _ in range(20)]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"temperature": -0.5}, "temperature = -0.5"), ({"temperature": float("nan")}, "temperature = nan"),
        ({"temperature": float("inf")}, "temperature = inf"), ({"top_k": 0}, "top-k = 0"),
        ({"top_p": 0.0}, "top-p = 0.0"), ({"top_p": 1.01}, "top-p = 1.01"), ({"top_p": float("nan")}, "top-p = nan"),
    ],
)  # fmt: skip
def test_impossible_options_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Sampling(**values)


# text


def test_text_begins_with_the_prompt_and_unknown_characters_are_named() -> None:
    module, tokenizer = model(), tokenizers.make("char", ALPHABET)
    for prompt in ("", "the cat "):
        found = generate(module, tokenizer, prompt, tokens=30)
        assert found.startswith(prompt)
        assert len(prompt) + 30 == len(found)
    with pytest.raises(InputError, match="'Z'"):
        generate(module, tokenizer, "Zebra")
    with pytest.raises(InputError, match="tokens = 0"):
        generate(module, tokenizer, "a", tokens=0)


def test_unknown_words_are_named_too() -> None:
    tokenizer = tokenizers.make("word", "the cat sat. the cat ran.", 20)
    module = model(vocab_size=tokenizer.vocab_size)
    assert generate(module, tokenizer, "the cat", tokens=3).startswith("the cat")
    with pytest.raises(InputError, match="'dragon'"):
        generate(module, tokenizer, "the dragon", tokens=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run, whose best and last checkpoints differ."""
    folder = tmp_path_factory.mktemp("runs")
    train(tiny(text(folder), lr=0.03, min_lr=0.03, steps=30), folder / "words", say=lambda _: None)
    return folder / "words"


def test_a_run_folder_speaks(run: Path) -> None:
    words = ("generate", str(run), "--prompt", "the cat", "--tokens", "40")
    first = invoke(*words, "--seed", "1", "--temperature", "0.8", "--top-k", "9", "--top-p", "0.9")
    assert (0, "") == (first.exit_code, first.stderr)
    assert first.stdout.startswith("the cat")
    assert len("the cat") + 40 + len("\n") == len(first.stdout)
    module, tokenizer = load(run)
    assert first.stdout == generate(module, tokenizer, "the cat", 40, 0.8, 9, 0.9, seed=1) + "\n"


def test_without_a_seed_one_is_drawn_and_told(run: Path) -> None:
    one, other = (invoke("generate", str(run), "--tokens", "60") for _ in range(2))
    assert one.stdout != other.stdout
    seed = one.stderr.removeprefix("seed ").partition(";")[0]
    assert one.stdout == invoke("generate", str(run), "--tokens", "60", "--seed", seed).stdout


def test_samples_checkpoints_and_files_can_be_chosen(run: Path, tmp_path: Path) -> None:
    usual = ("generate", str(run), "--seed", "3", "--tokens", "30")
    several = invoke(*usual, "--samples", "3").stdout.rstrip("\n").split("─" * 40)
    assert 3 == len({part.strip() for part in several})
    path = tmp_path / "text.txt"
    assert 0 == invoke(*usual, "-o", str(path)).exit_code
    assert path.read_text() == invoke(*usual).stdout == invoke(*usual, "--checkpoint", "best").stdout
    # a window of 16 tokens, the first of which is the end of a line that is not shown
    assert path.read_text()[:16] == invoke(*usual, "--no-cache").stdout[:16]


def test_the_best_checkpoint_is_read_unless_another_is_asked_for(run: Path) -> None:
    for name in ("best", "last"):
        stored = torch.load(run / f"{name}.pt", weights_only=True)["model"]
        module, _ = load(run, name)
        assert all(torch.equal(weight, stored[key]) for key, weight in module.state_dict().items())
    assert torch.equal(load(run)[0].embedding.weight, load(run, "best")[0].embedding.weight)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--temperature", "-1"), "temperature = -1.0"), (("--top-p", "1.5"), "top-p = 1.5"),
        (("--top-k", "0"), "top-k = 0"), (("--tokens", "0"), "tokens = 0"), (("--samples", "0"), "samples = 0"),
        (("--prompt", "Ω"), "'Ω'"), (("--checkpoint", "first"), "best or last"),
    ],
)  # fmt: skip
def test_bad_options_get_one_message(run: Path, options: tuple[str, ...], told: str) -> None:
    assert told in refused("generate", str(run), *options)


def test_folders_without_a_run_get_one_message(run: Path, tmp_path: Path) -> None:
    assert "name the folder of a run" in refused("generate")
    assert "no such folder" in refused("generate", str(tmp_path / "none"))
    assert "no best.pt or last.pt in it" in refused("generate", str(tmp_path))
    for name in ("tokenizer.json", "config.json", "best.pt"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "hidden_size": 32}))
    assert "does not belong to" in refused("generate", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({**config, "positions": "none"}))
    assert "config.json: positions = 'none': known: learned, rotary, sin" in refused("generate", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "best.pt").write_bytes(b"nothing")
    assert "no whole checkpoint" in refused("generate", str(tmp_path))
