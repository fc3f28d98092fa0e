"""The transformer of Vaswani et al. 2017: encoder-decoder, encoder-only and decoder-only, of any size. It is built from
sizes (flags, a TOML file, keywords), so its keys are those of the glossary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from shapeviz.blocks.attention import CAUSAL, Cache, Heads, MultiHead, Scores
from shapeviz.blocks.decoder import PostNormDecoder, PreNormDecoder
from shapeviz.blocks.embedding import embedding
from shapeviz.blocks.encoder import PostNorm, PreNorm
from shapeviz.blocks.feed_forward import FeedForward, GatedFeedForward
from shapeviz.blocks.linear import head
from shapeviz.blocks.norm import layer_norm, rms_norm
from shapeviz.blocks.position import learned, rotary, sinusoidal
from shapeviz.blocks.sublayer import Norm
from shapeviz.expr import Expr, maximum
from shapeviz.keys import LARGEST, LINE, key, one_of, size
from shapeviz.lang import Variable, param, softmax, state
from shapeviz.models._encoder_decoder import Stack, encoder_decoder, one_stack
from shapeviz.models._letters import B, N_dec, N_enc, P, S, T, V, d_k, d_model, d_v, g, h
from shapeviz.models._nearest import WINDOW, Rules, nearest_sizes, refuse
from shapeviz.models._plan import Plan
from shapeviz.symbols import letters, meaning, numbered

CLASSES = {"Transformer": ""}


@dataclass(frozen=True)
class Config:
    """The sizes and variants of a transformer; the default is the 6 + 8 model.

    None means: derived (`kv_heads` = heads, `d_v` = d_k, `d_k` = d_model / heads, `tgt_seq` = seq, `max_len` = the
    longest sequence), or, for `vocab`, not known.
    """

    enc: int = size("N_enc", may_be_zero=True)
    dec: int = size("N_dec", may_be_zero=True)
    d_model: int = size("d_model")
    heads: int = size("h")
    kv_heads: int | None = size("g")
    d_k: int | None = size("d_k")
    d_v: int | None = size("d_v")
    ff: tuple[int, ...] = size("d_ff")
    gated: bool = key(False, help="Gated feed-forward: two matrices for every hidden width.")
    norm: str = key("layer", one_of("layer", "rms"), help="LayerNorm or RMSNorm.")
    norm_position: str = key(
        "post", one_of("post", "pre"), help="Norm after each residual sum, or before each sublayer."
    )
    bias: bool = key(True, help="Biases in the linear layers; norms keep theirs, the head has none.")
    vocab: int | None = size("V")
    tie: bool = key(True, help="One table for both embeddings and the head.")
    positions: str = key(
        "sinusoidal", one_of("none", "sinusoidal", "learned", "rotary"), help="How positions are encoded."
    )
    max_len: int | None = size("P")
    batch: int = size("B")
    seq: int = size("S")
    tgt_seq: int | None = size("T")
    name: str = key("transformer", LINE)

    @property
    def title(self) -> str:
        """What it is, after its own name if it was given one."""
        stacks = {(True, True): "Encoder–decoder", (True, False): "Encoder-only", (False, True): "Decoder-only"}
        title = f"{stacks[bool(self.enc), bool(self.dec)]} transformer"
        return title if self.name == Config.name else f"{self.name}: {title}"


SYMBOLS = letters(entry.name for entry in fields(Config))


def implied(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that sizes change which are given: a head's width follows from a width or heads of one's own where
    these divide, and the sequence is no longer than a table of positions."""
    more: dict[str, Any] = {}
    if "d_k" not in settings and settings.keys() & {"d_model", "heads"} and not _stays(settings):
        more["d_k"] = None
    if settings.get("positions") == "learned" and settings.get("max_len") and not settings.keys() & {"seq", "tgt_seq"}:
        more["seq"] = min(Config.seq, settings["max_len"])
    return more


