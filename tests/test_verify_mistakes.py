"""Mistakes planted on either side of the proof: each is caught, and the block that has it is named."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

torch = pytest.importorskip("torch")
import shapeviz.verify.forward_pass as torch_side  # noqa: E402
import shapeviz.verify.sizes_proof as comparison  # noqa: E402
from shapeviz.expr import Expr  # noqa: E402
from shapeviz.frontends import from_sizes  # noqa: E402
from shapeviz.models.transformer import Config  # noqa: E402
from shapeviz.verify import first_disagreement, verify  # noqa: E402
from shapeviz.verify.cases import cases_of  # noqa: E402
from shapeviz.verify.observation import observe  # noqa: E402

TINY = Config(enc=1, dec=2, d_model=24, heads=4, d_k=6, ff=(10, 14), batch=2, seq=6, tgt_seq=5)


# Planted mistakes: the symbolic tree


@pytest.fixture(scope="module", autouse=True)
def observed():
    """PyTorch's side, which most of these mistakes leave alone, observed once for each configuration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "observe", cache(observe))
        yield


def altered(model, path, change):
    """The model with the node of a path replaced by what `change` makes of it; None takes it out."""

    def within(block, names):
        body = []
        for node in block.body:
            if node.name == names[0]:
                node = within(node, names[1:]) if len(names) > 1 else change(node)
            body.append(node)
        return replace(block, body=tuple(node for node in body if node is not None))

    return replace(model, root=within(model.root, path.split(".")))


def wider(block):
    """A weight matrix one column too wide."""
    weight, *others = block.params
    return replace(block, params=(replace(weight, dims=(weight.shape[0], weight.shape[1] + 1)), *others))


def longer(block):
    """An output one row too long."""
    *batch, rows, width = block.output.shape
    return replace(block, output=replace(block.output, dims=(*batch, rows + 1, width)))


