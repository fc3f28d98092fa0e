"""One model by two doors, from sizes and from its PyTorch module: equal block by block, as polynomials in B, S, T."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

torch = pytest.importorskip("torch")
import shapeviz  # noqa: E402
from shapeviz.frontends import from_sizes  # noqa: E402
from shapeviz.models.transformer import Config  # noqa: E402
from shapeviz.report import measure  # noqa: E402
from shapeviz.verify.reference_transformer import build  # noqa: E402
from shapeviz.verify.sizes import symbols, variables  # noqa: E402
from shapeviz.verify.twin import twin_of_sizes  # noqa: E402

SMALL = Config(enc=2, dec=3, d_model=22, heads=3, d_k=4, ff=(7, 11), batch=2, seq=9, tgt_seq=8)

CONFIGS = {
    "the default model": Config(),
    "GPT-2: pre-norm, learned, tied": Config(
        enc=0, dec=12, d_model=768, heads=12, d_k=None, ff=(3072,), norm_position="pre", vocab=50257,
        positions="learned", max_len=1024, seq=512,
    ),
    "Llama: gated, grouped, rotary, rms": Config(
        enc=0, dec=32, d_model=4096, heads=32, kv_heads=8, ff=(14336,), gated=True, norm="rms", norm_position="pre",
        bias=False, vocab=128256, tie=False, positions="rotary", batch=1, seq=8192,
    ),
    "BERT: encoder alone": Config(
        enc=12, dec=0, d_model=768, heads=12, d_k=None, ff=(3072,), vocab=30522, positions="learned", seq=512
    ),
    "decoder of vectors": replace(SMALL, enc=0, tgt_seq=None),
    "pre-norm": replace(SMALL, norm_position="pre"),
    "gated, deep": replace(SMALL, gated=True, ff=(3, 5, 7), vocab=23),
    "grouped, wide values": replace(SMALL, heads=6, kv_heads=2, d_v=5),
    "multi-query, rotary": replace(SMALL, kv_heads=1, positions="rotary"),
    "learned, two stacks": replace(SMALL, positions="learned", vocab=23),
    "tied vocabulary": replace(SMALL, vocab=23),
    "three tables, no biases": replace(SMALL, vocab=23, tie=False, bias=False, norm="rms", positions="none"),
    "one layer": replace(SMALL, enc=1, dec=1),
}  # fmt: skip


@cache
def twin(config):
    """The PyTorch module traced, with what is saved for the backward pass."""
    return twin_of_sizes(from_sizes.built(config), config)


def traced(config):
    """The model of the PyTorch module, and nothing of the other."""
    _, *lengths = variables(config)
    inputs = [f"int64[B,{n}]" if config.vocab else f"float32[B,{n},{config.d_model}]" for n in lengths]
    return shapeviz.trace(build(config), *inputs, sizes={n: symbols(config)[n] for n in ("B", *lengths)})


def by_both_doors(config, other):
    """The reports, and what puts numbers for all sizes but B, S, T."""
    sized = from_sizes.built(config)
    widths = {name: size for name, size in sized.sizes.numbers.items() if name not in ("B", "S", "T")}
    return measure(sized), measure(other), lambda formula: formula.subs(widths)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_a_model_from_sizes_and_its_module_traced_are_equal_block_by_block(config):
    ours, theirs, filled = by_both_doors(config, twin(config))
    found = {row.path: row for row in theirs.rows}
    not_built = () if config.vocab else ("embedding", "head", "softmax")  # whose vocabulary is not known
    compared = [row for row in ours.rows if row.name not in not_built and row.block != "input"]
    assert [row.path for row in compared if row.path not in found] == []
    for row in compared:
        other = found[row.path]
        assert [filled(size) for size in row.dims] == list(other.dims), row.path
        assert filled(row.repeat) == other.repeat, row.path
        assert filled(row.copies) == other.copies, row.path
        for column in ("params", "flops"):
            assert filled(row.cells[column].each) == other.cells[column].each, (row.path, column)
    for column in ("params", "flops"):
        assert filled(ours.total[column]) == theirs.total[column]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_the_twin_of_a_model_has_its_totals_and_its_sizes(config):
    sized = from_sizes.built(config)
    other = twin(config)
    ours, theirs, filled = by_both_doors(config, other)
    assert (sized.name, sized.source) == (other.name, other.source)
    for name in variables(config):
        assert sized.sizes.numbers[name] == other.sizes.numbers[name]
    for column in ("params", "flops"):
        assert filled(ours.total[column]) == theirs.total[column]
        assert ours.total[column].value == theirs.total[column].value


@pytest.mark.parametrize("name", ["the default model", "BERT: encoder alone", "grouped, wide values"])
def test_traced_without_a_backward_pass_it_has_the_same_totals(name):
    ours, theirs, filled = by_both_doors(CONFIGS[name], traced(CONFIGS[name]))
    for column in ("params", "flops"):
        assert filled(ours.total[column]) == theirs.total[column]


def test_a_stack_of_the_twin_is_one_row():
    rows = {row.path: row.repeat for row in measure(twin(Config())).rows}
    assert (rows["encoder.layer"], rows["decoder.layer"]) == (6, 8)
