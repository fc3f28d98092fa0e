"""Gradients in bfloat16 are those of float64 on the same inputs, but for the rounding of the result."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from training import text, tiny

from shapeviz.nets.language_model import LanguageModel
from shapeviz.train import session
from shapeviz.train.distributed import World

TOKENS = 16_384
ROUNDING = 2**-8


def error(call: Callable[[Tensor], Tensor], weight: Tensor, oracle: Callable[[Tensor], Tensor], width: int) -> float:
    """How far a gradient is from the one that float64 gives of the same op, relative to its norm."""
    upstream = torch.randn(TOKENS, width, generator=torch.Generator().manual_seed(1)).bfloat16() + 0.01
    wide = weight.detach().double().requires_grad_()
    (expected,) = torch.autograd.grad(oracle(wide), wide, upstream.double())
    (found,) = torch.autograd.grad(call(weight), weight, upstream)
    return float((found.double() - expected).norm() / expected.norm())


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """As a run in bfloat16 trains it on a CPU."""
    folder = tmp_path_factory.mktemp("gradients")
    recipe = tiny(text(folder), dtype="bfloat16")
    return session.begin(recipe, folder, World(), None, lambda _: None).module


def test_of_every_layer_norm(module: LanguageModel) -> None:
    x = torch.randn(TOKENS, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    norms: list[Any] = [one for one in module.modules() if isinstance(one, nn.LayerNorm)]
    assert 3 == len(norms)
    for one in norms:
        γ, β = one.weight.double(), one.bias.double()
        found = [
            error(lambda _, one=one: one(x), one.weight, lambda w, β=β: F.layer_norm(x.double(), (16,), w, β), 16),
            error(lambda _, one=one: one(x), one.bias, lambda w, γ=γ: F.layer_norm(x.double(), (16,), γ, w), 16),
        ]
        assert max(found) < ROUNDING


def test_of_the_embedding_of_a_token_that_comes_often(module: LanguageModel) -> None:
    ids = torch.randint(3, (TOKENS,), generator=torch.Generator().manual_seed(0))
    weight = module.embedding.weight
    seen: list[Tensor] = []
    hook = module.drop.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    module(ids.view(-1, 16))
    hook.remove()
    assert torch.bfloat16 == seen[0].dtype
    assert error(lambda _: seen[0].view(TOKENS, 16), weight, lambda w: F.embedding(ids, w), 16) < ROUNDING


@pytest.mark.parametrize("made", [nn.RMSNorm(16), nn.Linear(16, 16)])
def test_of_what_pytorch_adds_up_in_float32_itself(made: Any) -> None:
    """If this fails, a kernel has changed: what is done for LayerNorm has to be done for it as well."""
    x = torch.randn(TOKENS, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    one = made.bfloat16()
    if isinstance(one, nn.Linear):
        W = one.weight.detach().double()
        assert error(lambda _: one(x), one.bias, lambda b: F.linear(x.double(), W, b), 16) < ROUNDING
    else:
        assert error(lambda _: one(x), one.weight, lambda w: F.rms_norm(x.double(), (16,), w), 16) < ROUNDING
