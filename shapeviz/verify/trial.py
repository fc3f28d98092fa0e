"""A tiny model of the same variant with real numbers on the CPU: forward, backward, and a mask that does mask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from shapeviz.ir import Model
from shapeviz.models.transformer import Config
from shapeviz.report import Check, Report
from shapeviz.verify.reference_transformer import build
from shapeviz.verify.sizes import lengths, overrides, shrink, symbols

BY = "PyTorch on the CPU"


def trial(model: Model, report: Report, config: Config) -> list[Check]:
    """Checks of one forward and one backward pass of the shrunk configuration, against the model's own formulas."""
    small = shrink(config)
    changed = overrides(model, small)
    sizes, params = model.sizes.resolve(**changed), report.total["params"].at(changed)
    last = model.root.output.shape if small.vocab else report.row("decoder" if small.dec else "encoder").dims
    try:
        with torch.random.fork_rng(devices=[]), _one_thread():
            torch.manual_seed(0)
            module = build(small, device="cpu").double()
            return list(_checks(module, small, params, tuple(size.at(sizes) for size in last)))
    except Exception as error:  # whatever PyTorch raises is the finding
        return [Check("model", "trial", "runs", f"{type(error).__name__}: {error}".splitlines()[0], BY)]


def _checks(module: nn.Module, c: Config, params: int, shape: tuple[int, ...]) -> Iterator[Check]:
    note = "a tiny model with real numbers: " + " ".join(f"{name}={size}" for name, size in symbols(c).items() if size)
    inputs = _inputs(c)
    output = module(*inputs)
    yield Check("model", "output", shape, tuple(output.shape), BY, note)
    if c.dec and c.vocab:
        worst = max(output.sum(-1).flatten().tolist(), key=lambda total: abs(total - 1))
        yield Check("model", "softmax", 1.0, round(worst, 9), BY, "the sum of probabilities furthest from 1")
    loss = _loss(output, c)
    loss.backward()  # type: ignore[no-untyped-call]
    yield Check("model", "loss", "finite", "finite" if loss.isfinite() else str(loss.item()), BY)
    yield Check("model", "backward", params, _reached(module), BY, "parameters with a finite gradient")
    if c.dec:
        expected = "only later outputs change"
        yield Check(
            "model", "causality", expected, _causality(module, inputs), BY, "another token at the third target position"
        )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other cost a tiny model more than all of its arithmetic."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _inputs(c: Config) -> tuple[Tensor, ...]:
    if c.vocab:
        return tuple(torch.randint(c.vocab, (c.batch, length)) for length in lengths(c))
    return tuple(torch.randn(c.batch, length, c.d_model, dtype=torch.float64) for length in lengths(c))


def _loss(output: Tensor, c: Config) -> Tensor:
    """Cross-entropy against random targets, or a random projection where there are no probabilities."""
    if c.dec and c.vocab:
        targets = torch.randint(c.vocab, output.shape[:-1])
        return -output.gather(-1, targets[..., None]).log().mean()
    return (output * torch.randn_like(output)).sum()


def _reached(module: nn.Module) -> int:
    grads = [weight.grad for weight in module.parameters()]
    return sum(grad.numel() for grad in grads if grad is not None and grad.isfinite().all())


def _causality(module: nn.Module, inputs: tuple[Tensor, ...]) -> str:
    """Whether a change at target position 2 leaves outputs 0 and 1 exactly as they were, and moves the others."""
    *source, target = inputs
    changed = target.clone()
    changed[:, 2] = target[:, 2] + 1 if target.is_floating_point() else target[:, 2] == 0
    with torch.no_grad():
        moved = (module(*source, changed) - module(*source, target)).abs()
    if moved[:, :2].max() > 0:
        return f"an earlier output changes by {moved[:, :2].max().item():.3g}"
    return "only later outputs change" if moved[:, 2:].max() > 0 else "no output changes"
