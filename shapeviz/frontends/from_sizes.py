"""Sizes from flags, a TOML file or a dict: the keys of the model that is built from sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shapeviz.expr import Expr
from shapeviz.frontends import _families, _keys
from shapeviz.frontends._assemble import assemble, check
from shapeviz.ir import Door, Model, Origin


def model(base: Mapping[str, object], settings: Mapping[str, object], source: str) -> Model:
    """The model of sizes, those in `settings` before those in `base` before the defaults; None is not given.

    Raises InputError for unknown names and SizeError for impossible sizes, with the nearest possible ones.
    """
    family = _families.load(_families.SIZES)
    sizes = _keys.sizes(family, base, f"{source}: ") | _keys.sizes(family, settings)
    config = family.config(**{**sizes, **family.implied(sizes)})
    check(family, config, source if base else "")
    typed = _keys.as_flags(family, settings)
    return _keeping(built(config, " + ".join([source, *([typed] if typed else [])])), family.kept(sizes))


def _keeping(model: Model, kept: Mapping[str, str]) -> Model:
    """The model with defaults that stay shown among what is derived, and why in its notes."""
    values = {letter: number for letter, number in model.sizes.values.items() if letter not in kept}
    rules = {letter: Expr.of(model.sizes.values[letter]) for letter in kept} | dict(model.sizes.rules)
    sizes = replace(model.sizes, values=values, rules=rules)
    return replace(model, sizes=sizes, notes=(*model.notes, *kept.values()))


def built(config: Any, source: str = "sizes") -> Model:
    """The model of a Config of shapeviz.models.transformer, whose sizes go together."""
    family = _families.load(_families.SIZES)
    plan = family.build(config, "")
    return assemble(
        family,
        config,
        plan,
        {},
        source,
        name=config.name,
        title=config.title,
        source=source,
        notes=plan.notes,
        origin=Origin(Door.SIZES, family.name, config),
    )
