"""The proof for all sizes: our formulas against those that PyTorch's class turns out to have, found by interpolation.

The class is built and run at small sizes on the meta device, its counts are taken by kind of module, and the
polynomials that they are come from these numbers alone; then two polynomials are compared, in every size at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatch
from random import Random
from typing import Protocol

from shapeviz.errors import SizeError
from shapeviz.expr import Expr, total
from shapeviz.frontends import read
from shapeviz.interpolation import Found, NotPolynomialError, interpolate_each
from shapeviz.ir import Door, Model, Origin
from shapeviz.report import Check, Report, measure
from shapeviz.verify.all_sizes.classes import ClassCounts, Counts, RefusedError, UnrunnableError, described
from shapeviz.verify.all_sizes.letters import ADMISSIONS, LENGTHS, Admission, FreeLetters, of_configuration, of_sizes
from shapeviz.verify.all_sizes.parts import Part, coefficient, first_difference, named, of_paths, of_report, unmatched
from shapeviz.verify.all_sizes.reference import ReferenceCounts
from shapeviz.verify.peers import silence

COLUMNS = {
    Door.CONFIGURATION: ("params", "active", "buffers", "flops", "cache"), Door.SIZES: ("params", "flops", "cache"),
}  # fmt: skip
FRESH, DEGREE = 3, 4
Formulas = Mapping[tuple[str, str], Expr]


class BlackBox(Protocol):
    """What counts a class at a point, by quantity and kind of module; `base` is where it keeps its base model."""

    by: str
    base: str
    cached: bool

    def __call__(self, point: Mapping[str, int]) -> Counts: ...


def prove(model: Model, origin: Origin, fresh: int = FRESH) -> tuple[Check, ...]:
    """Parameters, FLOPs and the cache of a model, in all and by module, as polynomials in all its sizes.

    `fresh` is the number of points that no formula was found from. Raises InputError for a class that refuses all sizes
    that were tried, MissingToolError if transformers is not installed.
    """
    columns = COLUMNS[origin.door]
    report = measure(model, columns)
    free, box, found, refused = _found(model, origin, fresh)
    checks = []
    for name in columns:
        ours = free.formula(report.total[name].expression)
        reason = refused.get(name)
        if name == "cache" and ours.terms and not box.cached:
            reason = "it returns no keys and values"
        if reason:
            note = f"not comparable: {reason}"
            checks.append(Check("model", name, free.shown(ours), None, box.by, note, explained=True))
            continue
        blocks = of_report(report, name, free.formula)
        modules = of_paths({kind: f for (quantity, kind), f in found.formulas.items() if quantity == name})
        if name == "cache" and ours != modules.formula == ours * "r" and all(check.ok for check in checks):
            note = "not comparable: it copies keys and values to the r heads that share them before it keeps them"
            checks.append(Check("model", name, free.shown(ours), free.shown(modules.formula), box.by, note, True))
            continue
        for places, left, right in _inside(name, origin, blocks, modules, box.base):
            checks.append(Check(places, name, free.shown(left), free.shown(right), box.by, "for all sizes"))
        note = _how(free, found, name == columns[0]) if ours == modules.formula else _where(ours, blocks, modules, free)
        checks.append(Check("model", name, free.shown(ours), free.shown(modules.formula), box.by, note))
    if isinstance(box, ClassCounts):
        checks.append(_elsewhere(model, report, free, box))
        if free.rounded:
            checks.append(_between(model, report, free, box))
    return tuple(checks)


def _elsewhere(model: Model, report: Report, free: FreeLetters, box: ClassCounts) -> Check:
    """Whether the formulas are also those that we have for a configuration of other sizes."""
    random, admitted = Random(model.name), None
    for _ in range(20):
        point = {name: random.choice(values) for name, values in free.domains.items()}
        runs = {name: int(free.sizes[name].at(point)) for name in LENGTHS if name in free.sizes}
        with suppress(SizeError):  # a head of odd width, which a class may take that turns all of its features
            admitted = read({**box.data(point), "architectures": [box.origin.class_name]}, sizes=runs)
            break
    if admitted is None:
        return Check("model", "at other sizes", "", None, "shapeviz", "not comparable: it refuses them", explained=True)
    there = measure(admitted, list(report.total)).total
    expected = {name: int(free.formula(total.expression).at(point)) for name, total in report.total.items()}
    found = {name: int(there[name].expression.subs({"b_kv": 1}).at(admitted.sizes.numbers)) for name in expected}
    ours, theirs = (", ".join(f"{name} {n}" for name, n in numbers.items()) for numbers in (expected, found))
    return Check("model", "at other sizes", ours, theirs, "shapeviz", f"the configuration with {described(point)}")


def _between(model: Model, report: Report, free: FreeLetters, box: ClassCounts) -> Check:
    """Sizes between the multiples that the formulas were found at, at one point: there the model rounds."""
    random = Random(f"{model.name} between")
    point = {name: random.choice(values) for name, values in free.domains.items()}
    runs = {name: int(free.sizes[name].at(point)) for name in LENGTHS if name in free.sizes}
    data = {**box.data(point), "architectures": [box.origin.class_name]}
    for key, unit in free.rounded.items():
        data[key] += random.randrange(1, max(2, int(unit.at(point))))
    with silence(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counts = box.counts(data, point)
    ours = measure(admitted := read(data, sizes=runs), list(report.total)).total
    expected = {name: int(ours[name].expression.subs({"b_kv": 1}).at(admitted.sizes.numbers)) for name in report.total}
    found = {name: sum(n for (quantity, _), n in counts.items() if quantity == name) for name in report.total}
    texts = (", ".join(f"{name} {n}" for name, n in numbers.items()) for numbers in (expected, found))
    sizes = ", ".join(f"{key} = {data[key]}" for key in free.rounded)
    return Check("model", "rounding", next(texts), next(texts), box.by, f"with {sizes}; {described(point)}")


def _found(
    model: Model, origin: Origin, fresh: int
) -> tuple[FreeLetters, BlackBox, Found[tuple[str, str]], dict[str, str]]:
    """The polynomials of the class at sizes that it admits, and of quantities that are none the reason."""
    refused: dict[str, str] = {}
    admissions = list(ADMISSIONS)
    while True:
        free, box = _black_box(model, origin, admissions[0], forward="flops" not in refused)
        try:
            with silence(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return (
                    free,
                    box,
                    interpolate_each(_without(box, refused), free.domains, fresh=fresh, degree=DEGREE),
                    refused,
                )
        except RefusedError as error:
            if len(admissions) > 1:
                del admissions[0]
            elif isinstance(error, UnrunnableError) and "flops" not in refused:
                refused |= {"flops": str(error), "cache": str(error)}
                admissions = list(ADMISSIONS)
            else:
                raise
        except NotPolynomialError as error:
            if not isinstance(error.key, tuple) or error.key[0] in refused:
                raise
            refused[error.key[0]] = str(error)


def _black_box(model: Model, origin: Origin, admission: Admission, forward: bool) -> tuple[FreeLetters, BlackBox]:
    if origin.door is Door.SIZES:
        free = of_sizes(model, origin.config, admission)
        return free, ReferenceCounts(origin.config, free)
    free = of_configuration(model, origin, admission)
    return free, ClassCounts(origin, free, forward)


def _without(box: BlackBox, refused: Mapping[str, str]) -> Callable[[Mapping[str, int]], Counts]:
    """The counts but for those that are no polynomials."""
    return lambda point: {key: number for key, number in box(point).items() if key[0] not in refused}


def _how(free: FreeLetters, found: Found[tuple[str, str]], whole: bool) -> str:
    """How a formula was found, and at length in which letters."""
    text = f"equal for all sizes; from {found.evaluations} instances"
    if found.chance:
        text += f", a false formula passes with a chance below 1 in {int(1 / found.chance):,}"
    if not whole:
        return text
    text += f"; free: {', '.join(free.domains)}"
    ties, held = ", ".join(free.ties), ", ".join(f"{key} = {number}" for key, number in free.held.items())
    return text + f"; tied: {ties}" * bool(ties) + f"; as given: {held}" * bool(held)


def _where(ours: Expr, blocks: tuple[Part, ...], modules: Part, free: FreeLetters) -> str:
    """The first term that differs, and the blocks and modules that it is from."""
    term = first_difference(ours, modules.formula)
    left, right = unmatched(blocks, modules.parts)
    return (
        f"{free.shown(term)} has the coefficient {coefficient(ours, term)}, the class has "
        f"{coefficient(modules.formula, term)}: here {named(left, term) or 'in no block'}; "
        f"there {named(right, term) or 'in no module'}"
    )


def _inside(
    name: str, origin: Origin, blocks: tuple[Part, ...], modules: Part, base: str
) -> Iterator[tuple[str, Expr, Expr]]:
    """The parts of which it is known where the class has them: rows of the reference, top modules of others."""
    pairs: dict[str, list[str]] = {}
    if origin.door is Door.SIZES and name != "cache":
        pairs = {part.path: [part.path] for part in _parts(blocks)}
    elif name == "params":
        for path, place in origin.modules.items():
            pairs.setdefault(place, []).append(path)
    for place, patterns in pairs.items():
        rows = [part for part in _parts(blocks) if any(_matches(part.path, pattern) for pattern in patterns)]
        there = [part for part in _parts(modules.parts) if part.path in (place, f"{base}.{place}")]
        ours, theirs = (total(part.formula for part in parts) for parts in (rows, there))
        if ours.terms or theirs.terms:
            yield ", ".join(part.path for part in rows) or place, ours, theirs


def _parts(parts: tuple[Part, ...]) -> Iterator[Part]:
    for part in parts:
        yield part
        yield from _parts(part.parts)


def _matches(path: str, pattern: str) -> bool:
    return fnmatch(path, pattern) and path.count(".") == pattern.count(".")
