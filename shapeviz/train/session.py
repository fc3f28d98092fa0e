"""All that a run works with, made from its recipe: text, tokenizer, ids, module, master weights; and what was saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shapeviz import files
from shapeviz.errors import CheckFailedError, InputError, SizeError, requiring
from shapeviz.nets.language_model import LanguageModel
from shapeviz.train import batches, checkpoint, fit, folder, hardware, tokenizers
from shapeviz.train import corpus as corpora
from shapeviz.train.bits import Coding, coding
from shapeviz.train.distributed import World
from shapeviz.train.evaluation import spread
from shapeviz.train.expected import expected
from shapeviz.train.folder import dumped
from shapeviz.train.log import Log
from shapeviz.train.master import Master
from shapeviz.train.recipe import Recipe
from shapeviz.train.weights import Weights, source

Say = Callable[[str], None]
STANDARD_INPUT = "-"
PIECE = 2**20
"""Tokens that are decoded at once."""


@dataclass(frozen=True)
class Data:
    """A corpus as ids, [N] each, on the device of the run; `coding` is what a token means for its validation part.

    `corpus` has lost its text, which the ids hold in a fraction of the memory.
    """

    corpus: corpora.Corpus
    tokenizer: tokenizers.Tokenizer
    train_ids: Tensor
    val_ids: Tensor
    coding: Coding

    @property
    def facts(self) -> dict[str, Any]:
        """What it is, in numbers and words; `entropy_bits` a character, if the source's is known."""
        corpus = self.corpus
        return {
            "source": corpus.source, "rows": corpus.rows, "characters": corpus.characters, "sha256": corpus.sha256,
            "tokens_to_train_on": len(self.train_ids), "tokens_to_validate_on": len(self.val_ids),
            "vocabulary": self.tokenizer.vocab_size, "characters_a_token": self.coding.chars_per_token,
            "unknown": self.coding.unknown, "hidden_bits": self.coding.hidden, "lossless": self.coding.lossless,
            "entropy_bits": corpus.entropy_bits,
        }  # fmt: skip

    def texts(self) -> Iterator[str]:
        """What the model is trained on, as the tokenizer gives it back, in pieces."""
        for ids in torch.split(self.train_ids, PIECE):
            yield self.tokenizer.decode(ids.cpu())


@dataclass(frozen=True)
class Session:
    """A run in this process; `module` sees the weights of `master`."""

    recipe: Recipe
    folder: Path
    world: World
    hardware: hardware.Hardware
    data: Data
    module: LanguageModel
    master: Weights

    @property
    def averaged(self) -> bool:
        """Whether gradients arrive as means over the processes, as from torch's own engines, where sums are wanted."""
        return self.world.size > 1 and self.recipe.parallel != "flat"

    def evaluated(self, largest: int | None = None) -> str:
        """On what a validation loss is taken, in words; unless told otherwise as often as the recipe says."""
        largest = max(largest or 0, self.recipe.eval_tokens)
        return spread(len(self.data.val_ids), self.recipe.block_size, largest)

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """What a checkpoint must find again, and what its bits depend on."""
        path = self.folder / "tokenizer.json"
        tokenizer = sha256(path.read_bytes()).hexdigest() if path.exists() else None
        return {
            "corpus": self.data.corpus.sha256,
            "tokenizer": tokenizer,
            **self.hardware.facts(self.world),
            "parallel": self.recipe.parallel,
        }


def saved(place: Path, resume: bool, world: World) -> dict[str, Any] | None:
    """The last checkpoint of a run that is resumed; None if it had not come to one.

    Raises InputError if only some of the processes see it, or if it is lost.
    """
    path = place / checkpoint.LAST
    seen = world.gathered(resume and path.exists())

    def compare() -> None:
        if resume and not any(seen) and any(line["step"] > 0 for line in Log.read(place)):  # the first is saved at 0
            raise InputError(f"{path} is missing, and the run had come to one{checkpoint.other(place)}")
        if len(set(seen)) > 1:
            raise InputError(
                f"{path} is not seen by process {seen.index(False)}: a run's folder must be where all see it"
            )

    world.first(compare)
    return checkpoint.load(path) if seen[0] else None


