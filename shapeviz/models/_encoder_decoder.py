"""An encoder, and a decoder that reads it, under one of the usual heads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from shapeviz.blocks.linear import classifier
from shapeviz.blocks.pooling import pooler
from shapeviz.expr import Expr
from shapeviz.ir import Condition
from shapeviz.lang import Variable, block, param, repeat, restate, source
from shapeviz.models._encoder_only import scored
from shapeviz.models._plan import B, Layer, S, T, V, d_model

ENCODER_ALONE = ("encoder", "token")
Read = Callable[[Variable, Variable], Variable]


@dataclass(frozen=True)
class Stack:
    """One of the two: how many layers, how one is written, and what comes before the first and after the last.

    `layer` lacks its `attend`, to which the stack adds the shift of its positions, if it has one; `embed` makes vectors
    of ids and the table, `text` is its equation.
    """

    times: Expr
    layer: Layer
    attend: Layer
    embed: Callable[[Variable, Variable], Variable]
    text: str
    shift: Layer | None = None
    final_norm: Layer | None = None

    def run(self, ids: Variable, table: Variable, title: str, *memory: Variable) -> Variable:
        """The output of the last layer [B S d_model]."""
        x = self.embed(ids, table)
        attend = partial(self.attend, shift=self.shift(x, name="relative")) if self.shift else self.attend
        x = repeat(self.times, partial(self.layer, attend=attend), x, *memory, title=title)
        return self.final_norm(x, name="final_norm", title="Final norm") if self.final_norm else x

    def encoder(self) -> Layer:
        """The stack as a block that reads token ids [B S]."""

        @block(role="stack")
        def encoder(ids: Variable, table: Variable) -> Variable:
            """m = EncoderLayer^N_enc(W_E[ids])      (Vaswani et al. 2017, figure 1)"""
            restate(f"m = {self.equation('EncoderLayer^N_enc')}")
            return self.run(ids, table, "Encoder layer")

        return encoder

    def decoder(self) -> Layer:
        """The stack as a block that reads token ids [B T], and the encoder's output [B S d_model] if there is one."""

        @block(role="stack")
        def decoder(ids: Variable, table: Variable, memory: Variable | None = None) -> Variable:
            """y = DecoderLayer^N_dec(W_E[ids], m)      (Vaswani et al. 2017, figure 1)"""
            restate(f"y = {self.equation('DecoderLayer^N_dec', ', m' if memory else '')}")
            return self.run(ids, table, "Decoder layer", *([memory] if memory else []))

        return decoder

    def equation(self, layers: str, memory: str = "") -> str:
        """The stack's own equation, right of its equals sign."""
        inner = f"{layers}({self.text}{memory})"
        return f"Norm({inner})" if self.final_norm else inner


def encoder_decoder(
    encoding: Stack, decoding: Stack, task: str, read: Read, shared: bool = True
) -> Callable[[], Variable]:
    """The model function: source ids [B S] and target ids [B T] → what is read of the decoder's output [B T d_model].

    `shared` says whether both stacks have one token table. A task of the encoder alone leaves the decoder out.
    """
    encoder, decoder = encoding.encoder(), decoding.decoder()

    @block(role="model")
    def transformer() -> Variable:
        """y = Decoder(target, Encoder(source))"""
        table = param("W_E", V, d_model)
        y = encoder(source("source_ids", B, S, dtype="int64"), table)
        if task in ENCODER_ALONE:
            restate("m = Encoder(ids)")
            return read(y, table)
        other = table if shared else param("W_D", V, d_model)
        return read(decoder(source("target_ids", B, T, dtype="int64"), other, y), table)

    return transformer


def one_stack(run: Layer, read: Read, equation: str = "y = Decoder(ids)") -> Callable[[], Variable]:
    """The model function of an encoder or a decoder alone: token ids [B S] → what is read of its output."""

    @block(role="model")
    def transformer() -> Variable:
        """y = Stack(ids)"""
        restate(equation)
        table = param("W_E", V, d_model)
        return read(run(source("token_ids", B, S, dtype="int64"), table), table)

    return transformer


def classified(y: Variable, task: str, labels: Expr) -> Variable:
    """Scores for the whole sequence (by a second layer's vector of its last token), or for every token."""
    if task == "sequence":
        y = pooler(y, d_model, last=True, name="dense")
        return classifier(y, labels, name="sequence_classifier", title="Classifier")
    return scored(y, task, labels)


def target_limit(longest: int) -> Condition:
    """The target is no longer than that."""
    return Condition(f"T ≤ {longest}", T, "≤", Expr.of(longest), rule=True)
