"""Arrays of ids: their dtype, and the check of ids that are to be decoded."""

from __future__ import annotations

from typing import Any

import numpy as np

from shapeviz.errors import InputError

Ids = np.ndarray[Any, Any]


def smallest(vocab_size: int) -> type[np.unsignedinteger[Any]]:
    """The smallest unsigned dtype that holds the ids 0 to vocab_size - 1.

    >>> smallest(256), smallest(257)
    (<class 'numpy.uint8'>, <class 'numpy.uint16'>)
    """
    return np.uint8 if vocab_size <= 2**8 else np.uint16 if vocab_size <= 2**16 else np.uint32


def checked(ids: Any, vocab_size: int) -> Ids:
    """Ids (array, tensor on the CPU, list) as an array of one axis. Raises InputError for one that is no token."""
    array: Ids = np.asarray(ids)
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"ids are a list of integers, not {array.dtype} of shape {list(array.shape)}")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= vocab_size:
        raise InputError(f"{low if low < 0 else high} is no token: the {vocab_size} tokens are 0 to {vocab_size - 1}")
    return array
