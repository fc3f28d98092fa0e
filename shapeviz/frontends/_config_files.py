"""Where a configuration is: bundled under a name, in a config.json, in the folder of one, or a part of a larger one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from shapeviz import published
from shapeviz.errors import InputError, nearest
from shapeviz.frontends import _unknown

VARIANT = "{0} is counted as {1}, which it is a further training of; if its sizes differ, give its own config.json"


class ConfigFile(NamedTuple):
    """A configuration, the name of its model, where it is from, and the class that is meant if that is known.

    `where` is what messages call it, if that is not where it is from; `note` is what is to be said of the choice.
    """

    data: Mapping[str, object]
    name: str
    text: str
    class_name: str | None = None
    where: str = ""
    note: str = ""


def find(model: str | Path) -> ConfigFile | None:
    """The configuration that a name or a path stands for; None if it stands for something else.

    `gpt2` is bundled, `DIR/config.json` a file, `DIR` the folder of one, `config.json:text_config` a part of one.
    Raises InputError for a file that cannot be read.
    """
    if isinstance(model, str) and published.has(model):
        return bundled(model)
    path = Path(model)
    _unknown.check(str(model))
    if part := _parted(path):
        return _part(*part)
    if is_(path, Path.is_dir):
        inner = path / "config.json"
        return _file(inner) if is_(inner, Path.is_file) else None
    if path.suffix == ".json":
        return _file(path)
    if is_(path, Path.exists) or not isinstance(model, str) or len(model) >= 100:
        return None
    if meant := published.alias(model):
        return bundled(meant)
    base = published.base(model)
    return bundled(base)._replace(note=VARIANT.format(model, base)) if base else None


def is_configuration(model: str | None) -> bool:
    """True for what `find` would read, without reading it."""
    if model is None:
        return False
    path = Path(model)
    if published.has(model) or path.suffix == ".json" or _parted(path):
        return True
    if is_(path, Path.exists):
        return is_(path, Path.is_dir) and is_(path / "config.json", Path.is_file)
    return len(model) < 100 and (published.alias(model) or published.base(model)) is not None


def _parted(path: Path) -> tuple[Path, str] | None:
    """The file and the part that `config.json:text_config` or `FOLDER:text_config` names; None if it names none."""
    file, colon, part = str(path).rpartition(":")
    if not colon or is_(path, Path.exists):
        return None
    if file.endswith(".json"):
        return Path(file), part
    inner = Path(file) / "config.json"
    return (inner, part) if file and is_(inner, Path.is_file) else None


def is_(path: Path, test: Callable[[Path], bool]) -> bool:
    """A question about a path, False for one that no file can have."""
    try:
        return test(path)
    except (OSError, ValueError):
        return False


def bundled(name: str) -> ConfigFile:
    """The configuration that is bundled under a name. Raises InputError with the nearest one."""
    entry = published.load(name)
    return ConfigFile(entry["config"], name, entry["source"], entry["class"], name)


def _file(path: Path) -> ConfigFile:
    from shapeviz.frontends import _json

    data = _json.load(path)
    folder = path.resolve().parent.name
    return ConfigFile(data, (folder if path.stem == "config" else path.stem) or "model", str(path))


def _part(path: Path, part: str) -> ConfigFile:
    whole = _file(path)
    data = whole.data.get(part)
    if not isinstance(data, dict):
        parts = [key for key, value in whole.data.items() if isinstance(value, dict)]
        raise InputError(f"{path}: no part {part[:60]!r} in it; {nearest(part, parts) if parts else 'it has no parts'}")
    return ConfigFile(data, f"{whole.name}.{part}", f"{path}:{part}")
