"""Bytes as text: UTF-8, UTF-16 and UTF-32 by their marks, what old programs wrote by a fallback that is told."""

from __future__ import annotations

import codecs

from shapeviz.errors import InputError

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# control characters that no text has: all but backspace, tab, line feed, vertical tab, form feed, return and escape
CONTROLS = bytes({*range(32), 127} - {8, 9, 10, 11, 12, 13, 27})
SAMPLE = 1_000_000


def decoded(content: bytes, name: str) -> tuple[str, str | None]:
    """The text of a file, without its byte order mark, and a note if its encoding had to be guessed.

    Raises InputError if it is binary or damaged.

    >>> decoded("naïve".encode("latin-1"), "notes.txt")
    ('naïve', 'notes.txt: not UTF-8 (byte 0xef at 2), read as latin-1')
    """
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return _strictly(content[len(mark) :], encoding, name), None
    if unmarked := _unmarked_utf16(content):
        return _strictly(content, unmarked, name), f"{name}: no byte order mark, read as {unmarked}"
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        _refuse_binary(content, name)
        place, byte = error.start, content[error.start]
        text, encoding = _single_bytes(content)
        return text, f"{name}: not UTF-8 (byte {byte:#04x} at {place:,}), read as {encoding}"
    _refuse_binary(content, name)
    return text, None


def _strictly(content: bytes, encoding: str, name: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: damaged {encoding} at byte {error.start:,}: {error.reason}") from None
    _refuse_binary(text.encode(), name)
    return text


def _unmarked_utf16(content: bytes) -> str | None:
    """Text in a Latin script has a zero in every other byte."""
    sample = content[: SAMPLE - SAMPLE % 2]
    half = len(sample) // 2
    if len(content) % 2 or half < 2:
        return None
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros, others = sample[first::2].count(0), sample[1 - first :: 2].count(0)
        if zeros > 0.7 * half and others == 0:
            return encoding
    return None


def _refuse_binary(content: bytes, name: str) -> None:
    """Raises InputError if there is a zero byte, or more than one control character in 200."""
    zero = content.find(0)
    if zero >= 0:
        raise InputError(f"{name} is binary (a zero byte at {zero:,}): text is expected")
    sample = content[:SAMPLE]
    controls = len(sample) - len(sample.translate(None, CONTROLS))
    if controls * 200 > len(sample):
        raise InputError(f"{name} is binary ({controls:,} control characters in its first {len(sample):,} bytes)")


def _single_bytes(content: bytes) -> tuple[str, str]:
    """Windows-1252 where its quotes and dashes are used, else latin-1, which takes every byte."""
    if any(byte in content for byte in range(0x80, 0xA0)):
        try:
            return content.decode("cp1252"), "cp1252"
        except UnicodeDecodeError:
            pass
    return content.decode("latin-1"), "latin-1"
