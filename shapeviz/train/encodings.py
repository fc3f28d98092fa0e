"""Bytes as text: Unicode by its marks, UTF-8, and what other programs wrote as chardet recognises it, with a note."""

from __future__ import annotations

import codecs

from shapeviz.errors import InputError, requiring

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
NOTHING_FITS = 0.1
"""The confidence that chardet gives to its answer when no encoding fits; what is right has more but for short texts."""


def decoded(content: bytes, name: str) -> tuple[str, str | None]:
    """The text of a file, without its byte order mark, and a note if its encoding had to be guessed.

    Raises InputError if it is binary or damaged, MissingToolError if it is not UTF-8 and chardet is not installed.

    >>> decoded("naïve".encode("latin-1"), "notes.txt")
    ('naïve', 'notes.txt: not UTF-8 (byte 0xef at 2), read as latin-1')
    """
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return _strictly(content[len(mark) :], encoding, name), None
    try:
        text = content.decode()
        why = "" if 0 not in content else "no byte order mark"  # ASCII in UTF-16 is UTF-8, too, with zeros in it
    except UnicodeDecodeError as error:
        why = f"not UTF-8 (byte {content[error.start]:#04x} at {error.start:,})"
    if not why:
        _refuse_binary(content, name)
        return text, None
    encoding = _recognised(content, name)
    text = content.decode(encoding)
    if encoding.startswith("utf"):
        _refuse_binary(text.encode(), name)
        return text, f"{name}: no byte order mark, read as {encoding}"
    _refuse_binary(content, name)
    return text, f"{name}: {why}, read as {encoding}"


def _strictly(content: bytes, encoding: str, name: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: damaged {encoding} at byte {error.start:,}: {error.reason}") from None
    _refuse_binary(text.encode(), name)
    return text


def _recognised(content: bytes, name: str) -> str:
    """An encoding that takes all of these bytes, which are no UTF-8.

    Where chardet is not sure, Windows-1252 if its quotes and dashes are used, else latin-1, which takes every byte.
    """
    with requiring(f"{name}: a text that is not UTF-8", "chardet"):
        import chardet
    # Lines of ASCII say nothing of an encoding and would hide the few that do; UTF-16, with zeros, has no such lines.
    lines = [content] if 0 in content else [line for line in content.splitlines() if not line.isascii()]
    guess = chardet.detect(b"\n".join(lines), compat_names=False)
    if (encoding := guess["encoding"]) and guess["confidence"] > NOTHING_FITS and _takes(encoding, content):
        return encoding
    quotes = any(byte in content for byte in range(0x80, 0xA0))
    return "cp1252" if quotes and _takes("cp1252", content) else "latin-1"


def _takes(encoding: str, content: bytes) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _refuse_binary(content: bytes, name: str) -> None:
    """Raises InputError if there is a zero byte, or more than one control character in 200."""
    zero = content.find(0)
    if zero >= 0:
        raise InputError(f"{name} is binary (a zero byte at {zero:,}): text is expected")
    sample = content[:SAMPLE]
    controls = len(sample) - len(sample.translate(None, CONTROLS))
    if controls * 200 > len(sample):
        raise InputError(f"{name} is binary ({controls:,} control characters in its first {len(sample):,} bytes)")
