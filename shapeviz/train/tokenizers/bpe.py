"""Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019): all text has tokens."""

from __future__ import annotations

from shapeviz.errors import SizeError
from shapeviz.train.tokenizers._library import Library, library, pieces

VOCAB_SIZE = 512
BYTES = 256


def make(text: str, vocab_size: int | None = None) -> Library:
    """256 bytes and the commonest merges of a text; fewer than asked for if the text has no more.

    Raises SizeError for a vocabulary that does not hold all bytes.
    """
    size = VOCAB_SIZE if vocab_size is None else vocab_size
    if size < BYTES:
        raise SizeError(f"a vocabulary of {size} does not hold the {BYTES} bytes that bpe begins with")
    tool = library()
    tokenizer = tool.Tokenizer(tool.models.BPE())
    tokenizer.pre_tokenizer = tool.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tool.decoders.ByteLevel()
    trainer = tool.trainers.BpeTrainer(
        vocab_size=size, show_progress=False, initial_alphabet=tool.pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(pieces(text), trainer)
    return Library(tokenizer, "bpe", divisible=True)
