"""Words, marks and single spaces as tokens; words that are too rare are <unk>, and not given back."""

from __future__ import annotations

from shapeviz.errors import SizeError
from shapeviz.train.tokenizers._library import WORDS, Library, library, pieces

UNKNOWN = "<unk>"


def make(text: str, vocab_size: int | None = None) -> Library:
    """The commonest words of a text; without a size all that occur twice, so that <unk> is learned from the others.

    Raises SizeError for a vocabulary that has no room for a word.
    """
    if vocab_size is not None and vocab_size < 2:
        raise SizeError(f"a vocabulary of {vocab_size} has no room for a word beside {UNKNOWN}: at least 2 are needed")
    tool = library()
    counts: dict[str, int] = {}
    splitter = tool.pre_tokenizers.Split(tool.Regex(WORDS), "isolated")
    for piece in pieces(text):
        for word, _ in splitter.pre_tokenize_str(piece):
            counts[word] = counts.get(word, 0) + 1
    counts.pop(UNKNOWN, None)
    common = sorted((word for word in counts if vocab_size or counts[word] > 1), key=lambda w: (-counts[w], w))
    chosen = [UNKNOWN, *common[: vocab_size - 1 if vocab_size else None]]
    tokenizer = tool.Tokenizer(tool.models.WordLevel({word: i for i, word in enumerate(chosen)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = tool.decoders.Fuse()
    return Library(tokenizer, "word", divisible=True)
