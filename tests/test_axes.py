"""Axes have names: leading axes are united by name, and numbers give what letters give when they are put in."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getmembers, isclass, isfunction
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapeviz import plugins
from shapeviz.blocks.alibi import WithAlibi
from shapeviz.blocks.attention import CAUSAL, Cache, Heads, MultiHead, QKNorm, Scores, attention
from shapeviz.blocks.clamped_feed_forward import ClampedFeedForward
from shapeviz.blocks.decoder import PostNormDecoder, PreNormDecoder
from shapeviz.blocks.embedding import embedding
from shapeviz.blocks.encoder import PostNorm, PreNorm
from shapeviz.blocks.feed_forward import FeedForward, GatedFeedForward
from shapeviz.blocks.latent_attention import LatentAttention, LatentHeads
from shapeviz.blocks.linear import classifier, fixed_bias, head, linear
from shapeviz.blocks.moe import MixtureOfExperts, Router, Scored, Shared
from shapeviz.blocks.norm import heads_layer_norm, layer_norm, rms_norm
from shapeviz.blocks.parallel import Parallel, ParallelOfTwoNorms
from shapeviz.blocks.patches import class_token, patches
from shapeviz.blocks.pooling import pooler, transform, unread
from shapeviz.blocks.position import learned, rotary, sinusoidal, token_types
from shapeviz.blocks.relative import Shifted, relative
from shapeviz.blocks.sandwich import OutputNorm, Sandwich
from shapeviz.blocks.selective_scan import Mamba, MixingLayer, selective_scan
from shapeviz.blocks.sublayer import Attend, Layer
from shapeviz.errors import ShapeError
from shapeviz.expr import Expr, product, total
from shapeviz.ir import Block
from shapeviz.lang import (
    Variable,
    add,
    axis,
    block,
    concatenate,
    input_,
    matmul,
    param,
    record,
    repeat,
    split_heads,
)

Sizes = Any  # a namespace of letters, or of numbers under the names of the letters
LETTERS = ("B", "S", "T", "d_model", "d_k", "d_v", "d_ff", "d_n", "d_r", "r_kv", "V", "E", "k", "g", "r", "N", "p", "c")


def flops(node: Block) -> Expr:
    return total([*(op.flops for op in node.ops), *(child.repeat * flops(child) for child in node.blocks)])


def weights(node: Block) -> Expr:
    own = (product(weight.shape) for weight in node.params)
    return total([*own, *(child.copies * weights(child) for child in node.blocks)])


# the reviewer's case


@block
def experts(x: Variable, E: int, named: bool = False) -> Variable:
    """y_e = x W_e"""
    return x @ param("W", axis("E", E) if named else E, x.shape[-1], 7)


@pytest.mark.parametrize(("E", "expected"), [(3, 2520), (4, 3360)])
@pytest.mark.parametrize("named", [False, True])
def test_leading_axes_are_not_united_for_being_equally_long(E: int, expected: int, named: bool) -> None:
    # x [4 3 5] @ W [E 5 7] → [4 E 3 7], 2·4·E·3·5·7 FLOPs
    root = record(lambda: experts(input_("x", 4, 3, 5), E, named))
    (found,) = root.blocks
    assert (4, E, 3, 7) == found.output.shape
    assert expected == flops(root)


def test_an_axis_that_descends_from_another_is_the_same() -> None:
    # x [4 3 6] → heads [4 2 3 3]; scores [4 2 3 3]: the batch is one though it is a bare number
    def model() -> Variable:
        """y = x_i x_iᵀ"""
        x = input_("x", 4, 3, 6)
        heads = split_heads(x, 2)
        return heads @ heads.T

    assert (4, 2, 3, 3) == record(model).output.shape


def test_named_axes_of_different_tensors_are_the_same() -> None:
    x, W = input_("x", B=4, S=3, d=5), Variable("W", (axis("B", 4), *map(Expr.of, (5, 7))))
    assert (4, 3, 7) == matmul(x, W).shape


def test_one_name_cannot_have_two_sizes() -> None:
    with pytest.raises(ShapeError) as caught:
        matmul(input_("x", B=4, S=3, d=5), param("W", B=6, d=5, e=7))
    assert str(caught.value) == "x[B=4 S=3 d=5] @ W[B=6 d=5 e=7]: the axis B has two sizes, 4 ≠ 6"


def test_two_names_in_one_place_differ_however_long_they_are() -> None:
    with pytest.raises(ShapeError) as caught:
        add(input_("x", S=4, d=5), input_("y", T=4, d=5))
    assert str(caught.value) == "x[S=4 d=5] + y[T=4 d=5]: sizes differ, S=4 ≠ T=4"
    with pytest.raises(ShapeError, match="inner dimensions differ, d=5 ≠ e=5"):
        matmul(input_("x", S=4, d=5), param("W", e=5, f=7))
    with pytest.raises(ShapeError, match=r"∥ y.*sizes differ, S=4 ≠ T=4"):
        concatenate(input_("x", S=4, d=5), input_("y", T=4, d=5))


def test_a_bare_number_fits_an_axis_of_its_size_in_the_same_place() -> None:
    assert ("S", "d") == tuple(axis.name for axis in add(param("b", 5), input_("x", S=4, d=5)).axes)


def test_a_layer_is_repeated_if_its_axes_come_back() -> None:
    @block
    def swapped(x: Variable) -> Variable:
        """y = x Wᵀ"""
        return param("W", T=3, S=3) @ x

    with pytest.raises(ShapeError, match=r"it maps x\[S=3 d=5\] to \[T=3 d=5\]"):
        record(lambda: repeat(2, swapped, input_("x", S=3, d=5)))


# every bundled block, with letters and with numbers


def x_of(n: Sizes) -> Variable:
    return input_("x", B=n.B, S=n.S, d_model=n.d_model)


def bare(n: Sizes) -> Variable:
    return input_("x", n.B, n.S, n.d_model)


def memory_of(n: Sizes) -> Variable:
    return input_("m", B=n.B, T=n.T, d_model=n.d_model)


def heads_of(n: Sizes) -> Variable:
    return input_("Q", B=n.B, g=n.g, r=n.r, S=n.S, d_k=n.d_k)


def heads(n: Sizes) -> Heads:
    return Heads(n.g * n.r, n.g, n.d_k, n.d_v)


def attend(n: Sizes, **parts: Any) -> MultiHead:
    return MultiHead(heads(n), cache=Cache(n.B * n.S), **parts)


def layered(layer: Callable[..., Layer], n: Sizes, x: Variable) -> Variable:
    return repeat(n.N, layer(attend(n), FeedForward((n.d_ff, n.r)), layer_norm), x)


def crossed(layer: Callable[..., Layer], n: Sizes) -> Variable:
    cross = attend(n, scores=Scores(CAUSAL))
    return layer(attend(n), cross, FeedForward((n.d_ff, n.r)), rms_norm)(x_of(n), memory_of(n))


def latent(n: Sizes, r_q: Any) -> Variable:
    widths = LatentHeads(n.g, n.d_n, n.d_r, n.d_v, n.r_kv, r_q)
    return to_itself(LatentAttention(widths, rms_norm, rotary, cache=Cache(n.B * n.S)), bare(n))


def to_itself(attend: Attend, x: Variable) -> Variable:
    return attend(x, x)


def shared_experts(n: Sizes) -> Variable:
    expert, scored = GatedFeedForward((n.d_ff,)), Scored("sigmoid", correction=True)
    return MixtureOfExperts(Router(n.E, n.k, scored), expert, Shared(expert, gated=True))(bare(n))


def tied(n: Sizes) -> Variable:
    table = param("W_E", n.V, n.d_model)
    return head(embedding(input_("ids", n.B, n.S), table, n.V), table, n.V, bias=True)


def seen(n: Sizes) -> Variable:
    image = input_("image", n.B, n.c, n.S, n.T)
    return learned(class_token(patches(image, n.p, n.p, n.c, n.N, n.d_model)), n.N + 1)


def related(n: Sizes) -> Variable:
    x = bare(n)
    return to_itself(Shifted(MultiHead(Heads(n.r, n.r, n.d_k, n.d_v)), relative(x, n.V, n.r)), x)


def state_space(n: Sizes) -> Variable:
    return repeat(n.N, MixingLayer(Mamba(n.d_ff, n.d_n, n.r, n.k, cache=n.B), rms_norm), bare(n))


def attended(n: Sizes) -> Variable:
    Q = input_("Q", B=n.B, h=n.g, S=n.S, d_k=n.d_k)
    K, V = (input_(name, B=n.B, h=n.g, T=n.T, **{d: getattr(n, d)}) for name, d in (("K", "d_k"), ("V", "d_v")))
    return attention(Q, K, V, Scores(CAUSAL, sinks=n.g))


RECIPES: dict[str, Callable[[Sizes], Variable]] = {
    "attention": attended,
    "self-attention": lambda n: to_itself(attend(n), bare(n)),
    "multi-query": lambda n: to_itself(MultiHead(Heads(n.r, 1, n.d_k, n.d_v), norm=QKNorm(rms_norm)), bare(n)),
    "cross-attention": lambda n: attend(n, norm=QKNorm(heads_layer_norm), rotate=rotary)(x_of(n), memory_of(n)),
    "alibi": lambda n: to_itself(WithAlibi(MultiHead(heads(n))), bare(n)),
    "relative": related,
    "latent": lambda n: latent(n, None),
    "low-rank latent": lambda n: latent(n, n.d_ff),
    "encoder": lambda n: layered(PostNorm, n, bare(n)),
    "pre-norm encoder": lambda n: layered(PreNorm, n, x_of(n)),
    "parallel": lambda n: layered(Parallel, n, bare(n)),
    "parallel of two norms": lambda n: layered(ParallelOfTwoNorms, n, bare(n)),
    "sandwich": lambda n: layered(Sandwich, n, bare(n)),
    "output norm": lambda n: layered(OutputNorm, n, bare(n)),
    "decoder": lambda n: crossed(PostNormDecoder, n),
    "pre-norm decoder": lambda n: crossed(PreNormDecoder, n),
    "clamped": lambda n: ClampedFeedForward(n.d_ff)(bare(n)),
    "experts": shared_experts,
    "tied": tied,
    "image": seen,
    "pooled": lambda n: classifier(pooler(transform(bare(n), n.d_ff), n.d_v, last=True), n.c),
    "biased": lambda n: fixed_bias(unread(linear(bare(n), n.c), n.V, n.d_v), n.c),
    "sinusoidal": lambda n: token_types(sinusoidal(bare(n)), n.c),
    "state space": state_space,
    "scan": lambda n: selective_scan(bare(n), n.d_n, n.r),
    "heads' norm": lambda n: heads_layer_norm(heads_of(n)),
}


@pytest.mark.parametrize("name", RECIPES)
@settings(max_examples=20, deadline=None)
@given(numbers=st.fixed_dictionaries({letter: st.integers(1, 4) for letter in LETTERS}))
def test_numbers_give_what_letters_give(name: str, numbers: dict[str, int]) -> None:
    lettered = record(lambda: RECIPES[name](SimpleNamespace(**{letter: Expr.of(letter) for letter in LETTERS})))
    numbered = record(lambda: RECIPES[name](SimpleNamespace(**numbers)))
    assert [size.at(numbers) for size in lettered.output.shape] == list(numbered.output.shape)
    assert weights(lettered).at(numbers) == weights(numbered)
    assert flops(lettered).at(numbers) == flops(numbered)


def test_every_bundled_block_is_among_them() -> None:
    modules = [plugins.load("shapeviz.blocks", name) for name in plugins.names("shapeviz.blocks")]
    bundled = {
        function.__name__
        for module in modules
        for _, member in getmembers(module, lambda member: isfunction(member) or isclass(member))
        for function in (member.__call__ if isclass(member) else member,)
        if member.__module__ == module.__name__ and hasattr(function, "__wrapped__")
    }
    n = SimpleNamespace(**{letter: Expr.of(letter) for letter in LETTERS})

    def kinds(node: Block) -> set[str]:
        return {node.kind}.union(*map(kinds, node.blocks))

    recorded = set().union(*(kinds(record(lambda recipe=recipe: recipe(n))) for recipe in RECIPES.values()))
    assert bundled - recorded == set()


def test_an_axis_is_contracted_once() -> None:
    from shapeviz.lang import contract

    with pytest.raises(ShapeError, match="contracted twice over d; name each axis once"):
        contract(input_("x", B=1, d=4), param("w", d=4, f=8), ("d", "d"))
