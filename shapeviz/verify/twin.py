"""The PyTorch side as a model of its own: the module of the same configuration, traced."""

from __future__ import annotations

from shapeviz.ir import Model
from shapeviz.tracing import trace
from shapeviz.verify.build import build
from shapeviz.verify.sizes import symbols, variables


def twin(model: Model) -> Model:
    """A model that was built from sizes once more: its PyTorch module traced at the same sizes, with what is saved.

    Vectors that go in count as the outputs of an embedding, which gradients reach; so all layers save the same.
    """
    assert model.origin is not None
    c = model.origin.config
    _, *lengths = variables(c)
    inputs = [f"int64[B,{length}]" if c.vocab else f"float32[B,{length},{c.d_model}]" for length in lengths]
    sizes = {name: symbols(c)[name] for name in ("B", *lengths)}
    return trace(
        build(c), *inputs, sizes=sizes, saved=True, input_grad=not c.vocab, name=model.name, source=model.source
    )
