"""The whole way from flags to figures, against PyTorch: parsing, defaults, derived sizes, formulas, their values."""

from __future__ import annotations

from dataclasses import fields, replace
from random import Random

import pytest

torch = pytest.importorskip("torch")
from config_strategies import flags  # noqa: E402
from covering import covering  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.errors import SizeError  # noqa: E402
from shapeviz.ir import Model  # noqa: E402
from shapeviz.models.transformer import Config  # noqa: E402
from shapeviz.report import measure  # noqa: E402
from shapeviz.verify.forward_pass import example, parameters, run  # noqa: E402
from shapeviz.verify.reference_transformer import build  # noqa: E402

SIZES = {field.name for field in fields(Config)} - {"name"}


def lengths(c: Config) -> tuple[int, ...]:
    """Of the sequences that go in: source and target, or the only one."""
    target = c.seq if c.tgt_seq is None else c.tgt_seq
    return (c.seq, target) if c.enc and c.dec else (c.seq,) if c.enc else (target,)


def without_numbers(place: str) -> str:
    return ".".join(name for name in place.split(".") if not name.isdigit())


def agree(model: Model) -> None:
    """Everything that a report says of the model is what PyTorch says."""
    report, c = measure(model), model.origin.config
    module = build(c)
    own = run(module, example(lengths(c), c.batch, c.d_model, c.vocab))

    assert report.total["params"].value == sum(weight.numel() for weight in set(module.parameters()))
    assert report.total["flops"].value == own.flops[""]
    last = model.root.name if c.vocab else "decoder" if c.dec else "encoder"
    shape = [size.at(model.sizes.numbers) for size in model.root.output.shape] if c.vocab else report.row(last).shape
    assert tuple(shape) == own.outputs[""]

    there = {"B": 3, **dict(zip("ST", (7, 4), strict=False))} if len(lengths(c)) == 2 else {"B": 3, "S": 7}
    moved = build(replace(c, batch=3, seq=7, tgt_seq=4 if "T" in there else 7))
    watched = run(moved, example((7, 4)[: len(lengths(c))], 3, c.d_model, c.vocab))
    assert report.total["flops"].at(there) == watched.flops[""]
    assert report.total["params"].at(there) == sum(weight.numel() for weight in set(moved.parameters()))

    counts = parameters(module)
    places: dict[str, list[str]] = {}
    for place, submodule in module.named_modules():
        if not isinstance(submodule, torch.nn.ModuleList):
            places.setdefault(without_numbers(place), []).append(place)
    for row in report.rows:
        if None in row.shape or (row.block in ("input", "embedding") and row.path not in places):
            assert row.block == "input" or c.vocab is None
            continue
        assert [row.cells["params"].value] * row.repeat.value == [counts[place] for place in places[row.path]], row.path
        assert row.shape == own.outputs[places[row.path][0]], row.path


def accepted(random: Random) -> tuple[dict[str, str | bool], Model]:
    """The next set of flags that is possible, and its model."""
    while True:
        sizes = flags(random)
        try:
            return sizes, shapeviz.read(None, **sizes)
        except SizeError:
            continue


def numbers(sizes: dict[str, str | bool]) -> dict[str, object]:
    """What the flags say: numbers as such, several as a list; every flag, those that are left out as None."""
    lists = {name: str(text).split(",") for name, text in sizes.items() if str(text).replace(",", "").isdigit()}
    found = {name: [*map(int, several)] if name == "ff" else int(several[0]) for name, several in lists.items()}
    return {**dict.fromkeys(SIZES), **sizes, **found}


def test_random_sets_of_flags_with_every_pair_of_choices_give_the_figures_of_pytorch():
    random = Random(0)
    drawn = [accepted(random) for _ in range(200)]
    seen = [drawn[i] for i in covering([numbers(sizes) for sizes, _ in drawn])]
    for sizes, model in seen:
        try:
            agree(model)
        except Exception as error:
            error.add_note(f"the flags were {sizes}")
            raise
    for name in SIZES:
        assert any(name not in sizes for sizes, _ in seen), f"{name} is left out at least once"
        assert len({sizes[name] for sizes, _ in seen if name in sizes}) > 1, f"{name} has several values"