def kept(settings: Mapping[str, Any]) -> dict[str, str]:
    """The letters whose default stays since nothing follows for them from the sizes given, each with why."""
    width, heads = _shared(settings)
    if "d_k" in settings or not _stays(settings) or (width, heads) == (Config.d_model, Config.heads):
        return {}
    why = f"d_model / heads = {width} / {heads} is no integer"
    return {"d_k": f"{why}: d_k = {Config.d_k} of the default stays; --d-k sets it"}


def _stays(settings: Mapping[str, Any]) -> bool:
    """True if the default d_k does: for the default's own width and heads, and where only one of them is given and
    their quotient is no integer. Who gives both means the quotient."""
    width, heads = _shared(settings)
    one = len(settings.keys() & {"d_model", "heads"}) == 1
    return (width, heads) == (Config.d_model, Config.heads) or bool(one and width % heads)


def _shared(settings: Mapping[str, Any]) -> tuple[int, int]:
    return settings.get("d_model", Config.d_model), settings.get("heads", Config.heads)


def check(c: Config) -> None:
    """Raises SizeError for sizes that do not go together, with the nearest that do."""
    refuse(c, RULES, MESSAGES)


def build(c: Config, task: str = "") -> Plan:
    """The plan of a transformer: without a vocabulary its embeddings and head are not counted."""
    both = bool(c.enc and c.dec)
    encoding, decoding = _stacks(c, T if both else S)
    if both:
        function = encoder_decoder(encoding, decoding, "lm", partial(_probabilities, c), shared=c.tie)
    elif c.enc:
        function = one_stack(encoding.encoder(), lambda y, table: y)
    else:
        function = one_stack(decoding.decoder(), partial(_probabilities, c))

    widths = numbered("d_ff", len(c.ff))
    values = dict(zip(widths, c.ff, strict=True))
    if c.tgt_seq and not c.enc:
        values["S"] = c.tgt_seq
    rules = {"d_k": d_model / h} if c.d_k is None else {}
    if c.positions == "learned" and c.max_len is None:
        rules["P"] = maximum(S, T) if both else S
    legend = {"S": "source length"} if both else {}
    missing = {} if c.vocab else {"V": "the vocabulary is not given: --vocab N counts it"}
    return Plan(
        function,
        rules,
        {letter: other for letter, other in ALIASES.items() if getattr(c, SYMBOLS[letter]) is None},
        values,
        legend={**legend, **{letter: f"{meaning(letter)}, not given" for letter in missing}},
        notes=_notes(c),
        missing=missing,
    )


ALIASES = {"g": "h", "d_v": "d_k"}  # what a letter means where it has no number of its own


def _stacks(c: Config, target: Expr) -> tuple[Stack, Stack]:
    """Encoder and decoder, which reads `target` tokens: the variants choose among the blocks."""
    groups, value_width = (g if c.kv_heads else h), (d_v if c.d_v else d_k)
    norm: Norm = {"layer": layer_norm, "rms": rms_norm}[c.norm]
    attend = MultiHead(Heads(h, groups, d_k, value_width, bias=c.bias))
    turned = replace(attend, rotate=rotary) if c.positions == "rotary" else attend
    masked = replace(turned, scores=Scores(CAUSAL), cache=Cache(B * target), title="Masked self-attention")
    cross = replace(attend, cache=Cache(B * S, grows=False))
    widths = tuple(map(Expr.of, numbered("d_ff", len(c.ff))))
    feed = (GatedFeedForward if c.gated else FeedForward)(widths, bias=c.bias)
    pre = c.norm_position == "pre"
    one, two = (PreNorm, PreNormDecoder) if pre else (PostNorm, PostNormDecoder)
    first = partial(one, feed=feed, norm=norm)
    second = partial(two, cross=cross, feed=feed, norm=norm) if c.enc else first

    stack = partial(Stack, embed=partial(_embed, c.positions), final_norm=norm if pre else None)
    return stack(N_enc, first, turned), stack(N_dec, second, masked)


