"""A Hugging Face config.json: its family found, its keys accounted for, its model built. Nothing of it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import cycle, islice
from types import ModuleType
from typing import Any

from shapeviz import keys, plugins, symbols
from shapeviz.errors import InputError, SizeError, nearest
from shapeviz.expr import Expr
from shapeviz.frontends import _json, _keys
from shapeviz.frontends._asked import Choice
from shapeviz.ir import Block, Condition, Model, Op, Sizes
from shapeviz.lang import record
from shapeviz.models import _plan

COLUMNS = ("params", "active", "flops", "kv_cache", "buffers")
SIZES = "transformer"  # the family that is built from sizes, of which there are no configurations
LENGTH = 4096  # the longest sequence that is assumed, where a configuration speaks of a longer one
QUANTIZED = ("quantization_config", "quantization", "compression_config")


@dataclass(frozen=True)
class Origin:
    """Where a model is from: its configuration as PyTorch's implementation takes it, the class, and the family."""

    data: Mapping[str, Any]
    class_name: str
    family: ModuleType = field(repr=False)


def families() -> list[str]:
    """The model types that are known."""
    return [name for name in plugins.names("shapeviz.models") if name != SIZES]


def model(data: Mapping[str, Any], name: str, source: str, choice: Choice | None = None, where: str = "") -> Model:
    """The model of a configuration. Raises InputError for keys, SizeError for sizes that cannot be."""
    asked, where = choice or Choice(), where or source
    family = _family(data, where)
    config = _keys.config(family, data, where, asked.ignore)
    class_name = _class(family, data, asked, where)
    runs, config = _overridden(family, config, asked, family.CLASSES[class_name])
    labels = _labels(data, where, getattr(family, "LABELS", 2))
    try:
        family.check(config)
    except SizeError as error:
        raise SizeError(f"{where}: {error}") from None
    task = family.CLASSES[class_name]
    plan = family.build(config, task)
    sizes = _sizes(family, config, plan, {"C": labels, **runs}, where)
    root = record(plan.function, sizes=sizes.resolve())
    sizes = _used(root, sizes)
    _hold(sizes, where)
    for letter in asked.sizes.keys() & {"S", "T", "C"} - {*sizes.names}:
        raise SizeError(f"{where}: {asked.typed.get(letter, letter)} has no effect: {class_name} has no {letter}")
    changed = " + ".join([source, *asked.typed.values()])
    return Model(
        name=name,
        title=f"{name}: {class_name}",
        source=changed,
        root=root,
        sizes=sizes,
        legend=_legend(sizes, plan),
        notes=(*_notes(data, class_name, labels), *plan.notes),
        config=Origin(_as_built(data, family, config, labels), class_name, family),
        columns=COLUMNS,
    )


def _known(kind: Any) -> bool:
    return isinstance(kind, str) and kind != SIZES and plugins.has("shapeviz.models", kind)


def _family(data: Mapping[str, Any], source: str) -> ModuleType:
    """The file of the model type. Raises InputError, with the nearest types that are known."""
    kind = data.get("model_type")
    parts = [key for key, value in data.items() if isinstance(value, dict) and _known(value.get("model_type"))]
    hint = f"; it has parts: point at one as {source}:{keys.shown(parts[0])}" if parts else ""
    if kind is None:
        what = _json.other_kind(data)
        if what and not hint:
            raise InputError(f"{source}: this is {what}; the model's own is the config.json beside it")
        raise InputError(f"{source}: it has no model_type{hint}; {nearest('', families())}")
    if not isinstance(kind, str):
        raise InputError(f"{source}: model_type = {keys.shown(kind)}: a text is needed")
    if not _known(kind):
        others = "" if parts else "; with transformers installed, --via torch builds it and traces it"
        raise InputError(
            f"{source}: unknown model_type {keys.shown(kind)!r}; {nearest(kind, families())}{hint}{others}"
        )
    return plugins.load("shapeviz.models", kind)


