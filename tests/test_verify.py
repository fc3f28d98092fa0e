"""The proof against PyTorch: it holds for every variant, and planted mistakes are caught and named."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache

import pytest

torch = pytest.importorskip("torch")
from config_strategies import configs  # noqa: E402
from covering import covering  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402

import shapeviz.verify.sizes_proof as comparison  # noqa: E402
from shapeviz.errors import InputError, MissingToolError  # noqa: E402
from shapeviz.expr import Expr  # noqa: E402
from shapeviz.frontends import from_sizes  # noqa: E402
from shapeviz.models.transformer import Config  # noqa: E402
from shapeviz.report import Check, measure  # noqa: E402
from shapeviz.verify import first_disagreement, verify  # noqa: E402
from shapeviz.verify.cases import cases_of  # noqa: E402
from shapeviz.verify.observation import observe  # noqa: E402
from shapeviz.verify.sizes import shrink, symbols  # noqa: E402
from shapeviz.verify.sizes_proof import block_checks  # noqa: E402

TINY = Config(enc=1, dec=1, d_model=24, heads=4, d_k=6, ff=(10, 14), batch=2, seq=6, tgt_seq=5)

VARIANTS = {
    "gpt2": Config(
        enc=0, dec=12, d_model=768, heads=12, d_k=None, ff=(3072,), norm_position="pre", vocab=50257,
        positions="learned", max_len=1024, seq=1024,
    ),
    "llama": Config(
        enc=0, dec=32, d_model=4096, heads=32, kv_heads=8, ff=(14336,), gated=True, norm="rms", norm_position="pre",
        bias=False, vocab=128256, tie=False, positions="rotary", batch=1, seq=8192,
    ),
    "bert": Config(
        enc=12, dec=0, d_model=768, heads=12, d_k=None, ff=(3072,), vocab=30522, positions="learned", seq=512
    ),
    "base, less deep": Config(
        enc=2, dec=3, d_model=512, heads=8, d_k=64, ff=(2048,), vocab=37000, batch=1, seq=64, tgt_seq=48
    ),
    "multi-query": replace(TINY, kv_heads=1, vocab=11),
    "grouped, one query head each": replace(TINY, kv_heads=4),
    "wide values": replace(TINY, d_v=9, vocab=11, tie=False),
    "no bias": replace(TINY, bias=False, norm="rms", positions="none"),
    "pre-norm, learned": replace(TINY, norm_position="pre", positions="learned", max_len=8, vocab=11),
    "gated, deep": replace(TINY, ff=(3, 5, 7), gated=True),
    "decoder of vectors": replace(TINY, enc=0, tgt_seq=None),
    "one of everything": Config(
        enc=1, dec=1, d_model=2, heads=1, kv_heads=1, d_k=2, d_v=1, ff=(1,), vocab=1, positions="rotary", batch=1, seq=1
    ),
    "deeper than is built": replace(TINY, enc=100_000, dec=70, vocab=11),
    "wider than memory": replace(TINY, d_model=10**6, vocab=10**6, ff=(4 * 10**6,), batch=10**4),
    "beyond what PyTorch addresses": replace(TINY, batch=10**9, seq=10**9),
}  # fmt: skip


def failing(checks):
    return [check for check in checks if not check.ok]


def of_model(checks, quantity, by):
    return next(c for c in checks if (c.path, c.quantity) == ("model", quantity) and c.by.startswith(by))


@pytest.fixture(scope="module", autouse=True)
def observed():
    """A symbolic run takes its time: one for each configuration of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "observe", cache(observe))
        yield


@pytest.fixture(scope="module")
def default_checks():
    return verify(from_sizes.built(Config()))


def test_the_default_model_equals_pytorch(default_checks):
    assert failing(default_checks) == []
    assert of_model(default_checks, "params", "PyTorch").found == 87_731_712
    assert of_model(default_checks, "flops", "FlopCounterMode").found == 59_236_188_946_432


def test_every_block_is_compared_in_every_quantity(default_checks):
    done = {(check.path, check.quantity) for check in default_checks}
    for row in measure(from_sizes.built(Config())).rows:
        if row.block in ("encoder_layer", "multi_head", "linear", "layer_norm", "feed_forward", "attention"):
            assert {(row.path, "params"), (row.path, "shape"), (row.path, "flops")} <= done
    assert ("decoder.layer.cross_attention.attention", "inputs") in done


def test_blocks_and_totals_are_equal_as_polynomials_and_say_so(default_checks):
    for check in default_checks:
        if check.by in ("forward hook", "FlopCounterMode"):
            assert "equal as polynomials in B, S, T, with own widths and tiny widths" in check.note
    params = of_model(default_checks, "params", "PyTorch")  # which hold no B, S or T
    assert params.note == "equal, with own widths and tiny widths"
    alone = verify(from_sizes.built(replace(TINY, enc=0, tgt_seq=None)))
    assert of_model(alone, "flops", "FlopCounterMode").note.startswith("equal as polynomials in B, S, with")


