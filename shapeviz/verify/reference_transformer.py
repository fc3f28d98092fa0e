"""The transformer once more, in plain PyTorch: the independent side of the proof, sharing no code with the symbols.

Every submodule carries the name of the row that it proves, a block or a single step in one:
`encoder.layer.0.self_attention.query_heads` is the first instance of `encoder.layer.self_attention.query_heads`.
Axes in the shape comments:
B batch · S, T lengths · D d_model · h heads · g key/value heads · r = h/g query heads of a group ·
k, v = d_k, d_v · V vocabulary.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from shapeviz.verify.steps import Add, CausalMask, MergeHeads, Multiply, Product, Scale, SplitHeads

if TYPE_CHECKING:
    from shapeviz.models.transformer import Config


def build(config: Config, *, device: str = "meta") -> nn.Module:
    """A PyTorch module of the same sizes and variants; on the meta device nothing is allocated.

    Inputs are token ids [B S] (and [B T] for a decoder beside an encoder), or vectors [B S D] if the vocabulary is not
    known. The output is the probabilities [B T V]; without a vocabulary or a decoder, what the last stack gives.
    """
    with torch.device(device):
        return Transformer(config)


class Attention(nn.Module):
    """softmax(Q Kᵀ / √d_k) V (Vaswani et al. 2017, eq. 1), spelt out so that every device counts its two products."""

    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.scores = Product(transposed=True)
        self.scale = Scale()
        self.mask = CausalMask() if causal else None
        self.weights = nn.Softmax(-1)
        self.weighted_values = Product()

    def forward(self, Q: Tensor, K: Tensor, V: Tensor) -> Tensor:
        if Q.dim() == 5:  # Q [B g r S k]: the r query heads of a group share the keys and values [B g 1 T k]
            K, V = K.unsqueeze(2), V.unsqueeze(2)
        scores = self.scale(self.scores(Q, K), K.size(-1))  # [B h S T] or [B g r S T]
        if self.mask:
            scores = self.mask(scores)
        return cast(Tensor, self.weighted_values(self.weights(scores), V))  # [B h S v] or [B g r S v]


class Rotary(nn.Module):
    """Turns the pair of features (i, i + d/2) at position m by m·10000^(-2i/d) (Su et al. 2021, section 3.2.2)."""

    def forward(self, x: Tensor) -> Tensor:  # [… S k]
        half = x.size(-1) // 2
        angle = _angles(x.size(-2), x.size(-1), x.device).to(x.dtype)  # [S k/2]
        one, other = x[..., :half], x[..., half:]
        return torch.cat((one * angle.cos() - other * angle.sin(), other * angle.cos() + one * angle.sin()), -1)


class MultiHead(nn.Module):
    """Concat(head_1, …, head_h) W_O (Vaswani et al. 2017, section 3.2.2), g key/value heads (Ainslie et al. 2023)."""

    def __init__(self, c: Config, *, causal: bool = False, rotary: bool = False) -> None:
        super().__init__()
        h, g = c.heads, c.kv_heads or c.heads
        d_k = c.d_k or c.d_model // c.heads
        d_v = c.d_v or d_k
        self.query = nn.Linear(c.d_model, h * d_k, bias=c.bias)
        self.key = nn.Linear(c.d_model, g * d_k, bias=c.bias)
        self.value = nn.Linear(c.d_model, g * d_v, bias=c.bias)
        self.query_heads = SplitHeads((g, h // g) if c.kv_heads else (h,), d_k)
        self.key_heads = SplitHeads((g,), d_k)
        self.value_heads = SplitHeads((g,), d_v)
        self.query_rotary = Rotary() if rotary else None
        self.key_rotary = Rotary() if rotary else None
        self.attention = Attention(causal)
        self.concat = MergeHeads()
        self.output = nn.Linear(h * d_v, c.d_model, bias=c.bias)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:  # [B S D], [B T D]
        Q = self.query_heads(self.query(x))  # [B h S k] or [B g r S k]
        K = self.key_heads(self.key(memory))  # [B g T k]
        V = self.value_heads(self.value(memory))  # [B g T v]
        if self.query_rotary and self.key_rotary:
            Q, K = self.query_rotary(Q), self.key_rotary(K)
        heads = self.attention(Q, K, V)  # [B h S v] or [B g r S v]
        return cast(Tensor, self.output(self.concat(heads)))  # [B S h·v], then [B S D]


class FeedForward(nn.Module):
    """max(0, x W_1 + b_1) W_2 + b_2 (Vaswani et al. 2017, eq. 2), with any number of hidden layers."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        self.layers = len(c.ff)
        widths = [c.d_model, *c.ff, c.d_model]
        for i, (d_in, d_out) in enumerate(pairwise(widths), 1):
            self.add_module(f"linear_{i}", nn.Linear(d_in, d_out, bias=c.bias))
            if i <= self.layers:
                self.add_module(numbered("relu", i), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:  # [B S D]
        for i in range(1, self.layers + 1):
            linear, relu = getattr(self, f"linear_{i}"), getattr(self, numbered("relu", i))
            x = relu(linear(x))  # [B S d_ff]
        return cast(Tensor, getattr(self, f"linear_{self.layers + 1}")(x))


class GatedFeedForward(nn.Module):
    """(SiLU(x W) ⊙ x V) W_2 (Shazeer 2020, eq. 6), with any number of hidden layers."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        self.layers = len(c.ff)
        widths = [c.d_model, *c.ff]
        for i, (d_in, d_out) in enumerate(zip(widths, c.ff, strict=False), 1):
            self.add_module(f"gate_{i}", nn.Linear(d_in, d_out, bias=c.bias))
            self.add_module(numbered("silu", i), nn.SiLU())
            self.add_module(f"up_{i}", nn.Linear(d_in, d_out, bias=c.bias))
            self.add_module(numbered("multiply", i), Multiply())
        self.down = nn.Linear(widths[-1], c.d_model, bias=c.bias)

    def forward(self, x: Tensor) -> Tensor:  # [B S D]
        for i in range(1, self.layers + 1):
            gate, up = getattr(self, f"gate_{i}"), getattr(self, f"up_{i}")
            silu, multiply = getattr(self, numbered("silu", i)), getattr(self, numbered("multiply", i))
            x = multiply(silu(gate(x)), up(x))  # [B S d_ff]
        return cast(Tensor, self.down(x))


class Layer(nn.Module):
    """Self-attention, cross-attention if there is a memory, feed-forward; each with a residual and a norm.

    The norm comes after the sum (Vaswani et al. 2017, section 3.1) or before the sublayer (Xiong et al. 2020, table 1).
    """

    def __init__(self, c: Config, *, causal: bool, cross: bool) -> None:
        super().__init__()
        self.pre = c.norm_position == "pre"
        self.self_attention = MultiHead(c, causal=causal, rotary=c.positions == "rotary")
        self.add = Add()
        self.self_attention_norm = norm(c)
        self.cross_attention = MultiHead(c) if cross else None
        self.add_2 = Add()
        self.cross_attention_norm = norm(c) if cross else None
        self.feed_forward = GatedFeedForward(c) if c.gated else FeedForward(c)
        self.add_3 = Add() if cross else None
        self.feed_forward_norm = norm(c)

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:  # [B T D], [B S D]
        return self._norm_first(x, memory) if self.pre else self._norm_last(x, memory)

    def _norm_last(self, x: Tensor, memory: Tensor | None) -> Tensor:
        x = self.self_attention_norm(self.add(x, self.self_attention(x, x)))
        if self.cross_attention and self.cross_attention_norm:
            x = self.cross_attention_norm(self.add_2(x, self.cross_attention(x, memory)))
        add = self.add_3 or self.add_2
        return cast(Tensor, self.feed_forward_norm(add(x, self.feed_forward(x))))

    def _norm_first(self, x: Tensor, memory: Tensor | None) -> Tensor:
        normed = self.self_attention_norm(x)
        x = self.add(x, self.self_attention(normed, normed))
        if self.cross_attention and self.cross_attention_norm:
            x = self.add_2(x, self.cross_attention(self.cross_attention_norm(x), memory))
        add = self.add_3 or self.add_2
        return cast(Tensor, add(x, self.feed_forward(self.feed_forward_norm(x))))


class Sinusoidal(nn.Module):
    """Adds sin(pos / 10000^(2i/D)) to even features and the cosine to odd ones (Vaswani et al. 2017, section 3.5)."""

    def forward(self, x: Tensor) -> Tensor:  # [B S D]
        length, width = x.size(-2), x.size(-1)
        angle = _angles(length, width, x.device)
        waves = torch.stack((angle.sin(), angle.cos()), -1).flatten(-2)  # [S D], one feature more if D is odd
        return x + waves[:, :width].to(x.dtype)


class Learned(nn.Module):
    """Adds row pos of a trained table (Gehring et al. 2017, section 3.1)."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(length, width))

    def forward(self, x: Tensor) -> Tensor:  # [B S D]
        return x + self.weight[: x.size(1)]


class Stack(nn.Module):
    """Embedding, positions, layers and, in the pre-norm variant, a last norm (Vaswani et al. 2017, figure 1)."""

    def __init__(self, c: Config, layers: int, *, causal: bool, cross: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(c.vocab, c.d_model) if c.vocab else None
        self.positions = positions(c)
        self.layer = nn.ModuleList([Layer(c, causal=causal, cross=cross) for _ in range(layers)])
        self.final_norm = norm(c) if c.norm_position == "pre" else None

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:  # ids [B S] or vectors [B S D]
        x = self.embedding(x) if self.embedding else x
        x = self.positions(x) if self.positions else x
        for layer in self.layer:
            x = layer(x, memory)
        return self.final_norm(x) if self.final_norm else x  # [B S D]


class Transformer(nn.Module):
    """softmax(Decoder(target, Encoder(source)) W_Eᵀ), or one stack alone (Vaswani et al. 2017, figure 1)."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        self.encoder = Stack(c, c.enc, causal=False, cross=False) if c.enc else None
        self.decoder = Stack(c, c.dec, causal=True, cross=bool(c.enc)) if c.dec else None
        self.head = nn.Linear(c.d_model, c.vocab, bias=False) if c.dec and c.vocab else None
        self.softmax = nn.Softmax(-1) if self.head else None
        if c.tie:
            self._tie()

    def _tie(self) -> None:
        """One table for all embeddings and the head (Press & Wolf 2017)."""
        users = [stack.embedding for stack in (self.encoder, self.decoder) if stack] + [self.head]
        tables = [user for user in users if user is not None]
        for user in tables[1:]:
            user.weight = tables[0].weight

    def forward(self, *inputs: Tensor) -> Tensor:
        memory = self.encoder(inputs[0]) if self.encoder else None  # [B S D]
        if self.decoder is None:
            return cast(Tensor, memory)
        y: Tensor = self.decoder(inputs[-1], memory)  # [B T D]
        return cast(Tensor, self.softmax(self.head(y))) if self.head and self.softmax else y  # [B T V]


def numbered(name: str, i: int) -> str:
    """The name of the i-th step of a kind in a block: relu, relu_2."""
    return name if i == 1 else f"{name}_{i}"


def norm(c: Config) -> nn.Module:
    """LayerNorm with gain and bias (Ba et al. 2016), or RMSNorm with a gain (Zhang & Sennrich 2019)."""
    return nn.LayerNorm(c.d_model) if c.norm == "layer" else nn.RMSNorm(c.d_model)


def positions(c: Config) -> nn.Module | None:
    """What a stack adds to its embedding; rotary positions live in the attention instead."""
    if c.positions == "sinusoidal":
        return Sinusoidal()
    return Learned(c.max_len or longest(c), c.d_model) if c.positions == "learned" else None


def longest(c: Config) -> int:
    """The longest sequence that the configuration itself speaks of."""
    target = c.tgt_seq or c.seq
    return max(c.seq, target) if c.enc and c.dec else c.seq if c.enc else target


def _angles(length: int, width: int, device: torch.device) -> Tensor:
    """pos / 10000^(2i/width) for every position and every pair of features, [length width/2]."""
    speed = 10000.0 ** (-torch.arange(0, width, 2, device=device) / width)
    return torch.arange(length, device=device)[:, None] * speed
