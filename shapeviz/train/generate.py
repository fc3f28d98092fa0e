"""Text from a trained model, token by token, with a cache of keys and values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shapeviz.errors import InputError, ShapevizError
from shapeviz.nets.language_model import LanguageModel
from shapeviz.train.sampling import Sampling

Each = Callable[[str], object] | None
UNFINISHED = "\ufffd"
"""What the bytes of a character that is not yet whole are decoded as."""
MOST = 10_000_000
"""Tokens that are generated at once."""
LITTLE = 2**24
"""Products of a pass below which several threads wait for each other longer than they compute."""


def generate(
    module: LanguageModel,
    tokenizer: Any,
    prompt: str = "",
    tokens: int = 500,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 1,
    cache: bool = True,
) -> str:
    """The prompt and as many tokens after it.

    The text depends on the arguments alone, not on torch's own generator; on the cache only once it is longer than
    block_size, see `continued`. An empty prompt begins as after a line's end. Raises InputError for characters that the
    tokenizer does not have and for options that cannot be.
    """
    return samples(module, tokenizer, prompt, tokens, Sampling(temperature, top_k, top_p), seed, cache, 1)[0]


def samples(
    module: LanguageModel,
    tokenizer: Any,
    prompt: str,
    tokens: int,
    sampling: Sampling,
    seed: int = 1,
    cache: bool = True,
    count: int = 1,
    each: Each = None,
) -> list[str]:
    """Several texts at once, each the prompt and as many tokens after it. Raises what `generate` raises.

    Of a single text `each` is given every piece as soon as it is there, the prompt first.
    """
    check(tokens, count)
    unknown = dict.fromkeys(tokenizer.unknown_pieces(prompt))
    if unknown:
        raise InputError(f"the prompt has what the tokenizer does not know: {', '.join(map(repr, unknown))}")
    device = module.embedding.weight.device
    ids = [int(i) for i in tokenizer.encode(prompt)] or _beginning(tokenizer)
    generator = torch.Generator(device).manual_seed(seed % 2**64)
    shown = list(ids) if prompt else []
    stream = Stream(tokenizer, shown, each) if each and count == 1 else None
    told = stream.add if stream else None
    new = continued(module, torch.tensor([ids] * count, device=device), tokens, sampling, generator, cache, told)
    if stream:
        stream.close()
    # decoded together with the prompt: a token may be a part of a character
    return [tokenizer.decode(shown + row) for row in new.tolist()]


class Stream:
    """Text of tokens that come one after another, given to `each` as soon as nothing after it can change it.

    A token may be a part of a character, and its text may depend on the one before: what is new is what a few tokens
    give together beyond what they gave before.
    """

    def __init__(self, tokenizer: Any, ids: list[int], each: Callable[[str], object]) -> None:
        self.decode, self.each, self.ids = tokenizer.decode, each, list(ids)
        self.start = self.end = 0  # the text of ids[:end] is out; ids[start:end] is what the next ones may depend on
        if ids:
            self._show()

    def add(self, token: int) -> None:
        """One more token."""
        self.ids.append(token)
        self._show()

    def close(self) -> None:
        """No more will come: what is left is given as it is."""
        self._show(last=True)

    def _show(self, last: bool = False) -> None:
        before, now = self.decode(self.ids[self.start : self.end]), self.decode(self.ids[self.start :])
        if last or not now.endswith(UNFINISHED):
            self.each(now[len(before) :])
            self.start, self.end = self.end, len(self.ids)


def check(tokens: int, count: int) -> None:
    """Raises InputError unless there is at least one token and one text to be made."""
    for name, number in (("tokens", tokens), ("samples", count)):
        if number < 1:
            raise InputError(f"{name} = {number}: a positive integer is needed")
    if tokens * count > MOST:
        raise InputError(f"{tokens:,} tokens in each of {count:,} samples are more than {MOST:,} in all: ask for fewer")


def _beginning(tokenizer: Any) -> list[int]:
    """What stands for nothing before: the end of a line if the tokenizer has it, else its first token."""
    try:
        return [int(i) for i in tokenizer.encode("\n")] or [0]
    except InputError:
        return [0]


@torch.inference_mode()
def continued(
    module: LanguageModel,
    ids_BT: Tensor,
    tokens: int,
    sampling: Sampling,
    generator: torch.Generator,
    cache: bool = True,
    told: Callable[[int], None] | None = None,
) -> Tensor:
    """Token ids [B tokens] that follow ids [B T]; `told` is given those of the first row, one after another.

    The model sees at most block_size tokens. As long as these suffice, the cache changes nothing but the speed. After
    that the window slides by a token at a time without a cache, which has all computed anew; with one, the last half
    of the window is read once more whenever it is full.
    """
    window, training, threads = module.block_size, module.training, torch.get_num_threads()
    whole = torch.cat((ids_BT, ids_BT.new_empty(ids_BT.shape[0], tokens)), dim=1)
    start, filled = 0, None  # the context begins at `start`; `filled` is the cache of all but its last tokens
    module.eval()
    little = len(whole) * (1 if cache else window) * sum(weight.numel() for weight in module.parameters()) < LITTLE
    torch.set_num_threads(1 if little else threads)
    try:
        for end in range(ids_BT.shape[1], whole.shape[1]):
            if end - start > window:
                start, filled = end - (max(1, window // 2) if cache else window), None
            if not cache:
                logits_BTV = module(whole[:, start:end], last=True)
            elif filled is None:
                filled = module.cache(len(whole))
                logits_BTV = module(whole[:, start:end], filled, last=True)
            else:
                logits_BTV = module(whole[:, end - 1 : end], filled)
            whole[:, end : end + 1] = sampling.choose(logits_BTV[:, -1].float(), generator)
            if told:
                told(int(whole[0, end]))
    finally:
        module.train(training)
        torch.set_num_threads(threads)
    return whole[:, ids_BT.shape[1] :]


def load(folder: Path, which: str | None = None) -> tuple[LanguageModel, Any]:
    """The model of a run folder and its tokenizer, from its best checkpoint (the last if there is none) or `which`.

    Weights are in fp32, on the CPU. Raises InputError for a folder without a run, or whose files do not go together.
    """
    from shapeviz.train import checkpoint, tokenizers
    from shapeviz.train.folder import read_json

    named = [f"{which}.pt"] if which else [checkpoint.BEST, checkpoint.LAST]
    path = next((folder / name for name in named if (folder / name).is_file()), None)
    if path is None:
        what = "no folder" if folder.exists() and not folder.is_dir() else "no such folder"
        what = what if not folder.is_dir() else f"no {' or '.join(named)} in it"
        runs = sorted(str(path.parent) for path in folder.glob("*/recipe.json"))[:10]
        hint = f"runs in it: {', '.join(runs)}" if runs else f"`shapeviz train -o {folder}` trains a model there"
        raise InputError(f"{folder}: {what}; {hint}")
    tokenizer = tokenizers.load(folder / "tokenizer.json")
    config = read_json(folder / "config.json", "a configuration")
    try:
        module = LanguageModel(config)
    except (ShapevizError, TypeError, AttributeError, RuntimeError, MemoryError) as error:  # anybody may have edited it
        raise InputError(f"{folder / 'config.json'}: {str(error).splitlines()[0][:150]}") from None
    try:
        state = checkpoint.load(path)
        if parts := state.get(checkpoint.PARTS):
            from shapeviz.train import shards

            shards.read(folder, parts, {"model": {name: weight.detach() for name, weight in module.named_parameters()}})
        else:
            module.load_state_dict(state["model"])
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:  # what torch raises for weights of others
        why = " ".join(str(error).split())[:150]
        raise InputError(f"{path} does not belong to {folder / 'config.json'}: {why}") from None
    except InputError as error:
        others = [name for name in (checkpoint.LAST, checkpoint.BEST) if folder / name != path]
        if which is None and (folder / others[0]).exists():
            error.add_note(f"--checkpoint {Path(others[0]).stem} takes the other one")
        raise
    words = module.embedding.num_embeddings
    if tokenizer.vocab_size > words:
        raise InputError(f"{folder / 'tokenizer.json'} has {tokenizer.vocab_size} tokens, the model {words}")
    return module.eval(), tokenizer
