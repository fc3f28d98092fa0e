"""Contraction, convolution and recurrence: shapes and FLOPs as PyTorch has them, errors in the paper's notation."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from shapeviz.errors import InputError, ShapeError  # noqa: E402
from shapeviz.expr import Expr, product  # noqa: E402
from shapeviz.ir import Block, Op  # noqa: E402
from shapeviz.lang import (  # noqa: E402
    Variable,
    axis,
    block,
    contract,
    conv,
    input_,
    operation,
    param,
    record,
    scan,
)
from shapeviz.wiring import wires  # noqa: E402


def counted(function: Any) -> tuple[tuple[int, ...], int]:
    """The shape and the FLOPs that PyTorch has for it."""
    counter = FlopCounterMode(display=False)
    with counter, torch.device("meta"):
        result = function()
    return tuple(result.shape), int(counter.get_total_flops())


def recorded(function: Any) -> tuple[tuple[int, ...], int]:
    """The shape and the FLOPs that the language has for it."""
    root = record(lambda: function())
    return tuple(size.at({}) for size in root.output.shape), flops(root).at({})


def flops(node: Block | Op) -> Expr:
    if isinstance(node, Op):
        return node.flops
    return sum((flops(child) * (child.repeat if isinstance(child, Block) else 1) for child in node.body), Expr())


# contract


@pytest.mark.parametrize("seed", range(20))
def test_a_contraction_is_an_einsum(seed: int) -> None:
    random = Random(seed)
    sizes = {name: random.randint(1, 4) for name in "abcde"}
    one, other = ("".join(random.sample("abcde", random.randint(1, 4))) for _ in range(2))
    shared = [name for name in one if name in other]
    over = tuple(random.sample(shared, random.randint(0, len(shared))))
    result = "".join(name for name in dict.fromkeys(one + other) if name not in over)
    x, y = (torch.empty([sizes[name] for name in names], device="meta") for names in (one, other))
    ours = recorded(
        lambda: contract(
            input_("x", **{n: sizes[n] for n in one}), input_("y", **{n: sizes[n] for n in other}), over=over
        )
    )
    shape, cost = counted(lambda: torch.einsum(f"{one},{other}->{result}", x, y))
    elements = 2 * product(sizes[name] for name in {*one, *other}).at({})
    assert ours == (shape, elements if over else 0)
    # where axes have size 1, torch may multiply elementwise, which it does not count
    assert cost in (ours[1], 0)
    if all(sizes[name] > 1 for name in one + other):
        assert cost == ours[1]


def test_an_axis_that_is_not_there_or_there_twice_is_an_error() -> None:
    x, W = input_("x", B=4, S=3, d=5), param("W", "n", "n")
    with pytest.raises(ShapeError, match=r"^contract\(x\[B=4 S=3 d=5\], W\[n n\]\): x.* has no axis n; "):
        contract(x, W, over="n")
    with pytest.raises(ShapeError, match=r"W\[n n\] has two axes n"):
        contract(W, W, over="n")
    with pytest.raises(ShapeError, match=r"x\[4 3\] has no axis S; none of its axes has a name"):
        contract(input_("x", 4, 3), W, over="S")


def test_an_axis_has_one_size_where_it_is_contracted() -> None:
    with pytest.raises(ShapeError, match="inner dimensions differ, d=5 ≠ d=6"):
        contract(input_("x", d=5), input_("y", d=6), over="d")


# conv


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("seed", range(20))
def test_a_convolution_is_pytorchs(dimensions: int, seed: int) -> None:
    random = Random(100 * dimensions + seed)
    groups, stride, dilation, padding = (random.randint(1, most) for most in (3, 3, 2, 4))
    inner, outer, k = random.randint(1, 3), random.randint(1, 3), random.randint(1, 4)
    lengths = {name: random.randint(9, 20) for name in ("H", "W")[:dimensions]}
    x, W = (2, inner * groups, *lengths.values()), (outer * groups, inner, *[k] * dimensions)
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    torchs = F.conv1d if dimensions == 1 else F.conv2d
    theirs = counted(lambda: torchs(torch.empty(x), torch.empty(W), torch.empty(W[0]), **settings))
    bias = param("b", W[0])
    ours = recorded(
        lambda: conv(
            input_("x", B=2, c=inner * groups, **lengths), param("W", *W), over=tuple(lengths), bias=bias, **settings
        )
    )
    assert ours == theirs


def test_channels_may_come_last_and_an_axis_that_keeps_its_length_stays_the_same() -> None:
    x = input_("x", "B", "S", "d")
    y = conv(x, param("W", "d", 1, 3), over="S", padding=1, groups="d")
    assert y.axes == x.axes


def test_the_length_is_a_formula() -> None:
    S, k, p, s = map(Expr.of, "Skps")
    y = conv(input_("x", "B", "c", "S"), param("W", "e", "c", "k"), over="S", stride=s, padding=p)
    assert y.shape[-1] == (S + 2 * p - k) // s + 1


def test_channels_that_do_not_fit_and_kernels_that_are_too_long_are_errors() -> None:
    x = input_("x", B=2, c=6, S=9)
    with pytest.raises(ShapeError, match="4 × 2 groups ≠ 6 channels of x"):
        conv(x, param("W", 2, 4, 3), over="S", groups=2)
    with pytest.raises(ShapeError, match="a kernel of 10 over S=9"):
        conv(x, param("W", 2, 6, 10), over="S")
    with pytest.raises(ShapeError, match=r"W\[c_out c_in/groups k\] is needed"):
        conv(x, param("W", 2, 6), over="S")


# scan


@block
def cell(x: Variable, U: Variable, h: Variable) -> tuple[Variable, Variable]:
    """h_t = x_t W + h_(t-1) U,  y_t = h_t"""
    h = x @ param("W", x.axes[-1], axis("d", h.shape[-1])) + h @ U
    return h, h


def recurrent(B: Any, S: Any, c: Any, d: Any) -> Variable:
    h = input_("h", axis("B", B), axis("d", d))
    return scan(cell, (input_("x", B=B, S=S, c=c), param("U", d, d)), h, over="S")[0]


@pytest.mark.parametrize("seed", range(10))
def test_a_scan_costs_its_step_for_every_place_of_the_axis(seed: int) -> None:
    random = Random(seed)
    B, S, c, d = (random.randint(1, 6) for _ in range(4))

    def loop() -> Any:
        x, h, W, U = torch.empty(B, S, c), torch.empty(B, d), torch.empty(c, d), torch.empty(d, d)
        states = []
        for t in range(S):
            h = x[:, t] @ W + h @ U
            states.append(h)
        return torch.stack(states, dim=1)

    assert counted(loop) == recorded(lambda: recurrent(B, S, c, d))


def test_a_scan_is_recorded_once_however_long_it_is() -> None:
    root = record(lambda: recurrent(2, 10**9, 3, 4))
    (step,) = root.blocks
    assert (10**9, 1) == (step.repeat, step.copies)
    assert {"W", "U"} == {weight.name for weight in step.params}
    assert len(step.body) == 3


def test_a_step_reads_what_the_slices_are_taken_of() -> None:
    root = record(lambda: recurrent("B", "S", "c", "d"))
    (step,) = root.blocks
    assert ["x", "h"] == [wire.source for wire in wires(root)[step]]


def test_a_state_that_cannot_go_in_again_is_an_error() -> None:
    @block
    def wider(x: Variable, h: Variable) -> tuple[Variable, Variable]:
        """h_t = h_(t-1) W"""
        h = h @ param("W", "d", "e")
        return h, h

    with pytest.raises(ShapeError, match=r"step cannot be repeated: its state h\[B d\] becomes step\[B e\]"):
        record(lambda: scan(wider, input_("x", "B", "S", "c"), input_("h", "B", "d"), over="S")[0])
    with pytest.raises(ShapeError, match=r"scan over T: none of x\[B S c\] has this axis"):
        record(lambda: scan(wider, input_("x", "B", "S", "c"), input_("h", "B", "d"), over="T")[0])


# an operation of one's own, and names that a block cannot have


def test_a_block_brings_an_operation_with_its_own_cost() -> None:
    def model() -> Variable:
        """y = FFT(x)"""
        x = input_("x", "B", "S")
        return operation("fft", "FFT(x)", (x,), (*x.axes[:1], Expr.of("S") // 2 + 1), flops=5 * Expr.of("S"))

    root = record(model)
    assert 5 * Expr.of("S") == flops(root)
    assert ["B", "⌊S/2⌋ + 1"] == [str(size) for size in root.output.shape]


@pytest.mark.parametrize("name", ["name", "title", "repeat", "copies", "routed"])
def test_an_argument_cannot_have_the_name_of_what_every_call_takes(name: str) -> None:
    space: dict[str, Any] = {}
    exec(f"def own(x, {name}):\n    return x", space)
    with pytest.raises(InputError, match=f"@block own: an argument cannot be called {name}, for every call of a block"):
        block(space["own"])