def begin(recipe: Recipe, place: Path, world: World, state: dict[str, Any] | None, say: Say) -> Session:
    """Reads, encodes, builds; writes what describes the run and is not there yet.

    Raises InputError or SizeError before anything is written if corpus, tokenizer and recipe do not go together.
    """
    chosen = hardware.choose(recipe, world, (state or {}).get("fingerprint"))
    made: list[Data] = []

    def prepare() -> None:
        made.append(_data(recipe, place, chosen.device))
        check_lengths(recipe, len(made[0].train_ids), len(made[0].val_ids))
        if note := fit.check(recipe, made[0].tokenizer.vocab_size, world, chosen):
            say(f"note: {note}")
        if STANDARD_INPUT in (recipe.csv, *recipe.texts):
            files.write(place / folder.CORPUS, made[0].corpus.text)
        describe(recipe, made[0], place)

    world.first(prepare)
    data = made.pop() if made else _data(recipe, place, chosen.device)
    corpus = replace(data.corpus, text="")
    data = replace(data, corpus=corpus)
    rows = f"{corpus.rows:,} rows, " if corpus.rows else ""
    say(f"{corpus.source}: {rows}{corpus.characters:,} characters, sha256 {corpus.sha256}")
    for note in corpus.notes:
        say(f"note: {note}")
    with torch.device("meta") if recipe.parallel == "fsdp" else chosen.device:
        module = LanguageModel(recipe.model(data.tokenizer.vocab_size))
    hardware.spelled(module, chosen)
    for line in chosen.reasons:
        say(line)
    if data.coding.note:
        say(f"note: {data.coding.note}")
    weights = _weights(module, recipe, chosen, world)
    session = Session(recipe, place, world, chosen, data, module, weights)
    if (taken := session.evaluated()) != session.evaluated(len(data.val_ids)):
        say(f"evaluations take {taken}")
    say(f"{_counted(module, recipe):,} parameters, as many as the formulas say")
    if recipe.init_from and state is None:
        from shapeviz.train.generate import load

        other, _ = load(Path(recipe.init_from))
        weights.take({name: weight.detach() for name, weight in other.named_parameters()})
        say(f"beginning with the weights of {recipe.init_from}")
    return session


def _counted(module: LanguageModel, recipe: Recipe) -> int:
    """The module's parameters. Raises CheckFailedError if the formulas of its configuration give another number."""
    count = sum(weight.numel() for weight in module.parameters())
    formula = expected(recipe, module.config.vocab_size, recipe.batch_size).parameters
    if formula.value != count:
        raise CheckFailedError(f"the formulas give {formula.value} parameters, the module has {count}")
    return count


def _weights(module: LanguageModel, recipe: Recipe, chosen: hardware.Hardware, world: World) -> Weights:
    """A module's first values and the optimizer for them; one that is to be in parts is on the meta device."""
    if recipe.parallel == "fsdp":
        with requiring("--parallel fsdp", "torch>=2.6"):  # the first with FSDP2
            from shapeviz.train.sharded import Sharded
        return Sharded(module, recipe, chosen.dtype, world, chosen.device)
    module.fill(partial(source, recipe))
    return Master(module, recipe, chosen.dtype)


