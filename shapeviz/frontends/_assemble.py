"""A family's Plan and the numbers of its Config put together to a Model: the last step of configurations and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shapeviz import symbols
from shapeviz.errors import InputError, SizeError
from shapeviz.expr import Expr
from shapeviz.frontends._families import Family
from shapeviz.ir import Block, Condition, Model, Op, Sizes
from shapeviz.lang import record
from shapeviz.models import Plan

LENGTH = 4096  # the longest sequence that is assumed, where a configuration speaks of a longer one


def check(family: Family, config: Any, where: str) -> None:
    """The family's own check. Raises SizeError, the place where the sizes are from before its message."""
    try:
        family.check(config)
    except SizeError as error:
        raise SizeError(f"{where}: {error}" if where else str(error)) from None


def assemble(family: Family, config: Any, plan: Plan, runs: Mapping[str, int], where: str, **described: Any) -> Model:
    """The Model of a plan, with the sizes of a run set to `runs`; `described` are the other fields of the Model.

    Raises SizeError for a sequence that does not fit and for broken rules, InputError for a letter that the family uses
    and gives no size.
    """
    sizes = _sizes(family, config, plan, runs, where)
    root = record(plan.function, sizes=sizes.resolve())
    used = _letters(root)
    if unknown := sorted(used - {*sizes.names} - plan.missing.keys()):
        raise InputError(
            f"{family.file}: the letter {unknown[0]} has no size: SYMBOLS names its key, or else the Plan has a rule, "
            "an alias or a value for it"
        )
    sizes = _used(used | {"B", "N", *symbols.BYTES}, sizes)
    names = {letter: symbols.long_name(letter) for letter in (*sizes.names, *plan.missing)}
    sizes = replace(sizes, long_names={letter: name for letter, name in names.items() if name})
    _hold(sizes, where)
    return Model(root=root, sizes=sizes, legend=_legend(sizes, plan), missing=plan.missing, **described)


def _sizes(family: Family, config: Any, plan: Plan, runs: Mapping[str, int], where: str) -> Sizes:
    """Every number under its letter. A list of sizes has letters of its own, in the plan.

    Raises SizeError for a sequence that does not fit.
    """
    named = {letter: getattr(config, key) for letter, key in family.symbols.items()}
    numbers = {letter: size for letter, size in named.items() if isinstance(size, int) and letter not in plan.aliases}
    length = min(plan.longest or LENGTH, LENGTH)
    values = {"B": 1, "S": length, **numbers, **plan.values, **runs}
    conditions = plan.conditions
    if plan.limited and plan.longest:
        limit = Condition(f"S ≤ {plan.longest}", Expr.of("S"), "≤", Expr.of(plan.longest), rule=True)
        conditions = (*conditions, limit)
        if values["S"] > plan.longest:
            raise SizeError(f"{where}: a sequence of S = {values['S']} does not fit: it has {plan.longest} positions")
    rules = {**({} if "T" in values else {"T": Expr.of("S")}), **plan.rules}
    order = sorted(dict.fromkeys((*values, *rules, *plan.aliases)), key=symbols.place)
    return Sizes(values, rules, plan.aliases, tuple(order), conditions=conditions)


def _letters(root: Block) -> frozenset[str]:
    """The letters that a tree speaks of: in its shapes, in how often a block runs, in what is kept for later tokens."""
    used: set[str] = set()

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
    return frozenset(used)


def _used(used: frozenset[str], sizes: Sizes) -> Sizes:
    """Those of the sizes that are used, and those from which they are derived."""
    for name in reversed(list(sizes.rules)):
        if name in used:
            used |= sizes.rules[name].names
    return replace(
        sizes,
        values={name: size for name, size in sizes.values.items() if name in used},
        rules={name: rule for name, rule in sizes.rules.items() if name in used},
        aliases={name: other for name, other in sizes.aliases.items() if other in used},
        conditions=tuple(c for c in sizes.conditions if c.names <= used),
    )


def _hold(sizes: Sizes, where: str) -> None:
    """Raises SizeError where the numbers break a rule of the architecture."""
    numbers = sizes.resolve()
    for rule in sizes.conditions:
        if not rule.holds(numbers):
            values = ", ".join(f"{name} = {numbers[name]}" for name in sorted(rule.names))
            raise SizeError(f"{where}: {values}: {rule.text} is needed")


def _legend(sizes: Sizes, plan: Plan) -> dict[str, str]:
    """What the letters mean, in the family's own words where it has some."""
    letters = sorted({*sizes.names, *plan.missing}, key=[*sizes.names, *plan.missing].index)
    letters.sort(key=symbols.place)
    words = {letter: plan.legend.get(letter) or symbols.meaning(letter) for letter in letters}
    return {letter: text for letter, text in words.items() if text}
