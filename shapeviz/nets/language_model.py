"""The decoder-only language model of shapeviz.models.shapeviz_lm as a plain PyTorch module.

Suffixes of tensors: B batch, T tokens, L tokens seen so far, D model width, H heads, K width of a head, F feed-forward
width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from math import sqrt
from types import SimpleNamespace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shapeviz.models.shapeviz_lm import Config, check
from shapeviz.nets.cache import Cache

EPS = 1e-5
STD = 0.02  # of GPT-2's initial weights (Radford et al. 2019, section 2.3, and their code)
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "silu": F.silu,
    "relu2": lambda x: F.relu(x).square(),
}
Kernel = Literal["sdpa", "bmm"]
Keep = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Source = Callable[[str], torch.Generator | None]


class LanguageModel(nn.Module):
    """logits = Decoder(ids) W_Eᵀ (or W_Hᵀ): token ids [B T] → logits [B T V], T at most max_position_embeddings.

    `config` has the keys of shapeviz.models.shapeviz_lm; others are passed over. Raises SizeError and InputError for
    values that cannot be. A module of the class ShapevizLMModel, named here or under the key `architectures`, has no
    head and gives the final norm's result [B T D].

    The attribute `attention` chooses how attention is computed: "sdpa", or "bmm" by baddbmm, softmax and bmm, which is
    faster in bf16 on CPUs for blocks of up to some hundred tokens. With `wide` the sums behind the gradients of a
    LayerNorm and of the embedding are added up in float32 whatever the weights' own type, where a kernel would not.
    """

    main_input_name = "input_ids"
    base_model_prefix = ""
    made_of = "shapeviz"
    table: Tensor | None

    def __init__(self, config: Mapping[str, Any], class_name: str | None = None) -> None:
        super().__init__()
        c = Config(**{field.name: config[field.name] for field in fields(Config) if field.name in config})
        check(c)
        self.config = SimpleNamespace(**{field.name: getattr(c, field.name) for field in fields(c)})
        self.block_size, D = c.max_position_embeddings, c.hidden_size
        self.attention: Kernel = "sdpa"
        self.wide = False
        self.embedding = nn.Embedding(c.vocab_size, D)
        self.positions = nn.Embedding(self.block_size, D) if c.positions == "learned" else None
        self.drop = nn.Dropout(c.dropout)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.num_hidden_layers))
        self.final_norm = norm(c, D)
        named = class_name or next(iter(config.get("architectures") or []), "")
        self.head = None if named == "ShapevizLMModel" else nn.Linear(D, c.vocab_size, bias=False)
        if self.head is not None and c.tie_word_embeddings:
            self.head.weight = self.embedding.weight
        self.register_buffer("table", self._table(), persistent=False)
        self.fill()

    def _table(self) -> Tensor | None:
        """What rotary or sinusoidal positions are computed from."""
        config = self.config
        match config.positions:
            case "rotary":
                return rotary_table(config.hidden_size // config.num_attention_heads, self.block_size)
            case "sinusoidal":
                return sinusoidal_table(config.hidden_size, self.block_size)
        return None

    @torch.no_grad()
    def fill(self, source: Source = lambda _: None, put: Callable[[Tensor, Tensor], Any] = Tensor.copy_) -> None:
        """Gives all weights and tables their first values, whatever they held.

        Matrices are from N(0, 0.02²), those that end in the residual stream from N(0, 0.02² / 2N); biases are 0, gains
        1. `source` gives the generator for the weight of a name; `put` takes a weight and its values, one at a time.
        """
        depth = self.config.num_hidden_layers
        for name, weight in self.named_parameters():
            value = torch.ones(weight.shape)
            if weight.dim() == 2:
                std = STD / sqrt(2 * depth) if name.endswith("output.weight") else STD
                value.normal_(std=std, generator=source(name))
            elif name.endswith("bias"):
                value.zero_()
            put(weight, value)
        if self.table is not None and (table := self._table()) is not None:
            self.table.copy_(table)

    def cache(self, batch: int) -> Cache:
        """An empty cache for sequences of up to max_position_embeddings tokens."""
        config = self.config
        width = config.hidden_size // config.num_attention_heads
        like = self.embedding.weight
        return Cache(config.num_hidden_layers, batch, config.num_attention_heads, self.block_size, width, like)

    def widen(self) -> None:
        """Sets `wide`, here and in every LayerNorm."""
        self.wide = True
        for module in self.modules():
            if isinstance(module, LayerNorm):
                module.wide = True

    def forward(self, input_ids: Tensor, cache: Cache | None = None, last: bool = False) -> Tensor:
        """Ids [B T] → logits [B T V]; with a cache, ids are what follows the tokens in it, and are added to it.

        With `last` the logits are those of the last place alone, [B 1 V].
        """
        T, start = input_ids.shape[1], 0 if cache is None else cache.length
        table_VD = self.embedding.weight
        x_BTD = F.embedding(input_ids, table_VD.float()).to(table_VD.dtype) if self.wide else self.embedding(input_ids)
        places_T = torch.arange(start, start + T, device=input_ids.device)
        rotate = None
        if self.positions is not None:
            x_BTD = x_BTD + self.positions(places_T)
        elif self.table is not None and self.config.positions == "sinusoidal":
            x_BTD = x_BTD * sqrt(x_BTD.shape[-1]) + self.table[places_T].to(x_BTD.dtype)
        elif self.table is not None:
            rotate = self.table[:, places_T].to(x_BTD.dtype)
        x_BTD = self.drop(x_BTD)
        masked = T > 1 if start else self.attention == "bmm"
        mask_TL = causal_mask(T, start, x_BTD) if masked else None
        for i, layer in enumerate(self.layers):
            x_BTD = layer(x_BTD, mask_TL, rotate, None if cache is None else partial(cache.keep, i))
        if cache is not None:
            cache.length += T
        y_BTD: Tensor = self.final_norm(x_BTD[:, -1:] if last else x_BTD)
        return y_BTD if self.head is None else self.head(y_BTD)


class Layer(nn.Module):
    """x ← x + Attention(Norm(x));  x ← x + FFN(Norm(x))      (Xiong et al. 2020, table 1)"""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm = norm(config, config.hidden_size)
        self.attention = Attention(config)
        self.feed_forward_norm = norm(config, config.hidden_size)
        self.feed_forward = FeedForward(config)

    def forward(self, x_BTD: Tensor, *how: Any) -> Tensor:
        """[B T D] → the same; `how` is what Attention takes."""
        x_BTD = x_BTD + self.attention(self.attention_norm(x_BTD), *how)
        y_BTD: Tensor = self.feed_forward(self.feed_forward_norm(x_BTD))
        return x_BTD + y_BTD


class Attention(nn.Module):
    """Concat(head_1, …, head_H) W_O,  head_i = softmax(Q_i K_iᵀ / √K) V_i over the tokens so far."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        D, self.H = c.hidden_size, c.num_attention_heads
        self.query_key_value = nn.Linear(D, 3 * D, bias=c.bias)
        self.heads_norm = HeadsNorm(D // self.H) if c.qk_norm else None
        self.output = nn.Linear(D, D, bias=c.bias)
        self.drop = nn.Dropout(c.dropout)

    def forward(self, x_BTD: Tensor, mask_TL: Tensor | None, rotate: Tensor | None, keep: Keep | None) -> Tensor:
        """[B T D] → the same, by products written out if there is a mask, which is -∞ for what comes later.

        Without one the tokens must be the first of all, or a single one. `rotate` are the angles' cos and sin; `keep`
        adds keys and values to a cache and gives all there are.
        """
        B, T, D = x_BTD.shape
        qkv_3BHTK = self.query_key_value(x_BTD).view(B, T, 3, self.H, D // self.H).permute(2, 0, 3, 1, 4)
        qk_2BHTK, v_BHTK = qkv_3BHTK[:2], qkv_3BHTK[2]
        if self.heads_norm is not None:
            qk_2BHTK = self.heads_norm(qk_2BHTK)
        if rotate is not None:
            qk_2BHTK = apply_rotary(qk_2BHTK, rotate)
        q_BHTK, k_BHTK = qk_2BHTK
        k_BHLK, v_BHLK = (k_BHTK, v_BHTK) if keep is None else keep(k_BHTK, v_BHTK)
        p = self.drop.p if self.training else 0.0
        if mask_TL is not None:
            y_BHTK = manual_attention(q_BHTK, k_BHLK, v_BHLK, mask_TL, p)
        else:
            first = k_BHLK.shape == k_BHTK.shape
            y_BHTK = F.scaled_dot_product_attention(q_BHTK, k_BHLK, v_BHLK, dropout_p=p, is_causal=first)
        y_BTD: Tensor = self.drop(self.output(y_BHTK.transpose(1, 2).reshape(B, T, D)))
        return y_BTD


class HeadsNorm(nn.Module):
    """γ ⊙ x / √(mean(x²) + ε) of every head's queries and keys, with a γ of K for all of either (Henry et al. 2020)"""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2 * width))

    def forward(self, qk_2BHTK: Tensor) -> Tensor:
        """Queries and keys [2 B H T K] → the same."""
        K = qk_2BHTK.shape[-1]
        return F.rms_norm(qk_2BHTK, (K,), eps=EPS) * self.weight.view(2, 1, 1, 1, K)


