"""The PyTorch side of the proof, itself proved: against hand arithmetic and against PyTorch's own modules."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from shapeviz.models.transformer import Config  # noqa: E402
from shapeviz.verify.reference_transformer import Attention, Learned, Rotary, Sinusoidal, build  # noqa: E402
from shapeviz.verify.steps import MergeHeads, SplitHeads  # noqa: E402

SMALL = Config(
    enc=1, dec=1, d_model=12, heads=3, d_k=None, ff=(20,), positions="none", batch=2, seq=7, tgt_seq=5
)  # fmt: skip


def real(**changes):
    """A small module on the CPU in double precision, the same numbers every time."""
    torch.manual_seed(0)
    return build(Config(**{**vars(SMALL), **changes}), device="cpu").double()


def count(module):
    return sum(weight.numel() for weight in module.parameters())


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def test_the_default_model_has_the_parameters_of_the_analysis():
    model = build(Config())
    # Q, K, V: 6·3·(1024·128 + 128) = 2_361_600; output: 768·1024 + 1024 = 787_456
    assert count(model.encoder.layer[0].self_attention) == 2_361_600 + 787_456
    # 1024·512 + 512 + 512·512 + 512 + 512·1024 + 1024
    assert count(model.encoder.layer[0].feed_forward) == 1_312_768
    # 3_149_056 + 2_048 + 1_312_768 + 2_048
    assert count(model.encoder.layer[0]) == 4_465_920
    # 3_149_056 + 2_048 + 3_149_056 + 2_048 + 1_312_768 + 2_048
    assert count(model.decoder.layer[0]) == 7_617_024
    # 6·4_465_920 + 8·7_617_024
    assert count(model) == 87_731_712


def test_gpt2_has_its_published_parameters():
    gpt2 = Config(enc=0, dec=12, d_model=768, heads=12, d_k=None, ff=(3072,), norm_position="pre", vocab=50257)
    # 50257·768 + 1024·768 + 12·7_087_872 + 2·768
    assert count(build(Config(**{**vars(gpt2), "positions": "learned", "max_len": 1024, "seq": 9}))) == 124_439_808


def test_nothing_is_allocated_on_the_meta_device():
    model = build(Config(d_model=10**6, vocab=10**6, ff=(4 * 10**6,)))
    assert all(weight.is_meta for weight in model.parameters())


def test_submodules_carry_the_names_of_the_blocks():
    names = dict(real(positions="rotary", norm_position="pre", vocab=9).named_modules())
    for name in (
        "encoder.embedding",
        "encoder.layer.0.self_attention.query_rotary",
        "encoder.final_norm",
        "decoder.layer.0.cross_attention.attention",
        "decoder.layer.0.feed_forward.linear_2",
        "head",
    ):
        assert name in names
    assert "decoder.layer.0.cross_attention.query_rotary" not in names


def test_an_unknown_vocabulary_builds_neither_embedding_nor_head():
    names = {name.rpartition(".")[2] for name, _ in real().named_modules()}
    assert not names & {"embedding", "head"}


def test_tied_tables_are_one_tensor_and_untied_ones_three():
    tied, untied = real(vocab=9), real(vocab=9, tie=False)
    assert tied.encoder.embedding.weight is tied.decoder.embedding.weight is tied.head.weight
    assert count(untied) - count(tied) == 2 * 9 * 12
    assert untied.head.bias is None


def test_bias_concerns_linear_layers_and_not_norms():
    with_bias, without = real(), real(bias=False)
    # encoder layer: 4 projections of 12, 20 and 12 in the feed-forward; decoder layer: 4 projections more
    assert count(with_bias) - count(without) == (4 * 12 + 32) + (8 * 12 + 32)
    assert without.encoder.layer[0].self_attention_norm.bias is not None


def test_rms_norm_has_a_gain_alone():
    # 2 norms of the encoder layer and 3 of the decoder layer lose 12 biases each
    assert count(real()) - count(real(norm="rms")) == 5 * 12


def test_a_gated_feed_forward_has_two_matrices_for_every_hidden_width():
    feed = real(gated=True, ff=(20, 6)).encoder.layer[0].feed_forward
    # gate and up: 2·(12·20 + 20) + 2·(20·6 + 6); down: 6·12 + 12
    assert count(feed) == 520 + 252 + 84
    x = randn(2, 7, 12)
    y = F.silu(feed.gate_1(x)) * feed.up_1(x)
    y = F.silu(feed.gate_2(y)) * feed.up_2(y)
    torch.testing.assert_close(feed(x), feed.down(y))


def copy_attention(mine, theirs):
    """Our projections into nn.MultiheadAttention, which keeps query, key and value in one matrix."""
    with torch.no_grad():
        parts = (mine.query, mine.key, mine.value)
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    theirs.out_proj.load_state_dict(mine.output.state_dict())


def copy_layer(mine, theirs, norms):
    copy_attention(mine.self_attention, theirs.self_attn)
    theirs.linear1.load_state_dict(mine.feed_forward.linear_1.state_dict())
    theirs.linear2.load_state_dict(mine.feed_forward.linear_2.state_dict())
    for number, name in enumerate(norms, 1):
        norm = getattr(mine, name)
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        getattr(theirs, f"norm{number}").load_state_dict(norm.state_dict())


@pytest.mark.parametrize("position", ["post", "pre"])
def test_an_encoder_layer_is_pytorchs_own(position):
    mine = real(norm_position=position).encoder.layer[0]
    theirs = nn.TransformerEncoderLayer(12, 3, 20, dropout=0, batch_first=True, norm_first=position == "pre").double()
    copy_layer(mine, theirs, ["self_attention_norm", "feed_forward_norm"])
    x = randn(2, 7, 12)
    torch.testing.assert_close(mine(x), theirs(x))


@pytest.mark.parametrize("position", ["post", "pre"])
def test_a_decoder_layer_is_pytorchs_own(position):
    mine = real(norm_position=position).decoder.layer[0]
    theirs = nn.TransformerDecoderLayer(12, 3, 20, dropout=0, batch_first=True, norm_first=position == "pre").double()
    copy_layer(mine, theirs, ["self_attention_norm", "cross_attention_norm", "feed_forward_norm"])
    copy_attention(mine.cross_attention, theirs.multihead_attn)
    x, memory = randn(2, 5, 12), randn(2, 7, 12)
    mask = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64)
    torch.testing.assert_close(mine(x, memory), theirs(x, memory, tgt_mask=mask, tgt_is_causal=True))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_pytorchs_own_with_values_of_another_width(causal):
    Q, K, V = randn(2, 3, 7, 4), randn(2, 3, 7, 4), randn(2, 3, 7, 5)
    torch.testing.assert_close(Attention(causal)(Q, K, V), F.scaled_dot_product_attention(Q, K, V, is_causal=causal))


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_grouped_attention_is_pytorchs_own(groups):
    Q, K, V = randn(2, 6, 5, 4), randn(2, groups, 7, 4), randn(2, groups, 7, 4)
    found = Attention(False)(Q.unflatten(1, (groups, 6 // groups)), K, V).flatten(1, 2)
    torch.testing.assert_close(found, F.scaled_dot_product_attention(Q, K, V, enable_gqa=True))


def test_grouped_heads_shrink_keys_and_values():
    attention = real(heads=6, kv_heads=2, d_k=4, d_v=5).encoder.layer[0].self_attention
    assert tuple(part.out_features for part in (attention.query, attention.key, attention.value)) == (24, 8, 10)
    assert (attention.output.in_features, attention.output.out_features) == (30, 12)


@pytest.mark.parametrize("counts", [(6,), (2, 3)])
def test_merged_heads_are_what_was_split_and_head_one_is_the_first_columns(counts):
    x = randn(2, 5, 24)
    heads = SplitHeads(counts, 4)(x)
    assert heads.shape == (2, *counts, 5, 4)
    torch.testing.assert_close(heads.flatten(1, -3)[:, 1], x[..., 4:8])
    torch.testing.assert_close(MergeHeads()(heads), x)


def test_rotary_keeps_lengths_and_makes_products_relative():
    q, k = randn(4).expand(9, 4), randn(4).expand(9, 4)
    turned_q, turned_k = Rotary()(q), Rotary()(k)
    torch.testing.assert_close(turned_q.norm(dim=-1), q.norm(dim=-1), atol=1e-5, rtol=1e-5)
    products = turned_q @ turned_k.T
    torch.testing.assert_close(
        products[1:, 1:], products[:-1, :-1], atol=1e-5, rtol=1e-4
    )  # the same along every diagonal
    assert (products[0] - products[0, 0]).abs()[1:].min() > 1e-6


@pytest.mark.parametrize("width", [1, 6, 7])
def test_sinusoidal_positions_follow_the_paper(width):
    waves = Sinusoidal()(torch.zeros(1, 5, width))[0]
    for pos in range(5):
        for i in range(width):
            angle = pos / 10000 ** (2 * (i // 2) / width)
            assert waves[pos, i] == pytest.approx(math.cos(angle) if i % 2 else math.sin(angle), abs=1e-6)


def test_learned_positions_add_the_first_rows_of_their_table():
    positions = Learned(9, 4)
    torch.testing.assert_close(positions(torch.zeros(2, 5, 4))[1], positions.weight[:5])


@pytest.mark.parametrize(("enc", "dec", "length"), [(1, 1, 7), (1, 0, 7), (0, 1, 5)])
def test_a_table_of_positions_reaches_to_the_longest_sequence(enc, dec, length):
    model = real(enc=enc, dec=dec, positions="learned")
    assert {length} == {m.weight.shape[0] for m in model.modules() if isinstance(m, Learned)}


def test_the_output_is_probabilities():
    ids, target = torch.randint(9, (2, 7)), torch.randint(9, (2, 5))
    output = real(vocab=9)(ids, target)
    assert output.shape == (2, 5, 9)
    torch.testing.assert_close(output.sum(-1), torch.ones(2, 5, dtype=torch.float64))


def test_a_decoder_alone_does_not_look_ahead_and_an_encoder_does():
    x = randn(1, 7, 12)
    changed = x.clone()
    changed[:, -1] += 1
    decoder, encoder = real(enc=0), real(dec=0)
    assert torch.equal(decoder(x)[:, :-1], decoder(changed)[:, :-1])
    assert not torch.allclose(encoder(x)[:, :-1], encoder(changed)[:, :-1])
