"""What a temperature does to a trained model's text: measured on samples, beside the text itself.

A model continues pieces of the validation text. At temperature τ its tokens come from p^(1/τ) / Σ p^(1/τ), whose
entropy grows with τ (Ackley, Hinton and Sejnowski 1985, section 2); how surprised the model itself, at τ = 1, is of
what was sampled tells how far that is from the text it learnt: at τ = 1 both agree but for chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from shapeviz.errors import SizeError
from shapeviz.nets.language_model import LanguageModel
from shapeviz.train.generate import continued
from shapeviz.train.sampling import Sampling
from shapeviz.train.tokenizers import Tokenizer

TEMPERATURES = (0.0, 0.5, 0.8, 1.0, 1.2, 1.5)
SAMPLES = 64
LONGEST = 128
"""Most tokens that are sampled of a window, and most that stand before them."""
ROOM = 2**22
"""Logits looked at at once."""
WORD = re.compile(r"\w+")
LONGEST_WORD = 1000


@dataclass(frozen=True)
class Row:
    """Samples at a temperature; None is the validation text itself.

    `entropy` is that of the distributions that were sampled from, `surprise` -log₂ of the model's own probability of
    what was chosen, both means in bits per character, or per token if so asked. `known` is the share of words that the
    training text has, `distinct` that of different words among all; both None without a word.
    """

    temperature: float | None
    entropy: float | None
    surprise: float
    known: float | None
    distinct: float | None


def statistics(
    module: LanguageModel,
    tokenizer: Tokenizer,
    known: Set[str],
    val_ids: Tensor,
    temperatures: Sequence[float] = TEMPERATURES,
    seed: int = 1,
    samples: int = SAMPLES,
    per_token: bool = False,
) -> tuple[Row, ...]:
    """The rows of `temperatures`, and the text itself as the last one; `known` are the words of the training text.

    `samples` windows, evenly spread over the validation ids [N], give their first halves, of at most LONGEST tokens;
    as many are sampled after each. Raises SizeError if there is no whole window.
    """
    half, device = min(LONGEST, module.block_size // 2), module.embedding.weight.device
    window = 2 * half
    places = max(0, len(val_ids) - window)
    if half < 1 or len(val_ids) < window:
        raise SizeError(f"samples at temperatures need a window of {max(2, window)} tokens to begin with")
    begins = torch.arange(samples) * places // max(1, samples - 1)
    text_BT = val_ids.unfold(0, window, 1)[begins.to(val_ids.device)].long().to(device)
    rows = []
    for temperature in (*temperatures, None):
        whole_BT = text_BT
        if temperature is not None:
            generator = torch.Generator(device).manual_seed(seed)
            new_BT = continued(module, text_BT[:, :half], half, Sampling(temperature), generator)
            whole_BT = torch.cat((text_BT[:, :half], new_BT), dim=1)
        rows.append(_row(module, tokenizer, whole_BT, half, temperature, known, per_token))
    return tuple(rows)


@torch.no_grad()
def _row(
    module: LanguageModel,
    tokenizer: Tokenizer,
    ids_BT: Tensor,
    half: int,
    temperature: float | None,
    words: Set[str],
    per_token: bool,
) -> Row:
    module.eval()
    surprise = entropy = 0.0
    for part_BT in torch.split(ids_BT, max(1, ROOM // (ids_BT.shape[1] * module.embedding.num_embeddings))):
        logits_BTV = module(part_BT[:, :-1])[:, half - 1 :].cpu().double()
        chosen_BT1 = part_BT[:, half:].cpu().unsqueeze(-1)
        surprise -= float(logits_BTV.log_softmax(-1).gather(-1, chosen_BT1).sum())
        if temperature:
            logs_BTV = (logits_BTV / temperature).log_softmax(-1)
            entropy -= float((logs_BTV.exp() * logs_BTV).sum())
    chosen_BT = ids_BT[:, half:].cpu()
    texts = [tokenizer.decode(row) for row in chosen_BT.tolist()]
    nats_per_bit = log(2) * max(1, chosen_BT.numel() if per_token else sum(map(len, texts)))
    # of a piece the first and last word may be cut
    sampled = [word for text in texts for word in WORD.findall(text)[1:-1]]
    known = sum(word in words for word in sampled) / len(sampled) if sampled else None
    distinct = len(set(sampled)) / len(sampled) if sampled else None
    return Row(
        temperature, None if temperature is None else entropy / nats_per_bit, surprise / nats_per_bit, known, distinct
    )


def words(texts: Iterable[str]) -> set[str]:
    """The different words of a text that comes in pieces; one that goes over a border counts whole."""
    found: set[str] = set()
    rest = ""
    for piece in texts:
        text = rest + piece
        end = len(text)
        while end and (text[end - 1].isalnum() or text[end - 1] == "_"):
            end -= 1
        end = end if len(text) - end < LONGEST_WORD else len(text)
        found.update(match[0] for match in WORD.finditer(text, 0, end))
        rest = text[end:]
    return found | ({rest} if rest else set())