def _embed(positions: str, ids: Variable, table: Variable) -> Variable:
    x = embedding(ids, table, V)
    match positions:
        case "sinusoidal":
            return sinusoidal(x, name="positions")
        case "learned":
            return learned(x, P, name="positions")
    return x


def _probabilities(c: Config, y: Variable, table: Variable) -> Variable:
    """Of the next token, by the head that reads the decoder."""
    p = softmax(head(y, table if c.tie else param("W_H", V, d_model), V))
    return state("p", p, "Vaswani et al. 2017, figure 1" if c.enc and c.tie else "")


def _notes(c: Config) -> tuple[str, ...]:
    """What was given and has no effect here."""
    idle = {
        "--tgt-seq has no effect: there is no decoder": c.tgt_seq and not c.dec,
        "--tgt-seq is the length of the only sequence; --seq has no effect": c.tgt_seq and not c.enc,
        "--max-len has no effect: only learned positions have a table": c.max_len and c.positions != "learned",
    }
    return tuple(text for text, applies in idle.items() if applies)


def _longest(c: Config) -> int:
    return max(c.seq if c.enc or c.tgt_seq is None else 0, (c.tgt_seq or 0) if c.dec else 0)


def _width(c: Config) -> int:
    return c.d_k or c.d_model // c.heads


RULES: Rules = {
    "layers": lambda c: not c.enc and not c.dec,
    "max_len": lambda c: c.positions == "learned" and c.max_len and c.max_len < _longest(c),
    "d_k": lambda c: c.d_k is None and c.d_model % c.heads,
    "groups": lambda c: c.kv_heads and c.heads % c.kv_heads,
    "rotary": lambda c: c.positions == "rotary" and _width(c) % 2,
}
"""What does not go together."""


def _no_layers(c: Config) -> str:
    return "--enc 0 --dec 0: a model needs a layer; give one of them at least 1"


def _too_long(c: Config) -> str:
    longest = _longest(c)
    return (
        f"--max-len {c.max_len}: a sequence of {longest} tokens does not fit; "
        f"at least --max-len {longest}, or at most --seq {c.max_len}"
    )


def _no_d_k(c: Config) -> str:
    whole, near = c.d_model // c.heads, min(c.heads, c.d_model)
    wide = range((whole + 1) * c.heads, LARGEST + 1, c.heads)
    options = [
        nearest_sizes(c, RULES, "heads", range(near, 0, -1), range(near + 1, c.d_model + 1)),
        nearest_sizes(c, RULES, "d_model", range(whole * c.heads, 0, -c.heads), wide),
        nearest_sizes(c, RULES, "d_k", range(max(whole, 1), 0, -1), range(max(whole, 1) + 1, LARGEST + 1)),
    ]
    return (
        f"--d-model {c.d_model} --heads {c.heads}: d_k = d_model / heads is no integer; "
        f"nearest possible: {', or '.join(filter(None, options))}"
    )


def _uneven_groups(c: Config) -> str:
    near = min(c.kv_heads or 1, c.heads)
    # 1 and all heads always divide, however far away they are
    below, above = [*range(near, 0, -1)[:WINDOW], 1], [*range(near, c.heads + 1)[:WINDOW], c.heads]
    return (
        f"--kv-heads {c.kv_heads}: {c.heads} query heads cannot share {c.kv_heads} key/value heads evenly; "
        f"nearest possible: {nearest_sizes(c, RULES, SYMBOLS['g'], below, above)}"
    )


def _odd_pairs(c: Config) -> str:
    width = _width(c)
    options = nearest_sizes(c, RULES, "d_k", range(width - 1, 0, -1), range(width + 1, LARGEST + 1))
    return f"d_k = {width}: rotary positions turn pairs, so d_k is even; nearest possible: {options}"


MESSAGES: Mapping[str, Callable[[Config], str]] = {
    "layers": _no_layers,
    "max_len": _too_long,
    "d_k": _no_d_k,
    "groups": _uneven_groups,
    "rotary": _odd_pairs,
}