class FeedForward(nn.Module):
    """FFN(x) = σ(x W_1) W_2, or (σ(x W_gate) ⊙ x W_up) W_2 with both in one matrix      (Shazeer 2020, eq. 6)"""

    def __init__(self, config: Config) -> None:
        super().__init__()
        D, width = config.hidden_size, config.intermediate_size or 4 * config.hidden_size
        self.gated, self.activation = config.gated, ACTIVATIONS[config.activation]
        self.input = nn.Linear(D, 2 * width if config.gated else width, bias=config.bias)
        self.output = nn.Linear(width, D, bias=config.bias)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """[B T D] → the same."""
        y_BTF = self.input(x_BTD)
        if self.gated:
            gate_BTF, up_BTF = y_BTF.chunk(2, dim=-1)
            h_BTF = self.activation(gate_BTF) * up_BTF
        else:
            h_BTF = self.activation(y_BTF)
        y_BTD: Tensor = self.drop(self.output(h_BTF))
        return y_BTD


class LayerNorm(nn.LayerNorm):
    """γ ⊙ (x - μ) / √(σ² + ε) + β      (Ba et al. 2016); with `wide` in float32, also for narrower weights.

    PyTorch's kernel for CPUs adds up the gradients of γ and β in the type of x: in bfloat16 most of a long sum is lost.
    """

    wide = False

    def forward(self, input: Tensor) -> Tensor:
        """[… D] → the same."""
        if not self.wide:
            return super().forward(input)
        bias = None if self.bias is None else self.bias.float()
        return F.layer_norm(input.float(), self.normalized_shape, self.weight.float(), bias, self.eps).to(input.dtype)


