"""What the reference transformer counts at given sizes: built and run on the meta device, by the row that is proved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any

from shapeviz.models.transformer import Config
from shapeviz.verify.all_sizes.classes import Counts, RefusedError, described, own_share
from shapeviz.verify.all_sizes.letters import FreeLetters
from shapeviz.verify.forward_pass import Run, RunError, construct, example, run
from shapeviz.verify.observation import without_numbers
from shapeviz.verify.sizes import lengths


class ReferenceCounts:
    """A black box: parameters, FLOPs and cached elements of the module in plain PyTorch, by row.

    The cache has the keys and values of every decoder layer, as the module splits them into heads.
    """

    by = "PyTorch, the reference transformer"
    base = ""
    cached = True

    def __init__(self, config: Config, letters: FreeLetters) -> None:
        self.config, self.letters = config, letters

    def __call__(self, point: Mapping[str, int]) -> Counts:
        """The counts at some values of the free letters. Raises RefusedError."""
        c = self._config(point)
        try:
            module = construct(c)
            seen = run(module, example(lengths(c), c.batch, c.d_model, c.vocab))
        except RunError as error:
            raise RefusedError(f"{described(point)}: {error.path or 'the module'} cannot be run: {error}") from error
        counts: Counts = {}
        for quantity, path, number in (
            *(("params", name, weight.numel()) for name, weight in module.named_parameters()),
            *(("flops", path, number) for path, number in own_share(seen.flops).items()),
            *(("cache", path, number) for path, number in _kept(seen)),
        ):
            kind = without_numbers(path)
            counts[quantity, kind] = counts.get((quantity, kind), 0) + number
        return counts

    def _config(self, point: Mapping[str, int]) -> Config:
        sizes: dict[str, Any] = {key: int(size.at(point)) for key, size in self.letters.keys.items()}
        widths = tuple(sizes.pop(key) for key in list(sizes) if key.startswith("ff_"))
        return replace(self.config, **sizes, ff=widths)


def _kept(seen: Run[int]) -> Iterator[tuple[str, int]]:
    for path, shape in seen.outputs.items():
        what = path.rpartition(".")[2]
        if path.startswith("decoder.") and what in ("key_heads", "value_heads"):
            yield path, prod(shape)
