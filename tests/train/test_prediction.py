"""What the formulas say of a run before its first step, against what PyTorch then says of it."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from training import text, tiny

import shapeviz
from shapeviz.models.shapeviz_lm import CHOICES
from shapeviz.nets.language_model import LanguageModel
from shapeviz.train import prediction, session, update
from shapeviz.train.distributed import World
from shapeviz.train.prediction import EXACT, FLOPS, PEAK, RATE, Row
from shapeviz.train.saved import Loss


def options(random: Random) -> dict[str, Any]:
    """A random recipe."""
    return {
        **{key: random.choice(values) for key, values in CHOICES.items()},
        **{key: random.random() < 0.5 for key in ("gated", "qk_norm", "bias", "tie")},
        "layers": random.randint(1, 3), "heads": random.choice([1, 2, 4]), "ff": random.choice([None, 24]),
        "block_size": random.choice([1, 2, 7, 16]), "batch_size": random.choice([1, 2, 5]),
        "accumulate": random.choice([1, 2]), "dropout": random.choice([0, 0, 0.3]), "parallel": "flat",
        "dtype": random.choice(["float32", "bfloat16"]), "optimizer": random.choice(["adam", "adamw"]),
    }  # fmt: skip


def begun(folder: Path, **given: Any) -> session.Session:
    """A run before its first step."""
    return session.begin(tiny(text(folder), **given), folder, World(), None, lambda _: None)


def stepped(s: session.Session) -> None:
    """One step of it."""
    update.update(update.Run(s), s.module)


SEVERAL = [options(Random(seed)) for seed in range(10)]
SEVERAL += [{"positions": "rotary", "heads": heads, "block_size": block} for heads in (1, 2) for block in (16, 150)]
SEVERAL += [{"block_size": 150, "dropout": 0.2}, {"block_size": 150}]


@pytest.mark.parametrize("given", SEVERAL)
def test_predicted_is_measured_exactly(tmp_path: Path, given: dict[str, Any]) -> None:
    s = begun(tmp_path, **given)
    before = prediction.predicted(s)
    assert EXACT == tuple(row.what for row in before if row.formula and row.what != PEAK)
    assert all(isinstance(row.predicted, int) and row.measured is None and row.agrees is None for row in before)
    stepped(s)
    after = {row.what: row for row in prediction.measured(s, before)}
    wrong = {name: (row.predicted, row.measured) for name, row in after.items() if name in EXACT and not row.agrees}
    assert {} == wrong, given
    assert after[PEAK].predicted < after[PEAK].measured


def test_a_step_costs_three_forward_passes_as_a_trace_of_both_says_too(tmp_path: Path) -> None:
    s = begun(tmp_path, layers=2)
    row = next(row for row in prediction.predicted(s) if row.what == FLOPS)
    with torch.device("meta"):
        module = LanguageModel(s.recipe.model(s.data.tokenizer.vocab_size))
    traced = shapeviz.trace(Loss(module), "int64[B,S]", "int64[B,S]", training=True)
    assert row.predicted == shapeviz.measure(traced, ["flops"]).total["flops"].at(B=4, S=16)


def test_measuring_changes_neither_weights_nor_gradients_nor_random_numbers(tmp_path: Path) -> None:
    s = begun(tmp_path, dropout=0.3)
    stepped(s)
    rows, random = prediction.predicted(s), torch.get_rng_state()
    kept = [s.master.flat.clone(), s.master.reduced.clone(), *(moment.clone() for moment in s.master.moments())]
    prediction.measured(s, rows)
    now = [s.master.flat, s.master.reduced, *s.master.moments()]
    assert all(map(torch.equal, kept, now))
    assert torch.equal(random, torch.get_rng_state())
    assert s.module.attention == "bmm"


def test_the_rate_is_compared_with_that_of_products_alone(tmp_path: Path) -> None:
    s = begun(tmp_path)
    stepped(s)
    rows = prediction.measured(s, prediction.predicted(s), tokens_per_second=640.0)
    rate = rows[-1]
    assert RATE == rate.what
    # 640 tokens a second are 10 steps of 4·16
    assert rate.measured == 10 * next(row.measured for row in rows if row.what == FLOPS)
    assert rate.predicted > rate.measured


def test_a_difference_is_told(tmp_path: Path) -> None:
    s = begun(tmp_path)
    stepped(s)
    rows = prediction.measured(s, [Row(FLOPS, "1", 1, None, "so it is")])
    assert (False, "so it is; DIFFERS") == (rows[0].agrees, rows[0].note)
    assert "✗" in prediction.table(rows)


def test_rows_are_shown_as_a_table_and_as_json(tmp_path: Path) -> None:
    s = begun(tmp_path)
    stepped(s)
    rows = prediction.measured(s, prediction.predicted(s))
    shown = prediction.table(rows)
    assert [] == [row.what for row in rows if row.what not in shown or f"{row.predicted:,}" not in shown]
    prediction.write(tmp_path, rows)
    entries = json.loads((tmp_path / "prediction.json").read_text())
    assert [(row.what, row.predicted, row.measured, row.agrees) for row in rows] == [
        tuple(entry[key] for key in ("what", "predicted", "measured", "agrees")) for entry in entries
    ]
