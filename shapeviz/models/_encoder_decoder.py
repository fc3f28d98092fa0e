"""An encoder, and a decoder that reads it, under one of the usual heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from shapeviz.blocks.attention import MultiHead
from shapeviz.blocks.sublayer import Attend, Layer, Norm
from shapeviz.expr import Expr
from shapeviz.ir import Condition
from shapeviz.lang import Variable, block, input_, param, repeat, state, term, write
from shapeviz.models._letters import B, S, T, V, d_model

if TYPE_CHECKING:  # most models have none
    from shapeviz.blocks.relative import Relative

ENCODER_ALONE = ("encoder", "token")
Read = Callable[[Variable, Variable], Variable]
Encode = Callable[..., Variable]


class Stack(NamedTuple):
    """One of the two: how many layers, how one is written, and what comes before the first and after the last.

    `layer` makes one of its `attend`, to which the stack adds the shift of its positions, if it has one; `embed` makes
    vectors of ids and the table.
    """

    times: Expr
    layer: Callable[[Attend], Layer]
    attend: MultiHead
    embed: Callable[[Variable, Variable], Variable]
    shift: Relative | None = None
    final_norm: Norm | None = None

    def run(self, ids: Variable, table: Variable, title: str, *memory: Variable) -> Variable:
        """The output of the last layer [B S d_model], after the final norm."""
        first = self.embed(ids, table)
        attend = self.shift.added_to(self.attend, first) if self.shift else self.attend
        x = repeat(self.times, self.layer(attend), first, *memory, title=title)
        read = ", m" * len(memory)
        write(x, f"{title.title().replace(' ', '')}^{self.times}({{0}}{read})", first)
        return self.final_norm(x, name="final_norm", title="Final norm") if self.final_norm else x

    def encoder(self) -> Encode:
        """The stack as a block that reads token ids [B S]."""

        @block(role="stack", term="Encoder({ids})")
        def encoder(ids: Variable, table: Variable) -> Variable:
            """m = EncoderLayer^N_enc(W_E[ids])"""
            return state("m", self.run(ids, table, "Encoder layer"))

        return encoder

    def decoder(self) -> Encode:
        """The stack as a block that reads token ids [B T], and the encoder's output [B S d_model] if there is one."""

        @block(role="stack")
        def decoder(ids: Variable, table: Variable, memory: Variable | None = None) -> Variable:
            """y = DecoderLayer^N_dec(W_E[ids], m)"""
            term("Decoder({ids}, {memory})" if memory else "Decoder({ids})")
            return state("y", self.run(ids, table, "Decoder layer", *([memory] if memory else [])))

        return decoder


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
        y = encoder(write(input_("source_ids", B, S, dtype="int64"), "source"), table)
        if task not in ENCODER_ALONE:
            other = table if shared else param("W_D", V, d_model)
            y = decoder(write(input_("target_ids", B, T, dtype="int64"), "target"), other, y)
        return read(state("y", y), table)

    return transformer


def one_stack(run: Encode, read: Read) -> Callable[[], Variable]:
    """The model function of an encoder or a decoder alone: token ids [B S] → what is read of its output."""

    @block(role="model")
    def transformer() -> Variable:
        """y = Stack(ids)"""
        table = param("W_E", V, d_model)
        y = run(write(input_("token_ids", B, S, dtype="int64"), "ids"), table)
        return read(state("y", y), table)

    return transformer


def target_limit(longest: int) -> Condition:
    """The target is no longer than that."""
    return Condition(f"T ≤ {longest}", T, "≤", Expr.of(longest), rule=True)
