"""A Hugging Face config.json: its family found, its keys accounted for, its model built. Nothing of it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib.util import find_spec
from itertools import cycle, islice
from typing import Any

from shapeviz import keys, symbols
from shapeviz.dtypes import UNNAMED
from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.frontends import _families, _json, _keys
from shapeviz.frontends._assemble import assemble, check
from shapeviz.frontends._families import Family
from shapeviz.frontends._overrides import Overrides
from shapeviz.ir import Door, Model, Origin, is_dtype
from shapeviz.models._encoder_decoder import ENCODER_ALONE

COLUMNS = ("params", "active", "flops", "kv_cache", "buffers")
QUANTIZED = ("quantization_config", "quantization", "compression_config")


def model(
    data: Mapping[str, object], name: str, source: str, overrides: Overrides | None = None, where: str = ""
) -> Model:
    """The model of a configuration. Raises InputError for keys, SizeError for sizes that cannot be."""
    overrides, where = overrides or Overrides(), where or source
    family = _family(data, where)
    config = _keys.configuration(family, data, where, overrides.ignore)
    class_name = _class(family, data, overrides, where)
    task = family.classes[class_name]
    runs, config = _overridden(family, config, overrides, task)
    labels = _labels(data, where, family.labels)
    check(family, config, where)
    plan = family.build(config, task)
    made = assemble(
        family,
        config,
        plan,
        {"C": labels, **runs},
        where,
        name=name,
        title=f"{name}: {class_name}",
        source=" + ".join([source, *overrides.typed.values()]),
        notes=(*_notes(data, family, class_name, labels), *plan.notes),
        origin=Origin(
            Door.CONFIGURATION, family.name, config, _as_built(data, family, config, labels), class_name, family.modules
        ),
        columns=COLUMNS,
        dtype=_dtype(data),
        conventions=plan.conventions,
    )
    for letter in overrides.sizes.keys() & {"S", "T", "C"} - {*made.sizes.names}:
        raise SizeError(f"{where}: {overrides.typed.get(letter, letter)} has no effect: {class_name} has no {letter}")
    return made


def _dtype(data: Mapping[str, object]) -> str:
    """The dtype of the weights, if the configuration names one."""
    named = data.get("dtype") or data.get("torch_dtype")
    text = named.removeprefix("torch.") if isinstance(named, str) else ""
    return text if is_dtype(text) else ""


def _method(data: Mapping[str, object]) -> str:
    """How weights are quantized, if the configuration says it: ` (fp8)`."""
    for key in QUANTIZED:
        if isinstance(how := data.get(key), Mapping):
            named = next((how[name] for name in ("quant_method", "quant_algo", "format") if how.get(name)), "")
            return f" ({keys.shown(named)})" if named else ""
    return ""


def hint_of_parts(data: Mapping[str, object], source: str) -> str:
    """Where to point in a configuration with parts: at one of a known type, else at its text's; empty for others."""
    kinds = {key: part.get("model_type") for key, part in data.items() if isinstance(part, dict)}
    parts = [key for key, kind in kinds.items() if _families.has(kind)] or [
        key for key, kind in kinds.items() if kind and "text" in key
    ]
    return f"; it has parts: point at one as {source}:{keys.shown(parts[0])}" if parts else ""


def _family(data: Mapping[str, object], source: str) -> Family:
    """The file of the model type. Raises InputError, with the nearest types that are known."""
    kind = data.get("model_type")
    hint = hint_of_parts(data, source)
    if kind is None:
        what = _json.other_kind(data)
        if what and not hint:
            raise InputError(f"{source}: this is {what}; the model's own is the config.json beside it")
        raise InputError(f"{source}: it has no model_type{hint}; {nearest('', _families.names())}")
    if not isinstance(kind, str):
        raise InputError(f"{source}: model_type = {keys.shown(kind)}: a text is needed")
    if _families.has(kind):
        return _families.load(kind)
    if family := by_class(data):
        return family
    others = "" if hint or find_spec("transformers") else "; if transformers has it, --via torch builds and traces it"
    raise InputError(f"{source}: unknown model_type {_quoted(kind)}; {nearest(kind, _families.names())}{hint}{others}")


def by_class(data: Mapping[str, object]) -> Family | None:
    """The family of the class that a configuration names first, which decides where its model type is unknown."""
    named = data.get("architectures")
    return _families.of_class(named[0]) if isinstance(named, list) and named and isinstance(named[0], str) else None


def _quoted(text: str) -> str:
    return repr(text) if len(text) <= keys.SHOWN else repr(text[: keys.SHOWN]) + "…"