def _data(recipe: Recipe, place: Path, device: torch.device) -> Data:
    """The corpus read, split and encoded, by the tokenizer in the run folder if there is one, else by a new one.

    Standard input can be read once: what came from it is kept in the run folder.
    """
    kept = place / folder.CORPUS
    if STANDARD_INPUT in (recipe.csv, *recipe.texts) and kept.exists():
        corpus = corpora.read(texts=(kept,))
    else:
        corpus = corpora.read(csv=recipe.csv, column=recipe.column, texts=recipe.texts)
    parts = corpora.split(corpus.text)
    path = place / "tokenizer.json"
    if path.exists():
        tokenizer = tokenizers.load(path)
    elif recipe.init_from:
        tokenizer = tokenizers.load(Path(recipe.init_from) / "tokenizer.json")
    elif recipe.tokenizer.endswith(".json"):
        tokenizer = tokenizers.load(recipe.tokenizer)
    else:  # characters of the whole text, so that none is unknown; others of its training part alone
        text = corpus.text if recipe.tokenizer == "char" else parts[0]
        tokenizer = tokenizers.make(recipe.tokenizer, text, recipe.vocab_size)
    try:
        train, validation = (tokenizer.encode(part) for part in parts)
    except InputError as error:
        if path.exists():
            raise InputError(
                f"the text is not the one that {place} was trained on ({error}): put it back, or begin a run in "
                f"another folder, with --init-from {place} from its weights"
            ) from None
        raise
    train_ids, val_ids = (batches.tokens(ids, device) for ids in (train, validation))
    return Data(corpus, tokenizer, train_ids, val_ids, coding(tokenizer, *parts, validation, train))


def describe(recipe: Recipe, data: Data, place: Path) -> None:
    """Writes what is missing of recipe.json, which makes it a run, and of tokenizer, config, data and environment."""
    from shapeviz.train.summary import environment

    missing: dict[str, Callable[[], Any]] = {
        folder.RECIPE: recipe.plain,
        "config.json": lambda: recipe.model(data.tokenizer.vocab_size),
        "data.json": lambda: data.facts,
        "environment.json": environment,
    }
    path = place / "config.json"
    if path.exists() and folder.read_json(path, "a configuration") != missing["config.json"]():
        raise InputError(f"{path} is not that of {folder.RECIPE} beside it: remove it, and it is written anew")
    for name, content in missing.items():
        if not (place / name).exists():
            files.write(place / name, dumped(content()))
    if not (place / "tokenizer.json").exists():
        data.tokenizer.save(place / "tokenizer.json")


def agree(session: Session, step: int) -> None:
    """Raises InputError if processes are about to do different things: other steps, another text or tokenizer."""
    own = (step, session.fingerprint)
    states = session.world.gathered(own)

    def compare() -> None:
        for rank, (there, facts) in enumerate(states):
            if there != step:
                raise InputError(
                    f"process {rank} is at step {there}, the first one at {step}: all must see {session.folder}"
                )
            for name, value in session.fingerprint.items():
                if facts[name] != value and name in ("corpus", "tokenizer", "dtype"):
                    raise InputError(
                        f"process {rank} has another {name} than the first one: {facts[name]}, not {value}"
                    )

    session.world.first(compare)


def check_lengths(recipe: Recipe, train: int, validation: int) -> None:
    """Raises SizeError if a window, or anything to validate on, is not to be had."""
    if train <= recipe.block_size:
        most = f": --block-size {train - 1} at most" if train > 1 else ""
        raise SizeError(
            f"the corpus has {train} tokens to train on, and a window of --block-size {recipe.block_size} with its "
            f"targets takes {recipe.block_size + 1}{most}"
        )
    if validation < 2:
        raise SizeError("the corpus is too small: its validation part has fewer than 2 tokens")
    if recipe.single_batch and validation <= recipe.block_size:
        raise SizeError(
            f"one validation batch needs {recipe.block_size + 1} tokens, and the validation part has {validation}"
        )


def restore(session: Session, state: dict[str, Any], path: Path, say: Say) -> None:
    """Takes up a checkpoint. Raises InputError if it belongs to another run."""
    for note in checkpoint.compare(state["fingerprint"], session.fingerprint, session.folder):
        say(f"note: {note}")
    try:
        if parts := state.get(checkpoint.PARTS):
            from shapeviz.train import shards

            shards.read(session.folder, parts, session.master.tensors(), session.world)
            session.master.restored(state["optimizer"]["step"])
        else:
            session.master.restore(state)
    except (ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:  # torch's, for another model's
        raise InputError(f"{path} does not fit the recipe beside it: {str(error).splitlines()[0][:100]}") from None
