"""What a temperature does to a trained model's text: measured on samples, beside the text itself.

A model continues pieces of the validation text. At temperature τ its tokens come from p^(1/τ) / Σ p^(1/τ), whose
entropy grows with τ (Ackley, Hinton and Sejnowski 1985, section 2); how surprised the model itself, at τ = 1, is of
what was sampled tells how far that is from the text it learnt: at τ = 1 both agree but for chance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Row:
    """Samples at a temperature; None is the validation text itself.

    `entropy` is that of the distributions that were sampled from, `surprise` -log₂ of the model's own probability of
    what was chosen, both means in bits per character. `known` is the share of words that the training text has,
    `distinct` that of different words among all; both None without a word.
    """

    temperature: float | None
    entropy: float | None
    surprise: float
    known: float | None
    distinct: float | None


def statistics(
    module: LanguageModel,
    tokenizer: Tokenizer,
    train_text: str,
    val_ids: Tensor,
    temperatures: Sequence[float] = TEMPERATURES,
    seed: int = 1,
    samples: int = SAMPLES,
) -> tuple[Row, ...]:
    """The rows of `temperatures`, and the text itself as the last one.

    `samples` windows, evenly spread over the validation ids [N], give their first halves; the other halves are sampled.
    Raises SizeError if there is no whole window.
    """
    half, device = module.block_size // 2, module.embedding.weight.device
    window = 2 * half
    places = max(0, len(val_ids) - window)
    if half < 1 or len(val_ids) < window:
        raise SizeError(f"samples at temperatures need a window of {max(2, window)} tokens to begin with")
    begins = torch.arange(samples) * places // max(1, samples - 1)
    text_BT = val_ids.unfold(0, window, 1)[begins.to(val_ids.device)].long().to(device)
    words = set(WORD.findall(train_text))
    rows = []
    for temperature in (*temperatures, None):
        whole_BT = text_BT
        if temperature is not None:
            generator = torch.Generator(device).manual_seed(seed)
            new_BT = continued(module, text_BT[:, :half], half, Sampling(temperature), generator)
            whole_BT = torch.cat((text_BT[:, :half], new_BT), dim=1)
        rows.append(_row(module, tokenizer, whole_BT, half, temperature, words))
    return tuple(rows)


@torch.no_grad()
def _row(
    module: LanguageModel, tokenizer: Tokenizer, ids_BT: Tensor, half: int, temperature: float | None, words: set[str]
) -> Row:
    module.eval()
    logits_BTV = module(ids_BT[:, :-1])[:, half - 1 :].cpu().double()
    chosen_BT = ids_BT[:, half:].cpu()
    surprise = -logits_BTV.log_softmax(-1).gather(-1, chosen_BT.unsqueeze(-1)).sum()
    texts = [tokenizer.decode(row) for row in chosen_BT.tolist()]
    nats_per_bit = log(2) * max(1, sum(map(len, texts)))
    entropy = None
    if temperature is not None:
        entropy = 0.0
        if temperature:
            logs_BTV = (logits_BTV / temperature).log_softmax(-1)
            entropy = float(-(logs_BTV.exp() * logs_BTV).sum()) / nats_per_bit
    # of a piece the first and last word may be cut
    sampled = [word for text in texts for word in WORD.findall(text)[1:-1]]
    known = sum(word in words for word in sampled) / len(sampled) if sampled else None
    distinct = len(set(sampled)) / len(sampled) if sampled else None
    return Row(temperature, entropy, float(surprise) / nats_per_bit, known, distinct)
