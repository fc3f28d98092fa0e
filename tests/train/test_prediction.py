"""What the formulas say of a run before its first step, against what PyTorch then says of it."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from training import text, tiny

import shapeviz
from shapeviz.expr import Expr
from shapeviz.models.shapeviz_lm import CHOICES
from shapeviz.nets.language_model import LanguageModel
from shapeviz.train import expected, prediction, session, update
from shapeviz.train.distributed import World
from shapeviz.train.prediction import EXACT, FLOPS, GRADIENTS, PARAMETERS, PEAK, RATE, SAVED, STATES, WEIGHTS, Row
from shapeviz.train.recipe import checked
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
    rows = prediction.measured(s, [Row(FLOPS, prediction.expectation(s).quantity(1), None, "so it is")])
    assert (False, "so it is; DIFFERS") == (rows[0].agrees, rows[0].note)
    assert "✗" in prediction.table(rows)


def test_formulas_are_over_the_sizes_of_the_configuration_and_letters_of_the_run(tmp_path: Path) -> None:
    s = begun(tmp_path, layers=2, dtype="bfloat16", accumulate=3, positions="rotary", bias=False, norm="rms", tie=False)
    rows = {row.what: row for row in prediction.predicted(s)}
    V = s.data.tokenizer.vocab_size
    # a vocabulary twice, two layers of 4·16² + 2·16·64 and two norms of 16, one more norm
    count = 2 * V * 16 + 2 * (4 * 16 * 16 + 2 * 16 * 64 + 2 * 16) + 16
    assert count == rows[PARAMETERS].predicted
    # 4 bytes in fp32 and 2 of the copy, 8 of the moments; the loss and a flag, or two counts of steps, 4 bytes each
    letters = {"params": count, "b_w": 6, "b_g": 6, "b_o": 8}
    for what, beside in ((WEIGHTS, 0), (GRADIENTS, 8), (STATES, 8)):
        letter = {WEIGHTS: "b_w", GRADIENTS: "b_g", STATES: "b_o"}[what]
        assert Expr.symbol(letter) * Expr.symbol("params") + beside == rows[what].expected
        assert letters[letter] * count + beside == rows[what].predicted
        assert {str(letters[letter]), str(count)} <= set(rows[what].substituted.split())
    assert rows[FLOPS].formula.startswith("6·A·B·S·(")
    parts = (WEIGHTS, GRADIENTS, STATES, SAVED)
    assert sum(rows[what].predicted for what in parts) == rows[PEAK].predicted


def test_a_formula_can_be_evaluated_at_other_sizes() -> None:
    shallow, deep = (expected.expected(checked("quick", layers=layers), 65, rows=12) for layers in (1, 3))
    assert deep.parameters.value == shallow.quantity(expected.params).at(N=3)
    assert 3 * shallow.flops.value == shallow.flops.at(A=3)
    assert deep.least_memory.value == shallow.least_memory.at(N=3)


def test_what_processes_share_is_the_whole_rows_of_each_weight() -> None:
    own = expected.part([torch.empty(65, 16), torch.empty(3)])
    # ⌈65/2⌉ rows of 16 and ⌈3/2⌉ numbers
    assert 33 * 16 + 2 == own.at(W=2)
    assert 65 * 16 + 3 == own.at(W=1)


def test_a_step_that_cannot_fit_is_known_by_the_same_formulas() -> None:
    costs = expected.expected(checked("quick"), 65, rows=12)
    # 4 + 4 + 8 bytes a parameter, and the input of each layer in 2 bytes: 12 sequences of 64, 128 wide, 4 layers
    assert 16 * costs.parameters.value + 2 * 12 * 64 * 128 * 4 == costs.least_memory.value


def test_the_table_is_as_wide_on_a_slow_machine_as_on_a_quick_one(tmp_path: Path) -> None:
    rows = prediction.predicted(begun(tmp_path))

    def first_lines(speed: int) -> list[str]:
        table = prediction.table([*rows, Row(RATE, None, speed, "", reference=3 * speed)])
        return [line for line in table.splitlines() if RATE not in line]

    assert first_lines(999) == first_lines(10**15)


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
