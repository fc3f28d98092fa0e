"""The recipe of a run: every choice that makes it what it is, as plain data; the presets; what is impossible."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from shapeviz.errors import InputError, ShapevizError, SizeError, nearest

MOST = 2**31
"""Sizes, lengths and counts of steps are less."""

CHOICES = {
    "positions": ("learned", "rotary", "sinusoidal"),
    "norm": ("layer", "rms"),
    "activation": ("gelu", "relu2", "silu"),
    "optimizer": ("adamw", "adam"),
    "schedule": ("cosine", "linear", "constant"),
    "dtype": ("auto", "float32", "bfloat16"),
    "parallel": ("flat", "ddp", "fsdp"),
}
# the classes of torch.optim and torch.optim.lr_scheduler that the short names stand for; both are understood
TORCH_NAMES = {
    "AdamW": "adamw",
    "Adam": "adam",
    "CosineAnnealingLR": "cosine",
    "LinearLR": "linear",
    "ConstantLR": "constant",
}
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {},
    "report": {"steps": 5000, "t_max": 5000, "lr": 1e-3, "min_lr": 0.0, "warmup": 0, "weight_decay": 0.01,
               "decay_vectors": True,
               "beta2": 0.999, "clip": 0.0, "eval_tokens": 2**19, "single_batch": True},
    "fast": {"positions": "rotary", "activation": "relu2", "qk_norm": True, "lr": 4e-3, "min_lr": 0.0,
             "steps": 2000},
}  # fmt: skip


def _option(default: Any, text: str, metavar: str = "") -> Any:
    return field(default=default, metadata={"help": text, "metavar": metavar})


@dataclass(frozen=True)
class Recipe:
    """Everything that a run depends on. Sizes are counts, lengths are tokens, intervals are optimizer steps.

    >>> Recipe(layers=2, d_model=64).model(vocab_size=65)["intermediate_size"]
    256
    """

    csv: str | None = _option(None, "A CSV file of text; --column names the column.", "FILE")
    column: str | None = _option(None, "The column of the CSV that holds the text. Default: text.", "NAME")
    texts: tuple[str, ...] = _option((), "A plain text file, - for standard input. Repeatable.", "FILE")
    tokenizer: str = _option("char", "char, word, bpe, or a tokenizer.json.", "KIND|FILE")
    vocab_size: int | None = _option(None, "Vocabulary of the word or bpe tokenizer.", "N")
    layers: int = _option(4, "Layers.", "N")
    heads: int = _option(4, "Heads.", "N")
    d_model: int = _option(128, "Width of the model.", "N")
    ff: int | None = _option(None, "Hidden width of the feed-forward network. Default: 4·d_model.", "N")
    block_size: int = _option(64, "Tokens in a window.", "N")
    batch_size: int = _option(12, "Windows in a batch, over all processes together.", "N")
    steps: int = _option(500, "Updates of the weights.", "N")
    patience: int = _option(0, "Evaluations without a lower loss that end a run; 0 for none.", "N")
    positions: str = _option("learned", "How positions are encoded.")
    norm: str = _option("layer", "LayerNorm or RMSNorm.")
    activation: str = _option("gelu", "Of the feed-forward network.")
    gated: bool = _option(False, "Gated feed-forward network.")
    qk_norm: bool = _option(False, "RMSNorm of queries and keys.")
    bias: bool = _option(True, "Biases of linear layers and norms.")
    tie: bool = _option(True, "One table for embedding and head.")
    dropout: float = _option(0.0, "Share of activations dropped in training.", "P")
    optimizer: str = _option("adamw", "AdamW, or Adam (weight decay inside the gradient).")
    lr: float = _option(1e-3, "Highest learning rate.", "X")
    min_lr: float = _option(1e-4, "Learning rate at the end of the schedule.", "X")
    schedule: str = _option("cosine", "CosineAnnealingLR, LinearLR or ConstantLR.")
    t_max: int | None = _option(None, "Step at which the schedule ends. Default: steps.", "N")
    hold: bool | None = _option(
        None, "Behind --t-max the rate stays; torch's cosine rises again. Default: it stays if --resume adds steps."
    )
    warmup: int | None = _option(None, "Steps of linear warm-up. Default: 5 % of the schedule, at most 100.", "N")
    weight_decay: float = _option(0.1, "Of matrices; of vectors only with --decay-vectors.", "X")
    decay_vectors: bool = _option(False, "Decay biases and gains as well, as torch's optimizers do unasked.")
    beta1: float = _option(0.9, "Decay of the first moment.", "X")
    beta2: float = _option(0.99, "Decay of the second moment.", "X")
    clip: float = _option(1.0, "Largest norm of the gradient; 0 for none.", "X")
    accumulate: int = _option(1, "Batches added up for one update.", "N")
    seed: int = _option(1337, "Of weights, batches, dropout and samples.", "N")
    single_batch: bool = _option(False, "Show the loss on one random validation batch beside the whole split's.")
    eval_every: int | None = _option(
        None, "Steps between evaluations, each of which saves. Default: a tenth of all, 10 to 500.", "N"
    )
    eval_tokens: int = _option(2**16, "Tokens of the validation split for each evaluation, evenly spread.", "N")
    log_every: int = _option(10, "Steps between lines of the log.", "N")
    sample_every: int = _option(0, "Steps between samples; 0 for one at the end.", "N")
    dtype: str = _option("auto", "auto takes bfloat16 where the processor has it.")
    device: str = _option("auto", "auto, cpu, cuda, cuda:N or mps.", "NAME")
    compile: bool | None = _option(None, "torch.compile the model. Default: on GPUs, unless sharded.")
    parallel: str = _option(
        "flat", "Processes share gradients: one all-reduce, or torch's DDP; or the model, too: FSDP2."
    )
    threads: int | None = _option(None, "Threads of a process. Default: as torch chooses.", "N")
    tensorboard: bool = _option(False, "Write the figures for TensorBoard as well.")
    preset: str = _option("quick", "quick, report (of the founding report) or fast.", "NAME")
    init_from: str | None = _option(
        None, "Begin with weights, sizes and tokenizer of another run, which stays as it is.", "FOLDER"
    )

    def model(self, vocab_size: int) -> dict[str, Any]:
        """The config.json of the model, of the family `shapeviz_lm`."""
        return {
            "model_type": "shapeviz_lm",
            "architectures": ["ShapevizLM"],
            "vocab_size": vocab_size,
            "hidden_size": self.d_model,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.ff or 4 * self.d_model,
            "max_position_embeddings": self.block_size,
            "positions": self.positions,
            "norm": self.norm,
            "activation": self.activation,
            "gated": self.gated,
            "qk_norm": self.qk_norm,
            "bias": self.bias,
            "tie_word_embeddings": self.tie,
            "dropout": self.dropout,
        }

    def absolute(self) -> Recipe:
        """With paths that hold in any directory."""
        return replace(
            self,
            csv=_absolute(self.csv) if self.csv else None,
            texts=tuple(map(_absolute, self.texts)),
            init_from=_absolute(self.init_from) if self.init_from else None,
            tokenizer=_absolute(self.tokenizer) if self.tokenizer.endswith(".json") else self.tokenizer,
        )

    @property
    def schedule_steps(self) -> int:
        """Steps until the schedule ends, those of warm-up among them."""
        return self.t_max or self.steps

    @property
    def warmup_steps(self) -> int:
        """Steps of warm-up: those asked for, or 5 % of the schedule's, at most 100."""
        return min(100, self.schedule_steps // 20) if self.warmup is None else self.warmup

    @property
    def evaluation_steps(self) -> int:
        """Steps between evaluations: those asked for, or a tenth of all, at least 10 and at most 500."""
        return self.eval_every or min(500, max(10, self.steps // 10))

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one update sees, over all processes."""
        return self.batch_size * self.block_size * self.accumulate

    def plain(self) -> dict[str, Any]:
        """The recipe as JSON can hold it."""
        return {**asdict(self), "texts": list(self.texts)}


def checked(preset: str | None = None, **options: Any) -> Recipe:
    """The recipe of a preset and options, of which None leaves the preset's. Raises InputError or SizeError."""
    name = preset or "quick"
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}; {nearest(name, PRESETS)}")
    names = [one.name for one in fields(Recipe)]
    for option in options:
        if option not in names:
            raise InputError(f"unknown option {option!r} of a recipe; {nearest(option, names)}")
    chosen = {option: value for option, value in options.items() if value is not None}
    recipe = Recipe(**{**PRESETS[name], **chosen, "preset": name})
    recipe = replace(
        recipe,
        texts=tuple(recipe.texts),
        optimizer=TORCH_NAMES.get(recipe.optimizer, recipe.optimizer),
        schedule=TORCH_NAMES.get(recipe.schedule, recipe.schedule),
    )
    check(recipe)
    return recipe


def from_plain(data: Mapping[str, Any], source: str = "the recipe") -> Recipe:
    """A recipe from what `Recipe.plain` gave. Raises InputError if it is none."""
    if not isinstance(data, Mapping):
        raise InputError(f"{source}: an object of options is expected")
    if not isinstance(data.get("texts", []), list) or not isinstance(data.get("preset", ""), str):
        raise InputError(f"{source}: texts is a list of files, preset a name")
    try:
        return checked(**data)
    except ShapevizError as error:
        raise type(error)(f"{source}: {error}") from None
    except TypeError as error:
        raise InputError(f"{source}: {error}") from None


def check(recipe: Recipe) -> None:
    """Raises InputError for an unknown choice or a value of another kind, SizeError for impossible sizes."""
    _check_kinds(recipe)
    for name, known in CHOICES.items():
        value = getattr(recipe, name)
        if value not in known:
            raise InputError(f"{flag(name)} {value} is unknown; {nearest(str(value), known)}")
    sizes = ("layers", "heads", "d_model", "ff", "block_size", "batch_size", "steps", "accumulate", "eval_every",
             "eval_tokens", "log_every", "threads", "vocab_size", "t_max")  # fmt: skip
    for name in sizes:
        _at_least(recipe, name, 1, MOST)
    for name in ("warmup", "sample_every", "patience", "seed", "weight_decay", "clip", "min_lr"):
        _at_least(recipe, name, 0)
    if recipe.accumulate * recipe.batch_size * recipe.block_size >= MOST:
        raise SizeError(f"--accumulate · --batch-size · --block-size: {MOST:,} tokens an update or more are refused")
    if recipe.threads is not None and recipe.threads > 4096:
        raise SizeError(f"--threads {recipe.threads}: more than 4,096 are refused")
    if recipe.heads > recipe.d_model:
        raise SizeError(f"--heads {recipe.heads} are more than --d-model {recipe.d_model} can be divided among")
    if recipe.d_model % recipe.heads:
        raise SizeError(
            f"{flag('d_model')} {recipe.d_model} is not divisible by {flag('heads')} {recipe.heads}: "
            f"{recipe.d_model // recipe.heads * recipe.heads or recipe.heads} would be"
        )
    if recipe.positions == "rotary" and recipe.d_model // recipe.heads % 2:
        raise SizeError(
            f"rotary positions turn pairs: the width of a head, d_model / heads = {recipe.d_model // recipe.heads}, "
            "must be even"
        )
    if not 0 < recipe.lr < float("inf"):
        raise SizeError(f"--lr {recipe.lr} must be a number above 0")
    if recipe.min_lr > recipe.lr:
        raise SizeError(f"--min-lr {recipe.min_lr} is more than --lr {recipe.lr}")
    for name in ("dropout", "beta1", "beta2"):
        if not 0 <= getattr(recipe, name) < 1:
            raise SizeError(f"{flag(name)} {getattr(recipe, name)} must be at least 0 and less than 1")
    if recipe.warmup_steps >= recipe.schedule_steps:
        raise SizeError(f"--warmup {recipe.warmup} leaves nothing of the schedule's {recipe.schedule_steps} steps")
    if recipe.seed >= 2**63:
        raise SizeError(f"--seed {recipe.seed} must be less than 2^63")
    if recipe.csv is not None and recipe.texts:
        raise InputError("--csv and --text contradict each other: give one of them")
    if recipe.column is not None and recipe.csv is None:
        raise InputError(f"--column {recipe.column} is for --csv FILE")


def _check_kinds(recipe: Recipe) -> None:
    kinds: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)}
    for one in fields(recipe):
        value = getattr(recipe, one.name)
        kind, _, rest = str(one.type).partition(" | ")
        if kind.startswith("tuple"):
            wrong = not all(isinstance(name, str) for name in value)
        else:
            wrong = not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind != "bool")
        if wrong and not (rest and value is None):
            raise InputError(f"{flag(one.name)} {value!r}: a value of kind {kind} is expected")


