"""The language: shape rules, costs, recording, ownership of weights, and messages in the notation of the paper."""

import pytest

from shapeviz.errors import ShapeError
from shapeviz.expr import Expr
from shapeviz.ir import Block, Op
from shapeviz.lang import (
    Variable,
    add,
    block,
    lookup,
    matmul,
    merge_heads,
    multiply,
    param,
    record,
    repeat,
    restate,
    softmax,
    source,
    split_heads,
    sqrt,
)  # fmt: skip
from shapeviz.wiring import wires

B, S, T, h, d_k, d_v, d_model = map(Expr.of, ("B", "S", "T", "h", "d_k", "d_v", "d_model"))


def test_a_product_contracts_the_inner_pair_and_unites_leading_axes_by_name() -> None:
    # Q [B g r S d_k] · Kᵀ [B g d_k T] → [B g r S T], 2 FLOPs a multiply-add
    Q, K = Variable("Q", (*map(Expr.of, "BgrS"), d_k)), Variable("K", (B, Expr.of("g"), T, d_k))
    scores = matmul(Q, K.T)
    assert tuple(map(Expr.of, "BgrST")) == scores.shape


def test_multi_query_keys_without_a_head_axis_are_shared_by_all_heads() -> None:
    Q, K = Variable("Q", (B, h, S, d_k)), Variable("K", (B, T, d_k))
    assert (B, h, S, T) == matmul(Q, K.T).shape


def test_the_cost_of_a_product_is_two_for_every_multiply_add() -> None:
    def model() -> Variable:
        """y = x W"""
        return source("x", "B", "S", "d_model") @ param("W", "d_model", "h")

    root = record(model)
    product = next(op for op in root.ops if op.kind == "matmul")
    assert 2 * B * S * d_model * h == product.flops
    assert [weight.name for weight in root.params] == ["W"]


def test_an_error_names_both_operands_their_sizes_the_equation_and_the_path() -> None:
    @block
    def attention(Q: Variable, K: Variable) -> Variable:
        """Attention(Q, K) = softmax(Q Kᵀ / √d_k)      (Vaswani et al. 2017, eq. 1)"""
        return softmax(matmul(Q, K.T) / sqrt(d_k))

    @block
    def layer(x: Variable, y: Variable) -> Variable:
        """y = Attention(x, y)"""
        return attention(x, y, name="cross_attention")

    with pytest.raises(ShapeError) as caught:
        record(
            lambda: layer(source("x", "B", "h", "S", "d_k"), source("y", "B", "h", "T", "d_v")),
            sizes={"d_k": 64, "d_v": 96},
        )
    message = str(caught.value).splitlines()
    assert message[0] == "Q[B h S d_k] @ Kᵀ[B h d_v T]: inner dimensions differ, d_k ≠ d_v   (d_k = 64, d_v = 96)"
    assert message[1] == "  in cross_attention:  Attention(Q, K) = softmax(Q Kᵀ / √d_k)"
    assert message[2].startswith("  in layer:  y = Attention(x, y)")


@pytest.mark.parametrize(("function", "sign"), [(add, "+"), (multiply, "⊙")])
def test_elementwise_operations_need_equal_ends(function: object, sign: str) -> None:
    assert callable(function)
    assert (B, S, d_k) == function(Variable("x", (B, S, d_k)), Variable("b", (d_k,))).shape
    with pytest.raises(ShapeError, match="sizes differ, d_k ≠ d_v") as caught:
        function(Variable("x", (B, S, d_k)), Variable("y", (B, S, d_v)))
    assert f" {sign} " in str(caught.value)


def test_splitting_and_merging_heads_are_inverse() -> None:
    x = Variable("x", (B, S, h * d_k))
    heads = split_heads(x, h)
    assert (B, h, S, d_k) == heads.shape
    assert x.shape == merge_heads(heads).shape
    grouped = split_heads(x, Expr.of("g"), h / "g")
    assert (B, Expr.of("g"), h / "g", S, d_k) == grouped.shape
    assert x.shape == merge_heads(grouped, 2).shape


def test_a_weight_belongs_to_the_first_block_that_uses_it_and_later_ones_are_tied() -> None:
    @block
    def embed(ids: Variable, table: Variable) -> Variable:
        """x = W[ids]"""
        return lookup(table, ids)

    @block
    def head(x: Variable, table: Variable) -> Variable:
        """y = x Wᵀ"""
        return x @ table.T

    def model() -> Variable:
        """y = W[ids] Wᵀ"""
        table = param("W", "V", "d_model")
        return head(embed(source("ids", "B", "S", dtype="int64"), table), table)

    first, second = record(model).blocks
    assert ([w.name for w in first.params], [w.name for w in first.tied]) == (["W"], [])
    assert ([w.name for w in second.params], [w.name for w in second.tied]) == ([], ["W"])


def test_a_layer_that_changes_the_shape_cannot_be_repeated() -> None:
    @block
    def wider(x: Variable) -> Variable:
        """y = x W"""
        return x @ param("W", "d_model", "d_v")

    with pytest.raises(ShapeError, match=r"layer cannot be repeated: it maps x\[B d_model\] to \[B d_v\]"):
        record(lambda: repeat("N", wider, source("x", "B", "d_model")))


def test_equal_names_in_one_block_are_numbered() -> None:
    def model() -> Variable:
        """y = x + x + x"""
        x = source("x", "B")
        return x + x + x

    assert [node.name for node in record(model).body] == ["x", "add", "add_2"]


def test_an_equation_may_run_over_lines_and_its_citation_is_told_apart() -> None:
    @block
    def long(x: Variable) -> Variable:
        """y = f(x),
        f(x) = x      (Nobody 2017, eq. 1)

        More words.
        """
        return softmax(x)

    (found,) = record(lambda: long(source("x", "B"))).blocks
    assert (found.equation, found.citation) == ("y = f(x),  f(x) = x", "Nobody 2017, eq. 1")


def test_a_restated_equation_brings_its_own_citation_or_has_none() -> None:
    @block
    def plain(x: Variable, *restated: str) -> Variable:
        """y = f(x)      (Nobody 2017, eq. 1)"""
        if restated:
            restate(*restated)
        return softmax(x)

    def model() -> Variable:
        """y = f(x)"""
        x = source("x", "B")
        return plain(plain(plain(x), "y = g(x)"), "y = h(x)", "Somebody 2018")

    cited = [("y = f(x)", "Nobody 2017, eq. 1"), ("y = g(x)", ""), ("y = h(x)", "Somebody 2018")]
    assert cited == [(node.equation, node.citation) for node in record(model).blocks]


def test_a_sum_around_a_sublayer_is_a_residual_and_what_every_layer_reads_is_memory() -> None:
    @block
    def layer(x: Variable, m: Variable) -> Variable:
        """x + softmax(x) ⊙ m"""
        return x + softmax(x) * m

    def model() -> Variable:
        """y = layer^N(x, m)"""
        return repeat("N", layer, source("x", "B"), source("m", "B"))

    root = record(model)
    found = wires(root)
    (one,) = root.blocks
    assert isinstance(one, Block)
    ops = {op.kind: op for op in one.ops if isinstance(op, Op)}
    assert [(w.source, w.role) for w in found[ops["add"]]] == [("x", "residual"), ("layer.multiply", "data")]
    assert [(w.source, w.role) for w in found[ops["multiply"]]] == [("layer.softmax", "data"), ("m", "memory")]
