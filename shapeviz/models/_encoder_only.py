"""A stack of encoder layers under one of the usual heads, as BERT and its descendants are built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.embedding import embedding
from shapeviz.blocks.encoder import PostNorm
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.linear import classifier, head
from shapeviz.blocks.norm import layer_norm
from shapeviz.blocks.pooling import pooler, transform, unread
from shapeviz.blocks.position import learned, token_types
from shapeviz.blocks.sublayer import Layer, Norm
from shapeviz.expr import Expr
from shapeviz.lang import Variable, block, input_, param, repeat, state, write
from shapeviz.models._letters import B, C, P, S, V, d_ff, d_k, d_model, h
from shapeviz.models._plan import Layers

TASKS = {
    "Model": "", "ForMaskedLM": "mlm", "ForCausalLM": "mlm", "LMHeadModel": "mlm", "ForPreTraining": "pretraining",
    "ForNextSentencePrediction": "next", "ForSequenceClassification": "sequence", "ForTokenClassification": "token",
    "ForQuestionAnswering": "questions", "ForMultipleChoice": "choice",
}  # fmt: skip
USUAL = ("ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
n_types = Expr.of("n_types")
SIZES = {
    "V": "vocab_size", "P": "max_position_embeddings", "n_types": "type_vocab_size", "N": "num_hidden_layers",
    "d_model": "hidden_size", "h": "num_attention_heads", "d_ff": "intermediate_size",
}  # fmt: skip
"""The SYMBOLS of BERT and of those that name their keys as it does."""
TABLES = {
    "encoder.embedding": "embeddings.word_embeddings", "encoder.token_types": "embeddings.token_type_embeddings",
    "encoder.positions": "embeddings.position_embeddings", "encoder.embedding_norm": "embeddings.LayerNorm",
}  # fmt: skip
"""Where they have the first of what our paths name."""

Inputs = tuple[Variable, Variable | None]
Embed = Callable[[Variable, Variable | None], Variable]


def classes(name: str, *more: str) -> dict[str, str]:
    """The usual classes of a family of this name, each with its task: the bare model first.

    >>> classes("Bert", "ForMultipleChoice")["BertForMultipleChoice"]
    'choice'
    """
    return {name + suffix: TASKS[suffix] for suffix in ("Model", *USUAL, "ForMultipleChoice", *more)}


def scored(y: Variable, task: str, labels: Expr) -> Variable:
    """Scores of every token: for its label, or for being the first and the last of an answer."""
    name, title = ("span", "Answer span") if task == "questions" else ("classifier", "Classifier")
    return classifier(y, labels, name=name, title=title)


def classified(y: Variable, task: str, labels: Expr) -> Variable:
    """Scores for the whole sequence (by a second layer's vector of its last token), or for every token."""
    if task == "sequence":
        y = pooler(y, d_model, last=True, name="dense")
        return state("scores", classifier(y, labels, name="sequence_classifier", title="Classifier"))
    return state("scores", scored(y, task, labels))


@dataclass(frozen=True)
class TaskHeads:
    """What a family's classes put on the encoder's output.

    `pooled` says whether the bare model has a pooler, `pools` how the vector that a task reads is called and `pool` the
    function in it; `width` is that of the token table; `pair` is the second head of pretraining, which tells how two
    sentences belong together, and `pairs` its labels. An untied head of PyTorch's keeps a bias that is read by nothing
    (`spare`).
    """

    activation: str
    tied: bool
    pooled: bool = True
    pools: Mapping[str, str] = field(default_factory=dict)
    pool: str = "tanh"
    width: Expr = d_model
    pair: str = "next_sentence"
    pairs: Expr = field(default_factory=lambda: Expr.of(2))
    spare: bool = True

    def read(self, task: str, y: Variable, table: Variable | None) -> Variable:
        """Pooled vector, logits or scores: what the task asks for of y [B S d_model]."""
        match task:
            case "mlm":
                return self._logits(y, table)
            case "pretraining":
                vector = pooler(y, d_model)
                logits = self._logits(y, table)
                classifier(vector, self.pairs, name=self.pair, title=_words(self.pair))
                return logits
            case "token" | "questions":
                return scored(y, task, C)
            case "next" | "sequence" | "choice":
                vector = pooler(y, d_model, self.pool, name=self.pools.get(task, "pooler"))
                labels = {"next": Expr.of(2), "choice": Expr.of(1)}.get(task, C)
                name = self.pair if task == "next" else "classifier"
                return classifier(vector, labels, name=name, title=_words(name))
        if not self.pooled:
            return y
        return pooler(y, d_model)

    def _logits(self, y: Variable, table: Variable | None) -> Variable:
        """The masked language model's logits over the vocabulary."""
        words = table if table and self.tied else param("W_H", V, self.width)
        logits = head(transform(y, self.width, self.activation), words, V, bias=True)
        return logits if self.tied or not self.spare else unread(logits, V, name="spare_bias")


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def token_inputs(width: Expr = d_model) -> Inputs:
    """Token ids [B S], and the table [V width] of their vectors."""
    return write(input_("token_ids", B, S, dtype="int64"), "ids"), param("W_E", V, width)


def sum_of_tables(ids: Variable, table: Variable | None, types: bool = True) -> Variable:
    """LayerNorm(W_E[ids] + W_T[types] + W_P), the types only if there are any."""
    assert table is not None
    x = embedding(ids, table, V)
    x = token_types(x, n_types, name="token_types") if types else x
    return layer_norm(learned(x, P, name="positions"), name="embedding_norm", title="Embedding norm")


def encoder_only(
    layers: Iterable[Layers],
    embed: Embed,
    read: Callable[[Variable, Variable | None], Variable],
    take: Callable[[], Inputs] = token_inputs,
    final_norm: Norm | None = None,
    copies: Expr | None = None,
) -> Callable[[], Variable]:
    """The model function: token ids [B S], or what else it takes → what is read of the encoder's output.

    `embed` makes vectors of the input; `copies` is how many sets of weights all layers share.
    """
    stack = tuple(layers)

    @block(role="stack", term="Encoder({ids})")
    def encoder(ids: Variable, table: Variable | None = None) -> Variable:
        """y = EncoderLayer^N(W_E[ids])"""
        y = first = embed(ids, table)
        for layers in stack:
            y = repeat(layers.times, layers.layer, y, copies=copies, name=layers.name, title=layers.title)
        write(y, "EncoderLayer^N({0})", first)
        y = final_norm(y, name="final_norm", title="Final norm") if final_norm else y
        return state("y", y)

    @block(role="model")
    def encoder_model() -> Variable:
        """y = Encoder(ids)"""
        x, table = take()
        y = read(encoder(x, table), table)
        return state("y", y)

    return encoder_model


def post_norm(activation: str) -> Layer:
    """A layer of BERT's kind: attention and feed-forward network with biases, the norm after each."""
    return PostNorm(MultiHead(Heads(h, h, d_k, d_k)), FeedForward((d_ff,), activation=activation), layer_norm)


def letters(task: str) -> dict[str, str]:
    """What the letters mean that only these families have, or mean otherwise."""
    return {"n_types": "token types"} | ({"B": "batch × choices"} if task == "choice" else {})
