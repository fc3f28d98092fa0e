"""The sizes of a model that may be chosen one by one, and all others as expressions in them.

d_model = h·d_k where a head's width follows from the model's, h = g·r where heads share keys and values: so every
combination of values is one that the architecture admits, and its counts are polynomials.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from shapeviz.expr import Expr, minimum, product, total
from shapeviz.expr.parts import mapped
from shapeviz.frontends import _families
from shapeviz.interpolation import Domain
from shapeviz.ir import Model, Origin
from shapeviz.keys import shown
from shapeviz.models.transformer import SYMBOLS
from shapeviz.symbols import numbered
from shapeviz.verify.recurrent import is_recurrent

MANY = 1000  # values of a letter
DEPTHS = (1, 2, 3, 4)
WINDOWED = range(512, 512 + MANY)  # of a window or a table: more than the longest sequence
LENGTHS = ("B", "S", "T")
SWITCHES = ("gated", "norm", "norm_position", "bias", "tie", "positions")  # of a model built from sizes


class Admission(NamedTuple):
    """What a class admits: widths of a head from `least` in steps, of the model perhaps only multiples of the heads, or
    all widths `even`.

    Rotary positions need pairs of features, in a part of a head too, and complex numbers pairs in all that is split.
    """

    least: int = 1
    step: int = 1
    multiple: bool = False
    even: bool = False


ADMISSIONS = (
    Admission(), Admission(2, 2), Admission(2, 2, multiple=True), Admission(80, 40), Admission(80, 40, multiple=True),
    Admission(2, 2, multiple=True, even=True),
)  # fmt: skip
LONGEST = "max_position_embeddings"
TURNED = ("d_k", "d_r", "u")
SMALL: Mapping[str, Domain] = {
    "B": range(2, 102), "S": range(2, 402), "T": range(2, 402), "h": range(1, 301), "h_dec": range(1, 301),
    "g": range(1, 201), "r": range(2, 202), "k": range(1, 41), "E": range(64, 64 + MANY), "C": range(2, 42),
    "p": range(1, 201), "c": range(1, 41), "H_p": range(2, 402), "e": range(1, 41), "K": range(2, 42),
    "n_buckets": range(8, 128), "n_types": range(1, 101), "G": range(1, 21), "N_s": range(1, 21),
    "E_group": range(64, 64 + MANY), "P": WINDOWED, "w": WINDOWED,
}  # fmt: skip
PLACES = {
    "B": 0, "N": 0, "N_enc": 0, "N_dec": 0, "N_s": 1, "S": 2, "T": 2, "H_p": 2, "d_n": 3, "d_r": 3, "d_v": 3, "r": 3,
    "K": 3, "P": 5,
}  # fmt: skip
RECURRENT = (2, 3, 4, 5)  # lengths of a sequence that is run token by token


@dataclass(frozen=True)
class FreeLetters:
    """The letters that are free, with their values, and what all sizes are in them.

    `sizes` are the letters of the model, `keys` the keys of its configuration, `kinds` the letters that count layers of
    one kind, in their order. `idle` are keys that no formula of the model has, with their values: every instance gets
    another one. `held` are switches and sizes that stay as they are,
    `rounded` keys of which only multiples are taken, since the model rounds what is left, and of what they are.
    """

    domains: Mapping[str, Domain]
    sizes: Mapping[str, Expr]
    keys: Mapping[str, Expr]
    kinds: tuple[str, ...] = ()
    idle: Mapping[str, Domain] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)
    rounded: Mapping[str, Expr] = field(default_factory=dict)

    def formula(self, x: Expr) -> Expr:
        """A formula of the model in the free letters, for sequences within a window."""
        return _within_windows(x.subs(self.sizes))

    def shown(self, x: Expr) -> Expr:
        """The same formula with what is tied written by its own letter: d_model for h·d_k, wherever both occur."""
        products = [(name, size) for name, size in self.sizes.items() if len(size.terms) == 1 and _degree(size) > 1]
        for name, size in sorted(products, key=lambda pair: -_degree(pair[1])):
            x = total(_folded(term, name, size) for term in x)
        return x

    @property
    def ties(self) -> Iterator[str]:
        """What is tied to what: d_model = h·d_k."""
        return (f"{name} = {size}" for name, size in self.sizes.items() if str(size) != name and name != "b_kv")


def of_configuration(model: Model, origin: Origin, admission: Admission) -> FreeLetters:
    """Those of a configuration: every letter whose key is an integer, the batch, and the lengths."""
    family, config = _families.load(origin.family), origin.config
    keyed = {letter: key for letter, key in family.symbols.items() if type(getattr(config, key)) is int}
    kinds = tuple(_kinds(model, keyed))
    unused = {letter: key for letter, key in keyed.items() if letter not in model.sizes.names and letter not in kinds}
    keyed = {letter: key for letter, key in keyed.items() if letter not in unused}
    tied = _tied(model, config, keyed, kinds, admission)
    sizes = _resolved({name: tied.get(name, Expr.of(name)) for name in [*model.sizes.names, *kinds, *keyed, *tied]})
    keys = {key: sizes[letter] for letter, key in keyed.items()}
    if "C" in sizes:
        keys["num_labels"] = sizes["C"]
    idle: dict[str, Domain] = {}
    for letter, key in unused.items():
        number = getattr(config, key)
        twin = next((n for n in keyed if n.startswith("d_") and model.sizes.numbers[n] == number), None)
        if letter.startswith("d_") and twin:  # as wide as another, so that it does not show
            keys[key] = sizes[twin]
        elif number and not letter.startswith("N_"):
            idle[key] = _domain(letter, admission)
    left = {entry.name: getattr(config, entry.name) for entry in fields(config) if entry.name not in keys}
    for entry in fields(config):  # a key that may be left out, given as what it follows
        same = [n for n in model.sizes.rules if n.startswith("d_") and left.get(entry.name) == model.sizes.numbers[n]]
        if entry.default is None and same:
            keys[entry.name] = sizes[same[0]]
            del left[entry.name]
    if type(left.get(LONGEST)) is int:
        idle[LONGEST] = WINDOWED
    if "num_key_value_heads" in left and "num_key_value_heads" not in idle and "h" in sizes:
        keys["num_key_value_heads"] = sizes["h"]  # not read, but it must divide
    names = sorted({name for size in (*sizes.values(), *keys.values()) for name in size.names}, key=_place)
    domains = {name: _domain(name, admission) for name in names}
    if "V" in domains:
        padding = origin.data.get("pad_token_id")
        domains["V"] = range(least := padding + 1 if isinstance(padding, int) and padding > 0 else 8, least + MANY)
    if is_recurrent(model.root):
        domains["S"] = RECURRENT
    ruled = {"layer_types", "mlp_only_layers", "attention_types"} if kinds else set()
    held = {key: shown(value) for key, value in origin.data.items() if key in left and key not in {*idle, *ruled}}
    fractions = [f for rule in model.sizes.rules.values() for atom in rule.atoms for f in _fractions(atom.args[0])]
    rounded = {keyed[letter]: below.subs(sizes) for letter, below in fractions if letter in keyed and letter != "N"}
    return FreeLetters(domains, sizes, keys, kinds, idle, held, rounded)


def of_sizes(model: Model, config: Any, admission: Admission) -> FreeLetters:
    """Those of a model built from sizes; its widths are the keys ff_1, ff_2, …"""
    known = model.sizes
    tied = {"b_kv": Expr.of(1), **{name: Expr.of(other) for name, other in known.aliases.items()}, **_rules(model, ())}
    if config.kv_heads:
        tied["h"] = Expr.of("g") * "r"
    used = [name for name in known.names if name not in ("N_enc", "N_dec") or known.numbers[name]]
    sizes = _resolved({name: tied.get(name, Expr.of(name)) for name in [*used, *tied]})
    both = bool(config.enc and config.dec)
    keys = {
        key: sizes[letter]
        for letter, key in SYMBOLS.items()
        if letter in sizes and (letter in known.values or letter == "P") and getattr(config, key) != 0
    }
    if both:
        keys["tgt_seq"] = sizes["T"]
    widths = numbered("d_ff", len(config.ff))
    keys = {key: size for key, size in keys.items() if key != "ff" and (both or key != "tgt_seq")}
    keys |= {f"ff_{i}": Expr.of(width) for i, width in enumerate(widths)}
    names = sorted({name for size in (*sizes.values(), *keys.values()) for name in size.names}, key=_place)
    held = {key: shown(getattr(config, key)) for key in SWITCHES}
    return FreeLetters({name: _domain(name, admission) for name in names}, sizes, keys, held=held)


def _tied(
    model: Model, config: Any, keyed: Mapping[str, str], kinds: tuple[str, ...], admission: Admission
) -> dict[str, Expr]:
    """The letters that are no free choice, in others."""
    known, numbers = model.sizes, model.sizes.numbers
    tied: dict[str, Expr] = {"b_kv": Expr.of(1), **{name: Expr.of(other) for name, other in known.aliases.items()}}
    if kinds:
        tied["N"] = total(map(Expr.of, kinds))
    for name in known.values.keys() - {*kinds, *LENGTHS, "C"}:
        if name not in keyed or getattr(config, keyed[name]) != numbers[name]:
            tied[name] = Expr.of(numbers[name])  # no key sets it, or one that is not read
    tied |= _rules(model, kinds)
    if any(rule.text == "h is a multiple of g" for rule in known.conditions) and "g" not in tied:
        tied["h"] = Expr.of("g") * "r"
    if admission.multiple and "d_model" not in tied:
        tied["d_model"] = Expr.of("h") * "d_model_h"
    groups = getattr(config, "n_group", None)
    if groups and "E" in keyed:
        tied["E"] = Expr.of("E_group") * groups
    return tied


def _kinds(model: Model, keyed: Mapping[str, str]) -> Iterator[str]:
    """The letters that count layers of one kind, in the order in which the model has them."""
    values, rules = model.sizes.values, model.sizes.rules
    derived = [name for name, rule in rules.items() if name.startswith("N_") and "N" in rule.names]
    others = [name for name in values if name.startswith("N_") and name not in keyed]
    others += [name for kind in derived for name in sorted(rules[kind].names - {"N"}) if name.startswith("N_")]
    if derived:
        found = dict.fromkeys([*others, *derived])
        repeats = [str(block.repeat) for stack in model.root.blocks for block in stack.blocks]
        yield from sorted(found, key=lambda name: repeats.index(name) if name in repeats else len(repeats))


def _rules(model: Model, kinds: tuple[str, ...]) -> dict[str, Expr]:
    """What the rules of the model tie: d_k = d_model/h makes d_model = h·d_k, n = ⌊H/p⌋² makes H = p·H_p."""
    rules = {name: rule for name, rule in model.sizes.rules.items() if name not in (*kinds, "T", "P")}
    tied: dict[str, Expr] = {}
    shares: dict[str, dict[str, Expr]] = {}  # by what is shared: the shares, and among how many
    for name, rule in rules.items():
        if rule.atoms:
            for argument in (atom.args[0] for atom in rule.atoms):
                ((above, below),) = _fractions(argument)
                shares.setdefault(above, {})[f"{above}_{below}".replace("·", "_")] = below
            tied[name] = rule
        elif any(power < 0 for monomial in rule.terms for _, power in monomial):
            ((above, below),) = _fractions(rule)
            shares.setdefault(above, {})[name] = below
        else:
            tied[name] = rule
    for whole, parts in shares.items():
        if len(parts) == 1:
            ((name, below),) = parts.items()
            tied[whole] = below * name
        else:  # two kinds of heads share one width
            every = product(dict.fromkeys(parts.values()))
            tied[whole] = every * "u"
            tied |= {name: every / below * "u" for name, below in parts.items() if name in rules}
    return tied


def _fractions(x: Expr) -> Iterator[tuple[str, Expr]]:
    """d_model and h of d_model/h, d_model and 16 of d_model/16."""
    for monomial, coefficient in x.terms.items():
        above = [factor for factor, power in monomial if power == 1]
        below = product(Expr.of(factor) for factor, power in monomial if power == -1 and isinstance(factor, str))
        yield str(above[0]), below / coefficient


def _resolved(sizes: dict[str, Expr]) -> dict[str, Expr]:
    """Every size in letters that are free."""
    for _ in range(len(sizes)):
        deeper = {name: size.subs({n: s for n, s in sizes.items() if n != name}) for name, size in sizes.items()}
        if deeper == sizes:
            break
        sizes = deeper
    return sizes


def _place(name: str) -> tuple[int, str]:
    """The order in which letters are met: first those that multiply whole formulas, last those of which they get more
    terms, since every further letter takes as many instances as there are terms."""
    kind = 4 if name.startswith("N_") else 1
    return PLACES.get(name, kind), name


def _domain(name: str, admission: Admission) -> Domain:
    """The values of a letter. Those of depths are few: with one layer more a model takes longer."""
    if name == "N" or (name.startswith("N_") and name != "N_s"):
        return DEPTHS
    if name in TURNED:
        return range(admission.least, admission.least + admission.step * MANY, admission.step)
    if admission.even and name.startswith(("d_", "r_")):
        return range(2, 2 * MANY + 1, 2)
    return SMALL.get(name, range(1, MANY + 1))


def _degree(x: Expr) -> int:
    """Of a product of letters."""
    return sum(power for monomial in x.terms for _, power in monomial)


def _folded(term: Expr, name: str, size: Expr) -> Expr:
    """A term with the letter in place of the product, as often as this is in it.

    >>> print(_folded(12 * Expr.of("h") ** 2 * "d_k", "d_model", Expr.of("h") * "d_k"))
    12·h·d_model
    """
    ((monomial, _),), ((inner, _),) = term.terms.items(), size.terms.items()
    powers = dict(monomial)
    times = min(powers.get(letter, 0) // power for letter, power in inner)
    return term * (Expr.of(name) / size) ** times if times > 0 else term


def _within_windows(x: Expr) -> Expr:
    """min(S, w) = S, as far as a window reaches."""
    if not x.atoms:
        return x

    def replaced(factor: Any, power: int) -> Expr:
        if isinstance(factor, str):
            return Expr.of(factor) ** power
        if factor.function == "min" and Expr.of("w") in factor.args:
            return minimum(*(arg for arg in factor.args if arg != Expr.of("w"))) ** power
        return Expr({((factor, power),): 1})

    return mapped(x, replaced)
