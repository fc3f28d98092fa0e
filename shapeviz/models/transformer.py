"""The transformer of Vaswani et al. 2017: encoder-decoder, encoder-only and decoder-only, of any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from shapeviz.blocks.attention import multi_head
from shapeviz.blocks.decoder import decoder_layer, pre_norm_decoder_layer
from shapeviz.blocks.embedding import embedding
from shapeviz.blocks.encoder import encoder_layer, pre_norm_encoder_layer
from shapeviz.blocks.feed_forward import feed_forward, gated_feed_forward
from shapeviz.blocks.linear import head
from shapeviz.blocks.norm import layer_norm, rms_norm
from shapeviz.blocks.position import learned, rotary, sinusoidal
from shapeviz.expr import Expr, maximum
from shapeviz.ir import Model, Sizes
from shapeviz.lang import Variable, block, param, record, repeat, restate, softmax, source

LEGEND = {
    "B": "batch", "S": "source length", "T": "target length", "V": "vocabulary", "P": "longest sequence",
    "N_enc": "encoder layers", "N_dec": "decoder layers", "d_model": "model width", "h": "heads",
    "g": "key/value heads", "d_k": "query and key width of a head", "d_v": "value width of a head",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The sizes and variants of a transformer; the default is the 6 + 8 model.

    None means: derived (`kv_heads` = heads, `d_v` = d_k, `d_k` = d_model / heads, `tgt_seq` = seq, `max_len` = the
    longest sequence), or, for `vocab`, not known.
    """

    enc: int = 6
    dec: int = 8
    d_model: int = 1024
    heads: int = 6
    kv_heads: int | None = None
    d_k: int | None = 128
    d_v: int | None = None
    ff: tuple[int, ...] = (512, 512)
    gated: bool = False
    norm: str = "layer"
    norm_position: str = "post"
    bias: bool = True
    vocab: int | None = None
    tie: bool = True
    positions: str = "sinusoidal"
    max_len: int | None = None
    batch: int = 32
    seq: int = 4096
    tgt_seq: int | None = None
    name: str = "transformer"

    @property
    def title(self) -> str:
        if self.enc and self.dec:
            return "Encoder–decoder transformer"
        return "Encoder-only transformer" if self.enc else "Decoder-only transformer"

    @property
    def full_title(self) -> str:
        """The title, after the model's own name if it was given one."""
        return self.title if self.name == Config.name else f"{self.name}: {self.title}"


def build(config: Config, source_text: str = "sizes") -> Model:
    """The symbolic model of a configuration, with its numbers beside it."""
    sizes = _sizes(config)
    root = record(_transformer(config), sizes=sizes.resolve())
    legend = {name: text for name, text in LEGEND.items() if name in sizes.names}
    if not (config.enc and config.dec):
        legend["S"] = "sequence length"
    widths = {n: "feed-forward width" + (f" {n[4:]}" if len(n) > 4 else "") for n in _ff_names(config)}
    missing = {} if config.vocab else {"V": "the vocabulary is not given: --vocab N counts it"}
    if missing:
        legend["V"] = LEGEND["V"] + ", not given"
    return Model(
        config.name, config.full_title, source_text, root, sizes, {**legend, **widths}, missing, _notes(config), config
    )


def _notes(c: Config) -> tuple[str, ...]:
    """What was given and has no effect here."""
    idle = {
        "--tgt-seq has no effect: there is no decoder": c.tgt_seq and not c.dec,
        "--tgt-seq is the length of the only sequence; --seq has no effect": c.tgt_seq and not c.enc,
        "--max-len has no effect: only learned positions have a table": c.max_len and c.positions != "learned",
    }
    return tuple(text for text, given in idle.items() if given)


def _ff_names(config: Config) -> list[str]:
    return ["d_ff"] if len(config.ff) == 1 else [f"d_ff{i}" for i in range(1, len(config.ff) + 1)]


def _sizes(c: Config) -> Sizes:
    """Every number under its symbol; what was not given follows by a rule, or means another size."""
    two_lengths = bool(c.enc and c.dec)
    given: dict[str, Any] = {
        "B": c.batch,
        "S": c.seq if c.enc or c.tgt_seq is None else c.tgt_seq,
        "T": c.tgt_seq if two_lengths else None,
        "V": c.vocab,
        "P": c.max_len if c.positions == "learned" else None,
        "N_enc": c.enc or None,
        "N_dec": c.dec or None,
        "d_model": c.d_model,
        "h": c.heads,
        "g": c.kv_heads,
        "d_k": c.d_k,
        "d_v": c.d_v,
        **dict(zip(_ff_names(c), c.ff, strict=True)),
    }
    rules = {}
    if two_lengths and c.tgt_seq is None:
        rules["T"] = Expr.of("S")
    if c.positions == "learned" and c.max_len is None:
        rules["P"] = maximum("S", "T") if two_lengths else Expr.of("S")
    if c.d_k is None:
        rules["d_k"] = Expr.of("d_model") / "h"
    aliases = {name: other for name, other in (("g", "h"), ("d_v", "d_k")) if given[name] is None}
    values = {name: size for name, size in given.items() if size is not None}
    return Sizes(values, rules, aliases, tuple(given))


