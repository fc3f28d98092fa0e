"""Whether a step of a run fits the memory there is: told before the run begins, with a batch that does."""

from __future__ import annotations

from shapeviz.errors import ShapevizError, SizeError
from shapeviz.quantity import Quantity
from shapeviz.train import hardware
from shapeviz.train.distributed import World
from shapeviz.train.expected import FP32, Expected, b_g, b_o, b_w, expected, params
from shapeviz.train.hardware import Hardware
from shapeviz.train.recipe import Recipe

NEAR = 4
"""A step that may need this part of the memory is looked at exactly, which takes seconds."""
SCARCE = 0.75
"""The share of the memory beyond which what is not foreseen (gradients of activations, the loss) may find no room."""


def check(recipe: Recipe, vocab_size: int, world: World, chosen: Hardware) -> str:
    """A note, empty where there is room enough. Raises SizeError if a step cannot fit: what is kept of every parameter,
    and for the backward pass.
    """
    rows, there = -(-recipe.batch_size // world.size), hardware.memory(world.device)
    if there is None:
        return ""
    if recipe.parallel == "fsdp":
        costs = expected(recipe, vocab_size, rows, processes=world.size)
    else:
        costs = expected(recipe, vocab_size, rows, dtype=chosen.dtype)
    needed = costs.least_memory
    if needed.value <= there < NEAR * estimate(recipe, costs, chosen) and recipe.parallel != "fsdp":
        needed = peak(recipe, vocab_size, chosen, rows, costs) or needed
    if needed.value > there:
        batch = f"a batch of {rows:,} · {recipe.block_size:,} tokens"
        raise SizeError(
            f"{costs.parameters.value:,} parameters and {batch} need {needed.value / 2**30:,.1f} GiB at least, and "
            f"{world.device} has {there / 2**30:,.1f}: smaller --layers, --d-model, --batch-size fit"
            + _smaller(needed, rows, there, world.size)
        )
    if needed.value > SCARCE * there:
        sizes = f"{needed.value / 2**30:,.1f} GiB at least of the {there / 2**30:,.1f} that there are"
        return f"a step needs {sizes}: if the system ends the run, a smaller --batch-size fits"
    return ""


def estimate(recipe: Recipe, costs: Expected, chosen: Hardware) -> int:
    """About how many bytes a step needs: what every parameter has, what layers, attention and the loss keep."""
    tokens = int(costs.quantity("B").value) * recipe.block_size
    wide = 16 * recipe.d_model + 3 * (recipe.ff or 4 * recipe.d_model) * (1 + recipe.gated)
    scores = recipe.heads * recipe.block_size * (1 + 2 * (recipe.dropout > 0)) * (chosen.kernel == "bmm")
    kept = tokens * recipe.layers * (wide + scores) * chosen.dtype.itemsize
    logits = tokens * costs.report.sizes.values["V"] * (FP32 + chosen.dtype.itemsize)
    return int(costs.quantity((b_w + b_g + b_o) * params).value) + int(kept) + int(logits)


def peak(recipe: Recipe, vocab_size: int, chosen: Hardware, rows: int, costs: Expected) -> Quantity | None:
    """Bytes that a step needs at least, with those it saves for its backward pass; None if these cannot be traced."""
    from shapeviz.train.saved import saved

    try:
        kept, _ = saved(recipe, vocab_size, chosen, rows)
    except ShapevizError:
        return None
    return costs.quantity((b_w + b_g + b_o) * params + 4 * FP32 + kept)


def _smaller(needed: Quantity, rows: int, there: int, processes: int) -> str:
    """The largest batch that fits, in words; nothing if none does."""
    low, high = 0, rows
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if needed.at(B=middle) <= there else (low, middle)
    return f"; --batch-size {low * processes} is the largest that may" if low else ""