def test_the_polynomials_are_those_of_torch_alone():
    found = observe(Config()).flops
    B, S, T = map(Expr.symbol, "BST")
    # 2·2·768 for scores and weighted values; 6 encoder layers, 8 self- and 8 cross-attentions
    quadratic = 3072 * B * (6 * S * S + 8 * S * T + 8 * T * T)
    # a position: 4 projections (of cross-attention's, 2 take the source and 2 the target) and the feed-forward
    projection, feed = 2 * 1024 * 768, 2 * (1024 * 512 + 512 * 512 + 512 * 1024)
    source, target = 6 * (4 * projection + feed) + 8 * 2 * projection, 8 * (4 * projection + 2 * projection + feed)
    assert found[""] == quadratic + B * S * source + B * T * target


@pytest.mark.parametrize(("length", "room"), [(1, " (P = 3)"), (2, " (P = 3)"), (3, ""), (97, "")])
def test_a_short_table_of_positions_is_lengthened_and_the_note_says_so(length, room):
    checks = verify(from_sizes.built(replace(TINY, positions="learned", seq=length, tgt_seq=None)))
    assert failing(checks) == []
    note = of_model(checks, "flops", "FlopCounterMode").note
    assert note == f"equal as polynomials in B, S, T, with own widths{room} and tiny widths"


@pytest.mark.parametrize(("enc", "dec", "alike"), [(8, 1, 8), (9, 1, 2)])
def test_stacks_that_are_cut_for_the_symbolic_run_say_so(enc, dec, alike):
    checks = verify(from_sizes.built(replace(TINY, enc=enc, dec=dec)))
    assert failing(checks) == []
    layer = next(check for check in checks if (check.path, check.quantity) == ("encoder.layer", "flops"))
    assert layer.note.endswith("; 2 layers run in place of more" * (enc > 8) + f"; {alike} instances alike")
    total = of_model(checks, "flops", "FlopCounterMode")
    assert ("from 2 and 3 layers" in total.note) == (enc > 8)


@pytest.mark.parametrize(("vocab", "left_out"), [(None, 6), (11, 2)])
def test_every_row_is_compared_or_named_with_the_reason(vocab, left_out):
    model = from_sizes.built(replace(TINY, vocab=vocab))
    checks, rows = verify(model), {row.path for row in measure(model).rows}
    compared = {check.path for check in checks if check.quantity == "shape"}
    assert compared <= rows
    assert len(rows - compared) == left_out
    last = checks[-1]
    assert (last.path, last.quantity, last.expected, last.found) == ("model", "rows compared", *[len(compared)] * 2)
    assert all(f"{path} (" in last.note for path in rows - compared)
    assert {"source_ids", "target_ids"} <= rows - compared


def test_the_steps_of_attention_and_feed_forward_are_compared_in_their_shapes(default_checks):
    shapes = {check.path: check.found for check in default_checks if check.quantity == "shape"}
    # 6 heads of 128 side by side are 768 wide: not d_model = 1024
    assert shapes["encoder.layer.self_attention.query_heads"] == (32, 6, 4096, 128)
    assert shapes["decoder.layer.self_attention.attention.mask"] == (32, 6, 4096, 4096)
    assert shapes["decoder.layer.cross_attention.concat"] == (32, 4096, 768)
    assert shapes["decoder.layer.feed_forward.relu_2"] == (32, 4096, 512)
    assert shapes["decoder.layer.add_3"] == (32, 4096, 1024)


def test_grouped_heads_are_compared_with_their_axis_of_groups():
    checks = verify(from_sizes.built(replace(TINY, heads=6, kv_heads=2, gated=True)))
    shapes = {check.path: check.found for check in checks if check.quantity == "shape"}
    cross = "decoder.layer.cross_attention."
    assert shapes[cross + "query_heads"] == (2, 2, 3, 5, 6)
    assert shapes[cross + "key_heads"] == shapes[cross + "value_heads"] == (2, 2, 6, 6)
    assert shapes[cross + "attention.scores"] == (2, 2, 3, 5, 6)
    assert shapes[cross + "concat"] == (2, 5, 36)
    assert shapes["encoder.layer.feed_forward.multiply_2"] == (2, 6, 14)


def test_the_deviations_of_the_peers_follow_their_known_rules(default_checks):
    torchinfo = of_model(default_checks, "flops", "torchinfo")
    assert torchinfo.explained
    # every weight of the model is in a leaf module: twice the batch times the parameters
    assert torchinfo.found == 2 * 32 * 87_731_712
    fvcore = of_model(default_checks, "flops", "fvcore")
    assert fvcore.explained
    # 2·6 + 3·8 LayerNorms of 32·4096·1024 elements, 5 for each, doubled
    assert fvcore.found - fvcore.expected == 2 * 5 * 36 * 32 * 4096 * 1024
    assert [torchinfo, fvcore] == [check for check in default_checks if check.explained]