def _overridden(family: ModuleType, config: Any, asked: Choice, task: str) -> tuple[dict[str, int], Any]:
    """The sizes of a run, and the configuration with the sizes of the architecture set anew.

    A size that means another one (key/value heads as many as heads) goes with it.
    """
    runs = {name: size for name, size in asked.sizes.items() if name in symbols.RUNS}
    known = [entry.name for entry in fields(config)]
    named = {**family.SYMBOLS, **{key: key for key in known}}
    changes: dict[str, Any] = {}
    for name, size in asked.sizes.items():
        label = asked.typed.get(name, f"{name} = {size}")
        if name in runs:
            continue
        value = getattr(config, named.get(name, ""), None)
        if name in named and value is not None and type(value) is not int:
            raise SizeError(f"{label}: {named[name]} is no size, it is {keys.shown(value)}")
        if name not in named:
            sizes = [key for key in named if type(getattr(config, named[key])) in (int, type(None))]
            derived = "; the layers of a kind follow from N and the configuration" if name.startswith("N_") else ""
            what = f"{_keys.model_type(family)} has no size {name} to be set{derived}"
            raise SizeError(f"{label}: {what}; {nearest(name, [*symbols.RUNS, *sizes])}")
        if changes.get(named[name], size) != size:
            raise SizeError(f"{label}: {named[name]} is given as {changes[named[name]]} as well: keep one")
        changes[named[name]] = size
    for letter, other in family.build(config, task).aliases.items() if changes else ():
        key, target = family.SYMBOLS.get(letter), family.SYMBOLS.get(other)
        if key and key not in changes and target in changes and getattr(config, key) is not None:
            changes[key] = changes[target]
    depth = family.SYMBOLS.get("N")
    if depth in changes:
        for key in set(known) - set(family.SYMBOLS.values()):
            value = getattr(config, key)
            if isinstance(value, tuple) and len(value) == getattr(config, depth):
                changes[key] = tuple(islice(cycle(value), changes[depth]))
    return runs, type(config)(**{key: changes.get(key, getattr(config, key)) for key in known})


def _class(family: ModuleType, data: Mapping[str, Any], asked: Choice, source: str) -> str:
    """The class that is meant: the one asked for, the one that the configuration names, or the family's first."""
    classes: Mapping[str, str] = family.CLASSES
    named = data.get("architectures") or [next(iter(classes))]
    if not isinstance(named, list) or not all(isinstance(item, str) for item in named):
        raise InputError(f"{source}: architectures = {keys.shown(named)}: a list of class names is needed")
    found = asked.class_name or named[0]
    if asked.head is not None and not (asked.head and classes.get(found)):
        return next(name for name, task in classes.items() if bool(task) == asked.head)
    if found not in classes:
        raise InputError(
            f"{source}: architectures = {keys.shown(found)} is no class of {_keys.model_type(family)} that is known; "
            f"{nearest(found, classes)}; --head and --no-head choose {_heads(classes)}"
        )
    return found


def _heads(classes: Mapping[str, str]) -> str:
    return " and ".join(next(name for name, task in classes.items() if bool(task) == head) for head in (True, False))


def _labels(data: Mapping[str, Any], source: str, usual: int) -> int:
    """The labels of a classifier: as many as usual unless the configuration names or counts them."""
    names, number = data.get("id2label"), data.get("num_labels")
    if number is not None:
        return keys.Integer().read(number, f"{source}: num_labels = {keys.shown(number)}", keys.from_json)
    if names is None:
        return usual
    if not isinstance(names, dict) or not names:
        raise InputError(f"{source}: id2label = {keys.shown(names)}: an object of labels is needed")
    return len(names)