def norm(config: Config, width: int) -> nn.Module:
    """LayerNorm or RMSNorm over the last axis, as the configuration says."""
    return nn.RMSNorm(width, eps=EPS) if config.norm == "rms" else LayerNorm(width, bias=config.bias)


def manual_attention(q_BHTK: Tensor, k_BHLK: Tensor, v_BHLK: Tensor, mask_TL: Tensor, dropout: float = 0.0) -> Tensor:
    """softmax(Q Kᵀ / √K + mask) V, written out: three products over batch and heads at once → [B H T K]."""
    B, H, T, K = q_BHTK.shape
    q, k, v = (x.reshape(B * H, -1, K) for x in (q_BHTK, k_BHLK, v_BHLK))
    weights = torch.baddbmm(mask_TL, q, k.mT, alpha=1 / sqrt(K)).softmax(dim=-1)
    if dropout:
        weights = F.dropout(weights, dropout)
    return torch.bmm(weights, v).view(B, H, T, K)


def causal_mask(T: int, start: int, like: Tensor) -> Tensor:
    """The mask of T queries after `start` tokens: 0 for what a query may see, -∞ for what comes later; [T start+T]."""
    return torch.full((T, start + T), -torch.inf, dtype=like.dtype, device=like.device).triu(start + 1)


def apply_rotary(qk_2BHTK: Tensor, rotate: Tensor) -> Tensor:
    """RoPE(x, m) = R_m x: features i and i + K/2 turned by m·θ_i      (Su et al. 2021, section 3.2.2)"""
    cos, sin = rotate
    x, y = qk_2BHTK.chunk(2, dim=-1)
    return torch.cat((x * cos - y * sin, y * cos + x * sin), dim=-1)


def rotary_table(width: int, length: int) -> Tensor:
    """cos and sin of m·θ_i for heads of that width, θ_i = 10000^(-2i/width): [2 length width/2]."""
    θ = 10000.0 ** (-torch.arange(0, width, 2).float() / width)
    turns = torch.outer(torch.arange(length).float(), θ)
    return torch.stack((turns.cos(), turns.sin()))


def sinusoidal_table(width: int, length: int) -> Tensor:
    """PE(m, 2i) = sin(m·θ_i), PE(m, 2i + 1) = cos(m·θ_i): [length width]      (Vaswani et al. 2017, section 3.5)"""
    cos, sin = rotary_table(width, length)
    return torch.stack((sin, cos), dim=-1).flatten(1)[:, :width]
