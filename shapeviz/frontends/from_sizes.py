"""Sizes from flags, a TOML file or a dict: the keys of the model that is built from sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    return built(config, " + ".join([source, *([typed] if typed else [])]))


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
