"""What is no model here: weights, the address of a page, a name that is not bundled; and what to give instead."""

from __future__ import annotations

import re
from pathlib import Path

from shapeviz import published
from shapeviz.errors import InputError

WEIGHTS = {
    ".safetensors": "weights", ".bin": "weights", ".pt": "weights", ".pth": "weights", ".ckpt": "weights",
    ".h5": "weights", ".npz": "weights", ".msgpack": "weights", ".gguf": "quantized weights", ".onnx": "an ONNX graph",
    ".tflite": "a TensorFlow Lite graph", ".pb": "a TensorFlow graph", ".engine": "a compiled engine",
}  # fmt: skip
TORCHVISION = re.compile(
    r"(alexnet|convnext|densenet|efficientnet|googlenet|inception|maxvit|mnasnet|mobilenet|regnet|resnet|resnext|"
    r"shufflenet|squeezenet|swin|vgg|wide_resnet)[a-z0-9_]*"
)


def check(model: str) -> None:
    """Raises InputError for the address of a page, since nothing is downloaded, and for a file of weights."""
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", model) and published.alias(model) is None:
        found = re.match(r"https?://(?:www\.)?huggingface\.co/([\w.-]+/[\w.-]+)", model)
        known = (published.alias(found[1]) or published.base(found[1])) if found else None
        instead = f"{known} is bundled" if known else "save the config.json that is there, and give its path"
        raise InputError(f"{_shown(model)}: nothing is downloaded; {instead}")
    suffix = next((end for end in WEIGHTS if model.lower().endswith(end)), "")
    if suffix:
        raise InputError(
            f"{_shown(model)}: that is {WEIGHTS[suffix]}, from which no model can be read: give the config.json beside "
            "it, or the PyTorch module that it is for as file.py:factory"
        )


def refusal(name: str, path: Path) -> str:
    """What is said of a name that is neither a file nor bundled, with the nearest that is, of its own family."""
    from difflib import get_close_matches

    files = toml_files(path) if name == path.name else []
    near = [*published.near(name), *get_close_matches(name, files, n=1, cutoff=0.6)]
    if near:
        hint = f"did you mean {', '.join(near[:6])}{', …' if len(near) > 6 else ''}?"
    elif TORCHVISION.fullmatch(plain := name.lower().replace("-", "_")):
        hint = f"as a PyTorch module it is torchvision.models:{plain}, where torchvision is installed"
    else:
        hint = (
            "it is not known here: give its config.json, a TOML file of sizes, or a PyTorch module as file.py:factory"
        )
    return f"{_shown(name)} is neither a file nor a known model; {hint}; `shapeviz models` lists the bundled ones"


def toml_files(path: Path) -> list[str]:
    """The TOML files beside a path."""
    try:
        return sorted(file.name for file in path.parent.glob("*.toml"))
    except (OSError, ValueError):
        return []


def _shown(text: str) -> str:
    return repr(text if len(text) <= 200 else text[:200] + "…")
