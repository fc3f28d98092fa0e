"""The JSON of thirteen models as it was at 5c03a82: keys may be added since, nothing may be lost or mean another."""

import gzip
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

import pytest

BEFORE = json.loads(gzip.decompress((Path(__file__).parent / "data" / "json_before.json.gz").read_bytes()))
FUNCTIONS = {"Min": min, "Max": max, "floor": floor, "ceiling": ceil, "Abs": abs}
WORDS = {"equation", "source", "title"}  # what a reader is told in words may be told better


def now(arguments: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "shapeviz", "trace", *arguments, "--json"], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def value(formula: str, sizes: dict[str, Fraction]) -> Fraction:
    """The value of Python text over names, exactly; an oracle that shares no code with shapeviz."""
    return eval(formula, {**FUNCTIONS}, sizes)


def differences(before: Any, after: Any, sizes: list[dict[str, Fraction]], path: str) -> Iterator[str]:
    """Where `after` lacks something of `before`, or says another thing."""
    match before:
        case {"formula": str(), "value": _}:
            same = all(value(before["formula"], s) == value(after["formula"], s) for s in sizes)
            if not same or before["value"] != after["value"]:
                yield f"{path}: {before} became {after}"
        case dict():
            for key in before:
                if key not in after:
                    yield f"{path}.{key} is lost"
                elif key not in WORDS or "inputs" in path:
                    yield from differences(before[key], after[key], sizes, f"{path}.{key}")
        case [{}, *_]:
            if len(before) != len(after):
                yield f"{path}: {len(before)} entries became {len(after)}"
            for number, pair in enumerate(zip(before, after, strict=False)):
                yield from differences(*pair, sizes, f"{path}[{number}]")
        case _ if before != after:
            yield f"{path}: {before} became {after}"


@pytest.mark.parametrize("name", BEFORE)
def test_json_holds_what_it_held_before(name: str) -> None:
    before, after = BEFORE[name]["report"], now(BEFORE[name]["arguments"])
    draw = random.Random(name)
    names = {*before["sizes"], *before["legend"]}
    sizes = [{letter: Fraction(draw.randint(2, 10**6)) for letter in names} for _ in range(3)]
    assert [row["path"] for row in before["rows"]] == [row["path"] for row in after["rows"]]
    assert [*differences({**before, "legend": {}, "conventions": {}}, after, sizes, name)] == []


def test_the_test_above_can_fail() -> None:
    before = BEFORE["gpt2"]["report"]
    after = json.loads(json.dumps(before).replace("B*S*V*d_model", "B*S*V*h"))
    sizes = [{name: Fraction(number) for name, number in before["sizes"].items()}]
    assert any("flops" in text for text in differences(before, after, sizes, "gpt2"))
