"""A stack of decoder layers under one of the usual heads, as most families of language models are built."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shapeviz.blocks.embedding import embedding
from shapeviz.blocks.linear import classifier, head, linear
from shapeviz.blocks.sublayer import Norm, Step
from shapeviz.expr import Expr
from shapeviz.lang import Variable, block, input_, param, state, write
from shapeviz.models._letters import B, C, S, V, d_model
from shapeviz.models._plan import Layers, Stack

SIZES = {
    "V": "vocab_size", "N": "num_hidden_layers", "d_model": "hidden_size", "h": "num_attention_heads",
    "g": "num_key_value_heads", "d_ff": "intermediate_size",
}  # fmt: skip
"""The SYMBOLS of most families, but for what they have besides."""
ROTARY = {"rope_theta", "rope_scaling", "rope_parameters"}
USUAL_IGNORED = ROTARY | {"rms_norm_eps", "attention_dropout"}
"""Keys without effect: of rotary positions, of most families, of a head that none of our classes has."""
USUAL_MODULES = {
    "decoder.embedding": "embed_tokens",
    "decoder.*layer": "layers",
    "decoder.final_norm": "norm",
}
"""Where most implementations have what our paths name."""


def classes(name: str, *more: str, lm: str = "ForCausalLM") -> dict[str, str]:
    """The usual classes of a family of this name, each with its task.

    >>> classes("Olmo2")["Olmo2ForCausalLM"]
    'lm'
    """
    tasks = {lm: "lm", "Model": "", "ForSequenceClassification": "sequence"}
    others = {"ForTokenClassification": "token", "ForQuestionAnswering": "questions"}
    return {name + suffix: task for suffix, task in {**tasks, **{key: others[key] for key in more}}.items()}


def decoder_only(
    layers: Stack | Iterable[Layers],
    final_norm: Norm | None,
    task: str,
    tied: bool,
    head_bias: bool = False,
    embed: Step | None = None,
    width: Expr | None = None,
    project: Expr | None = None,
) -> Callable[[], Variable]:
    """The model function: token ids [B S] → logits [B S V], or what the task asks for.

    `embed` is what happens to the token vectors before the first layer; `width` is that of the tokens' table if it is
    not d_model, `project` the width to which the stack's output is mapped, if to any.
    """
    stack = Stack.of(layers)

    @block(role="stack", term="Decoder({ids})")
    def decoder(ids: Variable, table: Variable) -> Variable:
        """y = DecoderLayer^N(W_E[ids])"""
        x = embedding(ids, table, V)
        first = embed(x) if embed else x
        x = write(stack.run(first), "DecoderLayer^N({0})", first)
        x = final_norm(x, name="final_norm", title="Final norm") if final_norm else x
        y = x if project is None else linear(x, project, bias=False, letter="out", name="project_out")
        return state("y", y)

    @block(role="model")
    def language_model() -> Variable:
        """y = Decoder(ids)"""
        table = param("W_E", V, d_model if width is None else width)
        y = decoder(write(input_("token_ids", B, S, dtype="int64"), "ids"), table)
        match task:
            case "lm":
                return state("logits", head(y, table if tied else param("W_H", V, table.shape[-1]), V, head_bias))
            case "sequence":
                return state("scores", classifier(y, C, bias=False, name="classifier"))
            case "token" | "questions":
                return state("scores", classifier(y, 2 if task == "questions" else C, name="classifier"))
        return state("y", y)

    return language_model