def test_torchinfo_counts_a_tied_table_once_per_use():
    checks = verify(from_sizes.built(replace(TINY, vocab=11)))
    check = of_model(checks, "params", "torchinfo")
    assert check.explained
    assert check.found - check.expected == 2 * 11 * 24
    assert not of_model(verify(from_sizes.built(replace(TINY, vocab=11, tie=False))), "params", "torchinfo").explained


def test_rms_norm_leaves_fvcore_exact():
    check = of_model(verify(from_sizes.built(replace(TINY, norm="rms"))), "flops", "fvcore")
    assert (check.expected, False) == (check.found, check.explained)


def test_a_deviation_that_no_rule_predicts_is_not_explained(monkeypatch):
    import torchinfo

    class Statistics:
        total_params, total_mult_adds = 1, 1

    monkeypatch.setattr(torchinfo, "summary", lambda *_, **__: Statistics())
    checks = verify(from_sizes.built(TINY))
    assert [check.quantity for check in failing(checks)] == ["params", "flops"]
    assert "unexplained" in of_model(checks, "flops", "torchinfo").note


def test_a_peer_that_raises_is_not_comparable_and_says_why(monkeypatch):
    import fvcore.nn

    def broken(*_):
        raise RuntimeError("no tracing today")

    monkeypatch.setattr(fvcore.nn, "FlopCountAnalysis", broken)
    checks = verify(from_sizes.built(TINY))
    assert failing(checks) == []
    assert of_model(checks, "flops", "fvcore").note == "not comparable: fvcore raises RuntimeError: no tracing today"


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_variant_equals_pytorch(config):
    checks = verify(from_sizes.built(config))
    assert failing(checks) == []
    assert {"output", "backward"} <= {check.quantity for check in checks}
    assert bool(config.dec) == any(check.quantity == "causality" for check in checks)


def test_random_configurations_with_every_pair_of_choices_equal_pytorch_at_every_length():
    drawn = []

    @settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(configs())
    def draw(config):
        # a symbolic run takes its time: depth is left to the variants above and to test_random_flags
        drawn.append(replace(config, enc=min(config.enc, 1), dec=min(config.dec, 1)))

    draw()
    seen = [drawn[i] for i in covering([vars(config) for config in drawn])]
    for config in seen:
        model = from_sizes.built(config)
        checks = block_checks(model, measure(model), cases_of(model, config)[:1])
        assert failing(checks) == [], config
    for field, value in vars(Config()).items():
        assert len({getattr(config, field) for config in seen}) > 1, f"{field} is always {value}"


def test_the_tiny_model_keeps_the_variant_and_tells_the_symbols_apart():
    for config in VARIANTS.values():
        small = shrink(config)
        sizes = symbols(small)
        for field in ("gated", "norm", "norm_position", "bias", "tie", "positions"):
            assert getattr(config, field) == getattr(small, field)
        assert sizes["h"] % sizes["g"] == sizes["d_k"] % 2 == 0
        assert config.d_v is None or sizes["d_v"] != sizes["d_k"]
        assert config.d_k is None or sizes["h"] * sizes["d_k"] != sizes["d_model"]


def test_first_disagreement_is_the_first_of_the_deepest():
    def bad(path):
        return Check(path, "params", 1, 2, "PyTorch")

    assert first_disagreement([Check("model", "params", 1, 1, "PyTorch")]) is None
    checks = [bad("encoder"), bad("encoder.layer"), bad("encoder.layer.b"), bad("encoder.layer.c"), bad("model")]
    assert first_disagreement(checks).path == "encoder.layer.b"
    assert first_disagreement([bad("model")]).path == "model"


def test_only_models_from_sizes_can_be_proved():
    with pytest.raises(InputError, match="neither built from sizes nor traced"):
        verify(replace(from_sizes.built(TINY), origin=None))


@pytest.mark.parametrize("tool", ["torch", "torchinfo", "fvcore"])
def test_a_missing_tool_says_how_to_install_it(tool, monkeypatch):
    monkeypatch.setitem(sys.modules, tool, None)
    with pytest.raises(MissingToolError, match=rf"needs {tool}, .*: pip install torch torchinfo fvcore"):
        verify(from_sizes.built(TINY))


@pytest.mark.parametrize("first", ["", "import shapeviz.verify; ", "from shapeviz.verify import verify; "])
def test_the_public_verb_can_be_called_whatever_was_imported_before(first):
    program = f"{first}import shapeviz; print(callable(shapeviz.verify), callable(shapeviz.verify))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True True"


def test_importing_verify_imports_no_torch():
    program = "import sys, shapeviz.verify; print('torch' in sys.modules, 'torchinfo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"


def test_verify_prints_nothing_and_warns_of_nothing(capfd, recwarn):
    verify(from_sizes.built(TINY))
    assert tuple(capfd.readouterr()) == ("", "")
    assert list(recwarn) == []


def test_the_random_state_and_the_threads_of_the_caller_are_kept():
    torch.manual_seed(1)
    expected, threads = torch.rand(1), torch.get_num_threads()
    torch.manual_seed(1)
    verify(from_sizes.built(TINY))
    assert (expected, threads) == (torch.rand(1), torch.get_num_threads())
