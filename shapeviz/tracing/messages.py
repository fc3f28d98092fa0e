"""The words of exceptions, and what torch says when a device is not there or a tensor has no values."""

from __future__ import annotations

import re

NO_CUDA = re.compile(
    "compiled with CUDA|NVIDIA driver|No CUDA GPU|CUDA is not|cuda devices|device.*cuda|expected device cpu"
)
NO_VALUES = re.compile("meta tensor|meta device|Meta backend|on meta", re.IGNORECASE)


def words(error: BaseException) -> str:
    """What an exception says of itself; nothing if not even that can be had, since its class is somebody's own."""
    try:
        return str(error).strip()
    except Exception:
        return ""


PYTHON = (
    (r"--input '(\w+):([^']*)'", r'\1="\2"'),
    (r"--input '([^']*)'", r'"\1"'),
    (r"--input (describes|sets)", r"an input by keyword \1"),
    (r"--size (\w+)=([^\s:;,]+)", r'sizes={"\1": \2}'),
    (r"--size (\w+)", r'sizes={"\1": …}'),
    (r"--vary ([\w,]+)(?![\w=*])", lambda found: f"vary={found[1].split(',')}"),
    (r"--vary", "vary"),
    (r"--training", "training=True"),
    (r"--patience ", "patience="),
    (r"--patience", "patience"),
)
"""How the options of the command line are written in Python."""


def in_python(text: str, listed: bool = False) -> str:
    """A message for somebody who called a function: no options of the command line; of one whose inputs are `listed`,
    shapeviz.read(…, inputs=[…]), or given by name.

    >>> in_python("forward needs x: describe each input, for example --input 'x:float32[B,S,512]'")
    'forward needs x: describe each input, for example x="float32[B,S,512]"'
    >>> in_python("B = 1 assumed; --size B=N sets it")
    'B = 1 assumed; sizes={"B": N} sets it'
    """
    if listed:
        text = re.sub(r"--input '([^']*)'", r'inputs=["\1"]', text)
    for option, words in PYTHON:
        text = re.sub(option, words, text)
    return text
