"""Axes have names: leading axes are united by name, and numbers give what letters give when they are put in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import getmembers, isfunction
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapeviz import plugins
from shapeviz.blocks.alibi import multi_head_with_alibi
from shapeviz.blocks.attention import attention, multi_head
from shapeviz.blocks.clamped_feed_forward import clamped_feed_forward
from shapeviz.blocks.decoder import decoder_layer, pre_norm_decoder_layer
from shapeviz.blocks.embedding import embedding
from shapeviz.blocks.encoder import encoder_layer, pre_norm_encoder_layer
from shapeviz.blocks.feed_forward import feed_forward, gated_feed_forward
from shapeviz.blocks.latent_attention import latent_attention
from shapeviz.blocks.linear import classifier, fixed_bias, head, linear
from shapeviz.blocks.moe import mixture_of_experts
from shapeviz.blocks.norm import heads_layer_norm, layer_norm, rms_norm
from shapeviz.blocks.parallel import parallel_layer, parallel_layer_of_two_norms
from shapeviz.blocks.patches import class_token, patches
from shapeviz.blocks.pooling import pooler, transform, unread
from shapeviz.blocks.position import learned, relative, rotary, sinusoidal, token_types
from shapeviz.blocks.sandwich import output_norm_layer, sandwich_layer
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


def attend(n: Sizes, **settings: Any) -> Callable[..., Variable]:
    return partial(multi_head, h=n.g * n.r, g=n.g, d_k=n.d_k, d_v=n.d_v, cache=n.B * n.S, **settings)


def feed(n: Sizes) -> Callable[..., Variable]:
    return partial(feed_forward, widths=(n.d_ff, n.r))


def layered(layer: Callable[..., Variable], n: Sizes, x: Variable) -> Variable:
    return repeat(n.N, partial(layer, attend=attend(n), feed=feed(n), norm=layer_norm), x)


def crossed(layer: Callable[..., Variable], n: Sizes) -> Variable:
    parts = {"attend": attend(n), "cross": attend(n, mask="causal"), "feed": feed(n), "norm": rms_norm}
    return layer(x_of(n), memory_of(n), **parts)


def latent(n: Sizes, r_q: Any) -> Variable:
    x = bare(n)
    return latent_attention(
        x, x, n.g, n.d_n, n.d_r, n.d_v, n.r_kv, r_q, norm=rms_norm, rotate=rotary, cache=n.B * n.S
    )  # fmt: skip


def shared_experts(n: Sizes) -> Variable:
    expert = partial(gated_feed_forward, widths=(n.d_ff,))
    return mixture_of_experts(bare(n), n.E, n.k, expert, shared=expert, shared_gate=True, correction=True)


def tied(n: Sizes) -> Variable:
    table = param("W_E", n.V, n.d_model)
    return head(embedding(input_("ids", n.B, n.S), table, n.V), table, n.V, bias=True)


def seen(n: Sizes) -> Variable:
    image = input_("image", n.B, n.c, n.S, n.T)
    return learned(class_token(patches(image, n.p, n.p, n.c, n.N, n.d_model)), n.N + 1)


def related(n: Sizes) -> Variable:
    x = bare(n)
    return multi_head(x, x, n.r, n.r, n.d_k, n.d_v, shift=relative(x, n.V, n.r))


def attended(n: Sizes) -> Variable:
    Q = input_("Q", B=n.B, h=n.g, S=n.S, d_k=n.d_k)
    K, V = (input_(name, B=n.B, h=n.g, T=n.T, **{d: getattr(n, d)}) for name, d in (("K", "d_k"), ("V", "d_v")))
    return attention(Q, K, V, "causal", sinks=n.g)


RECIPES: dict[str, Callable[[Sizes], Variable]] = {
    "attention": attended,
    "self-attention": lambda n: (lambda x: attend(n)(x, x))(bare(n)),
    "multi-query": lambda n: (lambda x: multi_head(x, x, n.r, 1, n.d_k, n.d_v, norm=rms_norm))(bare(n)),
    "cross-attention": lambda n: attend(n, norm=heads_layer_norm, rotate=rotary)(x_of(n), memory_of(n)),
    "alibi": lambda n: (lambda x: multi_head_with_alibi(x, x, n.g * n.r, n.g, d_k=n.d_k, d_v=n.d_v))(bare(n)),
    "relative": related,
    "latent": lambda n: latent(n, None),
    "low-rank latent": lambda n: latent(n, n.d_ff),
    "encoder": lambda n: layered(encoder_layer, n, bare(n)),
    "pre-norm encoder": lambda n: layered(pre_norm_encoder_layer, n, x_of(n)),
    "parallel": lambda n: layered(parallel_layer, n, bare(n)),
    "parallel of two norms": lambda n: layered(parallel_layer_of_two_norms, n, bare(n)),
    "sandwich": lambda n: layered(sandwich_layer, n, bare(n)),
    "output norm": lambda n: layered(output_norm_layer, n, bare(n)),
    "decoder": lambda n: crossed(decoder_layer, n),
    "pre-norm decoder": lambda n: crossed(pre_norm_decoder_layer, n),
    "clamped": lambda n: clamped_feed_forward(bare(n), n.d_ff),
    "experts": shared_experts,
    "tied": tied,
    "image": seen,
    "pooled": lambda n: classifier(pooler(transform(bare(n), n.d_ff), n.d_v, last=True), n.c),
    "biased": lambda n: fixed_bias(unread(linear(bare(n), n.c), n.V, n.d_v), n.c),
    "sinusoidal": lambda n: token_types(sinusoidal(bare(n)), n.c),
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
        name
        for module in modules
        for name, function in getmembers(module, isfunction)
        if function.__module__ == module.__name__ and hasattr(function, "__wrapped__")
    }
    n = SimpleNamespace(**{letter: Expr.of(letter) for letter in LETTERS})

    def kinds(node: Block) -> set[str]:
        return {node.kind}.union(*map(kinds, node.blocks))

    recorded = set().union(*(kinds(record(lambda recipe=recipe: recipe(n))) for recipe in RECIPES.values()))
    assert bundled - recorded == set()