MISTAKES = {  # what is changed, how, and which block and quantity should be named
    "a missing bias": (
        "encoder.layer.self_attention.output", lambda b: replace(b, params=b.params[:1]),
        "encoder.layer.self_attention.output", "params",
    ),
    "a width off by one": (
        "decoder.layer.feed_forward.linear_2", wider, "decoder.layer.feed_forward.linear_2", "params",
    ),
    "doubled scores": (
        "decoder.layer.cross_attention.attention.scores", lambda op: replace(op, flops=2 * op.flops),
        "decoder.layer.cross_attention.attention", "flops",
    ),
    "a norm without bias": (
        "decoder.layer.cross_attention_norm", lambda b: replace(b, params=b.params[:1]),
        "decoder.layer.cross_attention_norm", "params",
    ),
    "a wrong shape": (
        "encoder.layer.self_attention.value", longer, "encoder.layer.self_attention.value", "shape",
    ),
    "heads that are not split": (
        "encoder.layer.self_attention.query_heads",
        lambda op: replace(op, output=replace(op.output, dims=op.inputs[0].shape)),
        "encoder.layer.self_attention.query_heads", "shape",
    ),
    "heads and positions exchanged": (
        "decoder.layer.cross_attention.key_heads",
        lambda op: replace(op, output=replace(op.output, dims=tuple(op.output.shape[i] for i in (0, 2, 1, 3)))),
        "decoder.layer.cross_attention.key_heads", "shape",
    ),
    "one head for the concatenation": (
        "decoder.layer.self_attention.concat",
        lambda op: replace(op, output=replace(op.output, dims=(*op.output.shape[:-1], op.inputs[0].shape[-1]))),
        "decoder.layer.self_attention.concat", "shape",
    ),
    "scores of keys by queries": (
        "decoder.layer.cross_attention.attention.scores",
        lambda op: replace(op, output=replace(op.output, dims=tuple(op.output.shape[i] for i in (0, 1, 3, 2)))),
        "decoder.layer.cross_attention.attention.scores", "shape",
    ),
    "a mask too long": (
        "decoder.layer.self_attention.attention.mask", longer,
        "decoder.layer.self_attention.attention.mask", "shape",
    ),
    "an activation too long": (
        "encoder.layer.feed_forward.relu_2", longer, "encoder.layer.feed_forward.relu_2", "shape",
    ),
    "a residual too long": ("decoder.layer.add_3", longer, "decoder.layer.add_3", "shape"),
    "a step left out": (
        "encoder.layer.self_attention.attention.scale", lambda op: None,
        "encoder.layer.self_attention.attention.scale", "block",
    ),
    "an invented step": (
        "encoder.layer.add", lambda op: replace(op, name="dropout"), "encoder.layer.dropout", "block",
    ),
    "no cross-attention key": (
        "decoder.layer.cross_attention.key", lambda b: None, "decoder.layer.cross_attention.key", "block",
    ),
    "queries for keys": (
        "decoder.layer.cross_attention.attention", lambda b: replace(b, inputs=b.inputs[1::-1] + b.inputs[2:]),
        "decoder.layer.cross_attention.attention", "inputs",
    ),
    "an invented block": (
        "encoder.positions", lambda b: replace(b, name="dropout"), "encoder.dropout", "block",
    ),
    "a layer too many": (
        "encoder.layer", lambda b: replace(b, repeat=b.repeat + 1, copies=b.copies + 1), "encoder", "params",
    ),
    "a tied table counted again": (
        "decoder.embedding", lambda b: replace(b, params=b.tied, tied=()), "decoder.embedding", "params",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "change", "blamed", "quantity"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_planted_mistake_is_caught_and_named(path, change, blamed, quantity):
    model = altered(from_sizes.built(replace(TINY, vocab=11)), path, change)
    found = first_disagreement(verify(model))
    assert (blamed, quantity) == (found.path, found.quantity)
    assert found.expected != found.found


def test_an_error_shows_in_all_that_contains_it_and_nowhere_else():
    model = altered(from_sizes.built(TINY), "encoder.layer.self_attention.output", wider)
    paths = {check.path for check in verify(model) if not check.ok}
    output = "encoder.layer.self_attention.output"
    assert {output, "encoder.layer.self_attention", "encoder.layer", "encoder", "model"} == paths


def test_a_formula_that_is_right_by_accident_is_caught():
    # d_v written for d_k: no number of this model shows it, for both are 6
    model = from_sizes.built(replace(TINY, d_v=6))

    def confused(block):
        weight, bias = block.params
        d_model, h, d_k = map(Expr.of, ("d_model", "h", "d_k"))
        assert tuple(size.at(model.sizes.numbers) for size in weight.shape) == (24, 24)
        return replace(block, params=(replace(weight, dims=(d_model, h * d_k)), replace(bias, dims=(h * d_k,))))

    found = first_disagreement(verify(altered(model, "encoder.layer.self_attention.value", confused)))
    assert (found.path, found.quantity) == ("encoder.layer.self_attention.value", "params")
    assert "tiny widths" in found.note


def test_a_formula_that_is_right_at_this_length_alone_is_caught():
    # S² written as 6·S: equal at S = 6, which is the length of this model
    def linear_in_S(op):
        return replace(op, flops=6 * op.flops / "S")

    path = "encoder.layer.self_attention.attention"
    model = altered(from_sizes.built(TINY), f"{path}.scores", linear_in_S)
    found = first_disagreement(verify(model))
    assert (found.path, found.quantity, found.ok) == (path, "flops", False)
    # 2 products of 2·4·6 a pair of positions; one of them 6 a position
    assert (found.expected, found.found) == ("48·B·S² + 288·B·S", "96·B·S²")
    assert "with own widths: 48·B·S² + 288·B·S is not 96·B·S²" in found.note


def test_lengths_confused_in_a_shape_are_caught_where_both_are_equal():
    model = from_sizes.built(replace(TINY, tgt_seq=6))

    def confused(op):
        *others, rows, columns = op.output.shape
        return replace(op, output=replace(op.output, dims=(*others, columns, rows)))

    path = "decoder.layer.cross_attention.attention.scores"
    found = first_disagreement(verify(altered(model, path, confused)))
    assert (found.path, found.expected, found.found) == (path, "(B, 4, S, T)", "(B, 4, T, S)")


def test_a_mistake_inside_a_block_function_is_caught(monkeypatch):
    import shapeviz.blocks.feed_forward as feed_forward

    right = feed_forward.linear
    monkeypatch.setattr(
        feed_forward, "linear", lambda x, width, bias, *rest, **named: right(x, width, False, *rest, **named)
    )
    found = first_disagreement(verify(from_sizes.built(TINY)))
    assert (found.path, found.quantity) == ("encoder.layer.feed_forward.linear_1", "params")


# Planted mistakes: the PyTorch side


def planted(monkeypatch, change):
    """PyTorch's side, changed after it was built."""
    right = torch_side.build

    def build(config, **settings):
        module = right(config, **settings)
        change(module)
        return module

    monkeypatch.setattr(torch_side, "build", build)
    monkeypatch.setattr(comparison, "observe", observe)
    monkeypatch.setattr(comparison, "cases_of", lambda model, config: cases_of(model, config)[:1])  # own widths alone
    return verify(from_sizes.built(replace(TINY, vocab=11)))


def test_a_bias_too_many_in_pytorch_is_caught(monkeypatch):
    def change(module):
        module.head.bias = torch.nn.Parameter(torch.zeros(module.head.out_features, device="meta"))

    found = first_disagreement(planted(monkeypatch, change))
    assert (found.path, found.quantity, found.expected, found.found) == ("head", "params", 0, 11)


def test_one_instance_that_differs_from_the_others_is_caught(monkeypatch):
    def change(module):
        module.decoder.layer[1].feed_forward.linear_2.bias = None

    found = first_disagreement(planted(monkeypatch, change))
    assert found.path == "decoder.layer.feed_forward.linear_2"
    assert "in decoder.layer.1.feed_forward.linear_2" in found.note


def test_heads_that_pytorch_does_not_split_so_are_caught(monkeypatch):
    def change(module):
        module.decoder.layer[1].cross_attention.concat.forward = lambda heads: heads.flatten(1, 2)

    checks = planted(monkeypatch, change)
    assert "decoder.layer.cross_attention.output" in first_disagreement(checks).path  # which cannot take them


def test_rows_that_could_not_be_compared_are_missed_in_their_number(monkeypatch):
    def change(module):
        for layer in module.encoder.layer:
            layer.feed_forward.relu_2 = torch.nn.ReLU()
            layer.feed_forward.another = layer.feed_forward.relu
            del layer.feed_forward._modules["relu"]
            layer.feed_forward.__dict__["relu"] = torch.nn.ReLU()

    last = planted(monkeypatch, change)[-1]
    assert (last.quantity, last.expected - last.found, last.ok) == ("rows compared", 1, False)


def test_a_submodule_without_a_block_is_caught(monkeypatch):
    def change(module):
        module.encoder.layer[0].adapter = torch.nn.Linear(3, 3, device="meta")

    found = first_disagreement(planted(monkeypatch, change))
    assert (found.path, found.quantity) == ("encoder.layer.adapter", "block")


def test_an_exception_of_pytorch_becomes_a_check_that_names_the_block(monkeypatch):
    def change(module):
        module.decoder.layer[1].feed_forward.linear_3 = torch.nn.Linear(13, 24, device="meta")

    checks = planted(monkeypatch, change)
    found = first_disagreement(checks)
    assert (found.path, found.quantity, found.expected) == ("decoder.layer.feed_forward.linear_3", "forward", "runs")
    assert found.found.startswith("RuntimeError")


@pytest.mark.parametrize(
    ("forward", "condition"),
    [
        (lambda a, b: (a + b).view(-1, int(a.shape[1]), a.shape[2]), "S = 97, Eq(S, 97)"),
        (lambda a, b: a + b if a.shape[1] != 4096 else a, "Ne(S, 4096)"),
        (lambda a, b: a + b if a.shape[1] < 4096 else a, "S < 4096"),
    ],
    ids=["a length taken as a number", "another way at one length", "another way at great lengths"],
)
def test_a_module_that_is_not_the_same_at_every_length_proves_nothing(monkeypatch, forward, condition):
    def change(module):
        module.encoder.layer[0].feed_forward_norm.register_forward_pre_hook(lambda _, args: (forward(*args, args[0]),))

    checks = [check for check in planted(monkeypatch, change) if check.quantity == "forward"]
    assert [check.found for check in checks] == [f"only where {condition}"]
    assert not any(check.ok for check in checks)