def _at_least(recipe: Recipe, name: str, least: int, most: int | None = None) -> None:
    value = getattr(recipe, name)
    if value is not None and most is not None and value >= most:
        raise SizeError(f"{flag(name)} {value} must be less than {most:,}")
    if value is not None and not least <= value < float("inf"):
        raise SizeError(f"{flag(name)} {value} must be at least {least}")


def command(recipe: Recipe, folder: object) -> str:
    """The command line that makes this run.

    >>> command(checked("fast", layers=2, tie=False), "runs/1")
    'shapeviz train --preset fast --layers 2 --no-tie -o runs/1'
    """
    usual = checked(recipe.preset)
    words = ["shapeviz", "train"] + (["--preset", recipe.preset] if recipe.preset != "quick" else [])
    for one in fields(Recipe):
        value = getattr(recipe, one.name)
        if value == getattr(usual, one.name):
            continue
        if isinstance(value, bool):
            words.append(flag(one.name) if value else f"--no-{flag(one.name)[2:]}")
        else:
            for each in value if isinstance(value, tuple) else (value,):
                words += [flag(one.name), str(each)]
    return shlex.join([*words, "-o", str(folder)])


def _absolute(path: str) -> str:
    return path if path in ("-", "") else os.path.abspath(path)


def flag(name: str) -> str:
    """An option as it is written on the command line."""
    return "--text" if name == "texts" else "--" + name.replace("_", "-")
