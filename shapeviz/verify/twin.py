"""The PyTorch side as a model of its own: the module of the same configuration, traced."""

from __future__ import annotations

from shapeviz.ir import Model
from shapeviz.tracing import trace
from shapeviz.verify.build import build
from shapeviz.verify.sizes import symbols, variables


def twin(model: Model) -> Model:
    """A model that was built from sizes, once more: its PyTorch module traced at the same sizes."""
    c, (_, *lengths) = model.config, variables(model.config)
    inputs = [f"int64[B,{length}]" if c.vocab else f"float32[B,{length},{c.d_model}]" for length in lengths]
    sizes = {name: symbols(c)[name] for name in ("B", *lengths)}
    return trace(build(c), *inputs, sizes=sizes, saved=True, name=model.name, source=model.source)