def _transformer(c: Config) -> Callable[[], Variable]:
    """The model function: the sizes become symbols, the variants choose among the blocks."""
    B, S, V, P, d_model, h, d_k = map(Expr.of, ("B", "S", "V", "P", "d_model", "h", "d_k"))
    g, d_v = Expr.of("g") if c.kv_heads else h, Expr.of("d_v") if c.d_v else d_k
    T = Expr.of("T") if c.enc and c.dec else S
    widths = tuple(map(Expr.of, _ff_names(c)))

    norm = {"layer": layer_norm, "rms": rms_norm}[c.norm]
    attend = partial(multi_head, h=h, g=g, d_k=d_k, d_v=d_v, bias=c.bias)
    turned = partial(attend, rotate=rotary) if c.positions == "rotary" else attend
    masked = partial(turned, mask="causal", title="Masked self-attention", cache=B * T)
    across = partial(attend, cache=B * S, grows=False)
    feed = partial(gated_feed_forward if c.gated else feed_forward, widths=widths, bias=c.bias)
    pre = c.norm_position == "pre"
    one_stream, two_streams = (
        (pre_norm_encoder_layer, pre_norm_decoder_layer) if pre else (encoder_layer, decoder_layer)
    )

    embedding_text = "W_E[ids]" + {"sinusoidal": " + PE", "learned": " + W_P"}.get(c.positions, "")

    table_text = "W_Eᵀ" if c.tie else "W_Hᵀ"

    def stack_text(layers: str, memory: str = "") -> str:
        inner = f"{layers}({embedding_text}{memory})"
        return f"Norm({inner})" if pre else inner

    def embedded(ids: Variable, table: Variable) -> Variable:
        x = embedding(ids, table, V)
        match c.positions:
            case "sinusoidal":
                x = sinusoidal(x, name="positions")
            case "learned":
                x = learned(x, P, name="positions")
        return x

    def other(table: Variable, name: str) -> Variable:
        return table if c.tie else param(name, V, d_model)

    @block(role="stack")
    def encoder(ids: Variable, table: Variable) -> Variable:
        """m = EncoderLayer^N_enc(W_E[ids] + PE)      (Vaswani et al. 2017, figure 1)"""
        restate(f"m = {stack_text('EncoderLayer^N_enc')}")
        x = embedded(ids, table)
        x = repeat("N_enc", one_stream, x, turned, feed, norm, title="Encoder layer")
        return norm(x, name="final_norm", title="Final norm") if pre else x

    @block(role="stack")
    def decoder(ids: Variable, table: Variable, memory: Variable | None = None) -> Variable:
        """y = DecoderLayer^N_dec(W_E[ids] + PE, m)      (Vaswani et al. 2017, figure 1)"""
        restate(f"y = {stack_text('DecoderLayer^N_dec', ', m' if memory else '')}")
        x = embedded(ids, table)
        if memory is None:
            x = repeat("N_dec", one_stream, x, masked, feed, norm, title="Decoder layer")
        else:
            x = repeat("N_dec", two_streams, x, memory, masked, across, feed, norm, title="Decoder layer")
        return norm(x, name="final_norm", title="Final norm") if pre else x

    @block(role="model")
    def transformer() -> Variable:
        """p = softmax(Decoder(target, Encoder(source)) W_Eᵀ)      (Vaswani et al. 2017, figure 1)"""
        table = param("W_E", V, d_model)
        if not c.dec:
            restate("m = Encoder(ids)")
            return encoder(source("token_ids", B, S, dtype="int64"), table)
        if not c.enc:
            restate(f"p = softmax(Decoder(ids) {table_text})")
            y = decoder(source("token_ids", B, S, dtype="int64"), table)
        else:
            restate(f"p = softmax(Decoder(target, Encoder(source)) {table_text})")
            memory = encoder(source("source_ids", B, S, dtype="int64"), table)
            y = decoder(source("target_ids", B, T, dtype="int64"), other(table, "W_E"), memory)
        return softmax(head(y, other(table, "W_H"), V))

    return transformer