def _sizes(family: ModuleType, config: Any, plan: _plan.Plan, runs: Mapping[str, int], source: str) -> Sizes:
    """Every number under its letter. Raises SizeError for a sequence that does not fit."""
    named = {letter: getattr(config, key) for letter, key in family.SYMBOLS.items()}
    known = {letter: size for letter, size in named.items() if size is not None and letter not in plan.aliases}
    length = min(plan.longest or LENGTH, LENGTH)
    values = {"B": 1, "S": length, **known, **plan.values, **runs}
    conditions = plan.conditions
    if plan.limited and plan.longest:
        limit = Condition(f"S ≤ {plan.longest}", Expr.of("S"), "≤", Expr.of(plan.longest), rule=True)
        conditions = (*conditions, limit)
        if values["S"] > plan.longest:
            raise SizeError(f"{source}: a sequence of S = {values['S']} does not fit: it has {plan.longest} positions")
    rules = {**({} if "T" in values else {"T": Expr.of("S")}), **plan.rules}
    order = sorted(dict.fromkeys((*values, *rules, *plan.aliases)), key=symbols.place)
    return Sizes(values, rules, plan.aliases, tuple(order), conditions=conditions)


def _legend(sizes: Sizes, plan: _plan.Plan) -> dict[str, str]:
    """What the letters mean, in the family's own words where it has some."""
    words = {letter: plan.legend.get(letter) or symbols.meaning(letter) for letter in sizes.names}
    return {letter: text for letter, text in words.items() if text}


def _used(root: Block, sizes: Sizes) -> Sizes:
    """The sizes that the tree speaks of, those from which they are derived, and the depth."""
    used: set[str] = {"B", "N", "b_kv"}

    def look(node: Block | Op) -> None:
        shapes = [node.output.shape]
        if isinstance(node, Block):
            shapes += [weight.shape for weight in node.params] + [(node.repeat, node.copies)]
            shapes += [(kept.width, kept.tokens) for kept in node.cached]
            for child in node.body:
                look(child)
        for shape in shapes:
            for size in shape:
                used.update(size.names)

    look(root)
    for name in reversed(list(sizes.rules)):
        if name in used:
            used |= sizes.rules[name].names
    return Sizes(
        {name: size for name, size in sizes.values.items() if name in used},
        {name: rule for name, rule in sizes.rules.items() if name in used},
        {name: other for name, other in sizes.aliases.items() if other in used},
        sizes.order,
        conditions=tuple(c for c in sizes.conditions if c.names <= used),
    )


def _hold(sizes: Sizes, source: str) -> None:
    """Raises SizeError where the numbers break a rule of the architecture."""
    numbers = sizes.resolve()
    for rule in sizes.conditions:
        if not rule.holds(numbers):
            known = ", ".join(f"{name} = {numbers[name]}" for name in sorted(rule.names))
            raise SizeError(f"{source}: {known}: {rule.text} is needed")


def _notes(data: Mapping[str, Any], class_name: str, labels: int) -> tuple[str, ...]:
    """What a reader should know of how the configuration was taken."""
    names = data.get("id2label")
    notes = {
        f"the configuration names no class: {class_name} is counted": not data.get("architectures"),
        f"num_labels = {labels} counts, not the names in id2label": names and len(names) != labels,
        "quantized weights are counted as what they stand for, element by element": any(map(data.get, QUANTIZED)),
    }
    return tuple(text for text, holds in notes.items() if holds)


def _as_built(data: Mapping[str, Any], family: ModuleType, config: Any, labels: int) -> dict[str, Any]:
    """The configuration with every key that the family knows, as PyTorch's implementation is to be given it."""
    values = {entry.name: getattr(config, entry.name) for entry in fields(config)}
    given = {entry.name for entry in fields(config) if (values[entry.name], entry.default) != (None, None)}
    known = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items() if key in given}
    padding = {key: data[key] for key in ("pad_token_id",) if data.get(key) is not None}
    return {"model_type": data["model_type"], **known, **padding, "num_labels": labels}