def _overridden(family: Family, config: Any, overrides: Overrides, task: str) -> tuple[dict[str, int], Any]:
    """The sizes of a run, and the configuration with the sizes of the architecture set anew.

    A size that means another one (key/value heads as many as heads) goes with it.
    """
    runs = {name: size for name, size in overrides.sizes.items() if name in symbols.RUNS}
    own = [entry.name for entry in fields(config)]
    named = {**family.symbols, **{key: key for key in own}}
    changes: dict[str, Any] = {}
    for name, size in overrides.sizes.items():
        label = overrides.typed.get(name, f"{name} = {size}")
        if name in runs:
            continue
        value = getattr(config, named.get(name, ""), None)
        if name in named and value is not None and type(value) is not int:
            raise SizeError(f"{label}: {named[name]} is no size, it is {keys.shown(value)}")
        if name not in named:
            sizes = [key for key in named if type(getattr(config, named[key])) in (int, type(None))]
            derived = "; the layers of a kind follow from N and the configuration" if name.startswith("N_") else ""
            what = f"{family.name} has no size {name} to be set{derived}"
            raise SizeError(f"{label}: {what}; {nearest(name, [*symbols.RUNS, *sizes])}")
        if changes.get(named[name], size) != size:
            raise SizeError(f"{label}: {named[name]} is given as {changes[named[name]]} as well: keep one")
        changes[named[name]] = size
    for letter, other in family.build(config, task).aliases.items() if changes else ():
        key, target = family.symbols.get(letter), family.symbols.get(other)
        if key and key not in changes and target in changes and getattr(config, key) is not None:
            changes[key] = changes[target]
    depth = family.symbols.get("N")
    if depth in changes:
        for key in set(own) - set(family.symbols.values()):
            value = getattr(config, key)
            if isinstance(value, tuple) and len(value) == getattr(config, depth):
                changes[key] = tuple(islice(cycle(value), changes[depth]))
    return runs, type(config)(**{key: changes.get(key, getattr(config, key)) for key in own})


def _class(family: Family, data: Mapping[str, object], overrides: Overrides, source: str) -> str:
    """The class that is meant: the one asked for, the one that the configuration names, or the family's first."""
    classes: Mapping[str, str] = family.classes
    named = data.get("architectures") or [next(iter(classes))]
    if not isinstance(named, list) or not all(isinstance(item, str) for item in named):
        raise InputError(f"{source}: architectures = {keys.shown(named)}: a list of class names is needed")
    chosen = overrides.class_name or named[0]
    if overrides.head is not None and (chosen not in classes or _has_head(classes[chosen]) != overrides.head):
        alone = not overrides.head and classes.get(chosen) in ENCODER_ALONE  # its encoder is all that it has
        fitting = [name for name, task in classes.items() if _has_head(task) == overrides.head]
        return next((name for name in fitting if alone and classes[name] in ENCODER_ALONE), fitting[0])
    if chosen not in classes:
        raise InputError(
            f"{source}: architectures = {keys.shown(chosen)} is no class of {family.name} that is known; "
            f"{nearest(chosen, classes)}; --head and --no-head choose {_heads(classes)}"
        )
    return chosen


def _has_head(task: str) -> bool:
    """True for a task that reads what the stacks give; an encoder alone is a stack."""
    return task not in ("", "encoder")


def _heads(classes: Mapping[str, str]) -> str:
    return " and ".join(
        next(name for name, task in classes.items() if _has_head(task) == head) for head in (True, False)
    )


def _labels(data: Mapping[str, object], source: str, usual: int) -> int:
    """The labels of a classifier: as many as usual unless the configuration names or counts them."""
    names, number = data.get("id2label"), data.get("num_labels")
    if names is not None and (not isinstance(names, dict) or not names):
        raise InputError(f"{source}: id2label = {keys.shown(names)}: an object of labels is needed")
    if number is not None:
        return int(keys.SIZE.take(number, f"{source}: num_labels = {keys.shown(number)}", keys.from_json))
    return usual if names is None else len(names)


def _notes(data: Mapping[str, Any], family: Family, class_name: str, labels: int) -> tuple[str, ...]:
    """What a reader should know of how the configuration was taken."""
    names = data.get("id2label")
    notes = {
        f"model_type {_quoted(str(data['model_type']))} is not known, its class is: {class_name} of {family.name}, "
        "whose defaults the keys that are left out have": not _families.has(data["model_type"]),
        f"the configuration names no class: {class_name} is counted": not data.get("architectures"),
        f"num_labels = {labels} counts, not the names in id2label": names and len(names) != labels,
        f"quantized weights{_method(data)} are counted as what they stand for, element by element, and in "
        f"{_dtype(data) or UNNAMED}: the bytes of the file are not counted": any(map(data.get, QUANTIZED)),
    }
    return tuple(text for text, holds in notes.items() if holds)


def _as_built(data: Mapping[str, object], family: Family, config: Any, labels: int) -> dict[str, Any]:
    """The configuration with every key that the family knows, as PyTorch's implementation is to be given it."""
    values = {entry.name: getattr(config, entry.name) for entry in fields(config)}
    stated = {entry.name for entry in fields(config) if (values[entry.name], entry.default) != (None, None)}
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items() if key in stated}
    padding = {key: data[key] for key in ("pad_token_id",) if data.get(key) is not None}
    return {"model_type": family.kind, **plain, **padding, "num_labels": labels}
