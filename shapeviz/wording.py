"""Numbers, shapes and sizes as people read them; the one place that rounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from shapeviz.analysis import FLOPS
from shapeviz.expr import Expr
from shapeviz.ir import ONE
from shapeviz.quantity import Number, Quantity
from shapeviz.report import Line, Report, Row

PREFIXES = ("", "K", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q")
COUNTS = ("", "K", "M", "B", "T")  # of parameters, as everybody writes them
WIDTH = 118  # of lines of words, which a terminal of 120 columns shows whole

ASSUMED = "assumed: "  # so begins a note that says what a trace took for granted of its data


def humanize(number: Number, prefixes: Sequence[str] = PREFIXES) -> str:
    """Three or four digits and a prefix, by default one of SI.

    >>> humanize(87_731_712), humanize(999_999), humanize(512)
    ('87.73 M', '1.00 M', '512')
    """
    if isinstance(number, Fraction):
        return exact(number) if number < 1000 else humanize(round(number), prefixes)
    if number < 1000:
        return str(number)
    power = min((len(str(number)) - 1) // 3, len(prefixes) - 1)
    hundredths = (number * 100 + 1000**power // 2) // 1000**power
    if hundredths >= 100_000 and power < len(prefixes) - 1:  # 999,999 is 1.00 M, not 1000.00 K
        power, hundredths = power + 1, 100
    return f"{hundredths // 100}.{hundredths % 100:02d} {prefixes[power]}"


def rounded(number: Number, unit: str) -> str:
    """A number as people say it: K, M, B and T for counts, SI prefixes for FLOPs, binary ones for bytes.

    >>> rounded(3 * 2**30, "B"), rounded(8_030_261_248, ""), rounded(70_274_254_897_152, "FLOP")
    ('3.00 GiB', '8.03 B', '70.27 T')
    """
    if unit == "":
        return humanize(number, COUNTS)
    if unit != "B" or isinstance(number, Fraction):
        return humanize(number) if unit == FLOPS.sign else f"{humanize(number)} {unit}"
    power = min((max(number, 1).bit_length() - 1) // 10, len(PREFIXES) - 1)
    if power == 0:
        return f"{number} B"
    hundredths = (number * 100 + 1024**power // 2) // 1024**power
    return f"{hundredths // 100}.{hundredths % 100:02d} {PREFIXES[power]}iB"


def exact(number: Number) -> str:
    """An integer in groups of three digits; a fraction as a decimal, its exact value being in the JSON.

    >>> exact(87_731_712), exact(Fraction(1000, 3)), exact(Fraction(1, 3000))
    ('87,731,712', '333.333', '0.000333')
    """
    if isinstance(number, int):
        return f"{number:,}"
    return f"{float(number):,.3f}" if abs(number) >= 1 else f"{float(number):.3g}"


def symbolic(dims: Iterable[Expr]) -> str:
    """`(B, S, h·d_k)`"""
    return f"({', '.join(map(str, dims))})"


def numeric(row: Row) -> str:
    """`(32, 4096, 768)`; a size that is not given stays a letter."""
    if row.silent:
        return "–"
    return f"({', '.join(str(d if n is None else n) for d, n in zip(row.dims, row.shape, strict=True))})"


def share(part: Number, whole: Number, width: int = 10) -> str:
    """`35.9 % ███▌`, in eighths of a character."""
    if not whole:
        return ""
    permille = int((part * 1000 + whole // 2) // whole)
    eighths = int((part * width * 8 + whole // 2) // whole)
    bar = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return f"{permille // 10}.{permille % 10} %".rjust(7) + " " + bar


def sizes(report: Report, names: frozenset[str] | None = None) -> list[str]:
    """`B = 32`, `S = 4096`, …: those that are another size by definition left out; some names alone if asked."""
    shown = [n for n in report.sizes.numbers if n not in report.sizes.aliases and (names is None or n in names)]
    return [f"{name} = {report.sizes.numbers[name]}" for name in shown]


def spoken(report: Report, shown: Iterable[str]) -> frozenset[str]:
    """The letters of a view that shows some columns: all but those that stand in other columns alone."""
    usual = {"params", "flops", *shown} & set(report.columns)
    here = frozenset[str]().union(*(report.total[column].names for column in usual))
    elsewhere = frozenset[str]().union(*(cell.names for cell in report.total.values()))
    return frozenset({*report.legend, *report.sizes.numbers}) - (elsewhere - here)


def derived(report: Report) -> list[str]:
    """What was not given and follows: `T = S`, `d_k = d_model/h`, `d_v = d_k`."""
    rules = {name: str(rule) for name, rule in report.sizes.rules.items()}
    return [f"{name} = {rule}" for name, rule in {**rules, **report.sizes.aliases}.items()]


def legend(report: Report, names: frozenset[str] | None = None) -> list[str]:
    """`B batch`, `S source length`, …"""
    return [f"{letter} {meaning}" for letter, meaning in report.legend.items() if names is None or letter in names]


def times(row: Row) -> str:
    """`× 6`, nothing for once; `× 2 of 8` for two of eight experts, `× 12, 1 set` for layers that share weights."""
    return repeated(row.times, row.sets)


def repeated(runs: Quantity, sets: Quantity) -> str:
    """The same of how often something runs, and how many sets of weights it has."""
    if runs == sets:
        return "" if runs == ONE else f"× {runs.value}"
    if sets.value > runs.value:
        return f"× {runs.value} of {sets.value}"
    return f"× {runs.value}, {sets.value} set" + "s" * bool(sets.value > 1)


def legible(text: str) -> str:
    """Text that a terminal shows as it stands: what would turn or hide what follows is written by its number.

    >>> legible("a" + chr(0x202E) + "b" + chr(27) + "[2J")
    'a\\\\u202eb\\\\x1b[2J'
    """
    return "".join(sign if sign.isprintable() or sign == "\n" else repr(sign)[1:-1] for sign in text)


def in_a_line(text: str) -> str:
    """Text from outside in one line, everything in it that is no sign to be read written by its number.

    >>> in_a_line("a" + chr(10) + "b")
    'a\\\\nb'
    """
    return legible(text).replace("\n", "\\n")


def label(line: Line) -> str:
    """`query, key, value`, with the repetition where there is one: `layer × N_enc`."""
    return ", ".join(line.labels) + ("" if line.times == ONE else f" × {line.times}")


def summed(lines: Iterable[Line]) -> str:
    """`2,361,600 + 787,456`"""
    return " + ".join(exact(line.total.value) for line in lines)


def folded(parts: Iterable[str], comma: str, head: str = "", width: int = WIDTH) -> list[str]:
    """A list in lines of at most this width, where its parts allow it; no line for an empty one.

    The comma is not written where a line ends.

    >>> folded(["B = 32", "S = 4096", "V = 1"], ", ", "sizes: ", width=24)
    ['sizes: B = 32, S = 4096', '       V = 1']
    """
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(comma) + len(part) <= width:
            lines[-1] += comma + part
        else:
            lines.append((" " * len(head) if lines else head) + part)
    return lines


def missing(report: Report, column: str) -> str:
    """Why the total of a column is without something, with its formula; empty if nothing is left out."""
    if column not in report.not_counted:
        return ""
    why = "; ".join(reason for name, reason in report.reasons.items() if name in report.not_counted[column].names)
    return f"not counted: {report.not_counted[column]} ({why})"
