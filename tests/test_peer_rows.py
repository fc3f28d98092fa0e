"""The twenty rows of models that no shipped counter passes: the trace gives the hand count of each, as a polynomial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch_oracles import measured, parameters  # noqa: E402
from torch_zoo import IDS, PAIR, Case, Point, pretrained, resnet  # noqa: E402

import shapeviz  # noqa: E402
from shapeviz.expr import Expr  # noqa: E402


@dataclass(frozen=True, kw_only=True)
class Peer(Case):
    """A row: the hand formula, the MACs that it gives `at` the table's point, and how the module is traced."""

    macs: Callable[..., Any]
    exact: int
    params: int
    device: str = "cpu"
    grad: bool = True

    @property
    def at(self) -> Point:
        """The table's point: two sequences of 128 tokens, or two pictures; the big row is 32 of 4096."""
        sizes = (32, 4096) if self.name.endswith("big") else (2, 128)
        return dict(zip(self.dims, (*sizes, sizes[-1]), strict=False))


class Attention(nn.Module):
    """Multi-head attention of width heads × 128, its products spelt in one of three ways."""

    def __init__(self, d: int, heads: int, d_k: int, spelling: str) -> None:
        super().__init__()
        self.heads, self.spelling = heads, spelling
        self.query, self.key, self.value = (nn.Linear(d, heads * d_k) for _ in range(3))
        self.out = nn.Linear(heads * d_k, d)

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        projected = (self.query(x), self.key(memory), self.value(memory))
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in projected)
        return self.out(self.attended(q, k, v).transpose(1, 2).flatten(2))

    def attended(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        match self.spelling:
            case "matmul":
                return torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v
            case "einsum":
                scores = torch.einsum("bhqd,bhkd->bhqk", q, k) / q.shape[-1] ** 0.5
                return torch.einsum("bhqk,bhkd->bhqd", scores.softmax(-1), v)
        return F.scaled_dot_product_attention(q, k, v)


class Layer(nn.Module):
    """A layer of encoder or decoder: attentions and a feed-forward part, each added and normalised after or before."""

    def __init__(self, d: int, attentions: Sequence[nn.Module], ff: nn.Module, pre: bool = False) -> None:
        super().__init__()
        self.attentions, self.ff, self.pre = nn.ModuleList(attentions), ff, pre
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(len(attentions) + 1))

    def forward(self, x: torch.Tensor, memory: torch.Tensor | None = None) -> torch.Tensor:
        for i, norm in enumerate(self.norms):
            y = norm(x) if self.pre else x
            y = self.ff(y) if i == len(self.attentions) else self.attentions[i](y, memory if i else y)
            x = x + y if self.pre else norm(x + y)
        return x


class EncoderDecoder(nn.Module):
    """Six layers of encoder and eight of decoder, 1024 wide, 6 heads of 128, feed-forward 1024-512-512-1024."""

    def __init__(self, spelling: str) -> None:
        super().__init__()
        self.spelling = spelling
        self.encoder = nn.ModuleList(Layer(1024, self.attentions(1), self.ff()) for _ in range(6))
        self.decoder = nn.ModuleList(Layer(1024, self.attentions(2), self.ff()) for _ in range(8))

    def attentions(self, n: int) -> list[nn.Module]:
        return [Attention(1024, 6, 128, self.spelling) for _ in range(n)]

    def ff(self) -> nn.Module:
        return nn.Sequential(nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 1024))

    def forward(self, src: torch.Tensor, tgt: torch.Tensor) -> torch.Tensor:
        for layer in self.encoder:
            src = layer(src)
        for layer in self.decoder:
            tgt = layer(tgt, src)
        return tgt


class ViT(nn.Module):
    """ViT-B/16."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 768, 16, 16)
        self.token, self.positions = (nn.Parameter(torch.zeros(1, n, 768)) for n in (1, 197))
        self.layers = nn.ModuleList(Layer(768, [self.attention()], self.ff(), pre=True) for _ in range(12))
        self.norm, self.head = nn.LayerNorm(768), nn.Linear(768, 1000)

    def attention(self) -> nn.Module:
        return Attention(768, 12, 64, "sdpa")

    def ff(self) -> nn.Module:
        return nn.Sequential(nn.Linear(768, 3072), nn.GELU(), nn.Linear(3072, 768))

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        x = self.patches(pixel_values).flatten(2).mT
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x)[:, 0])


def attention(d: int, inner: int, Q: Any, K: Any) -> Any:
    """MACs of attention from Q positions to K: query and out, key and value, both products."""
    return 2 * Q * d * inner + 2 * K * d * inner + 2 * Q * K * inner


def transformer(B: Any, S: Any, T: Any) -> Any:
    """Six and six layers, 512 wide, feed-forward 2048."""
    feed = 2 * 512 * 2048
    encoder, decoder = attention(512, 512, S, S) + S * feed, attention(512, 512, T, T) + T * feed
    return B * 6 * (encoder + decoder + attention(512, 512, T, S))


def t5(B: Any, S: Any, T: Any) -> Any:
    return transformer(B, S, T) + B * T * 512 * 32128


def encoder_decoder(B: Any, S: Any, T: Any) -> Any:
    feed, attended = 1024 * 512 + 512**2 + 512 * 1024, partial(attention, 1024, 768)
    return B * (6 * (attended(S, S) + S * feed) + 8 * (attended(T, T) + attended(T, S) + T * feed))


def gpt2(B: Any, S: Any) -> Any:
    return B * 12 * (attention(768, 768, S, S) + S * 8 * 768**2)


def gpt2_with_head(B: Any, S: Any) -> Any:
    return gpt2(B, S) + B * S * 768 * 50257


def llama(B: Any, S: Any) -> Any:
    return B * (32 * (attention(4096, 4096, S, S) + 3 * S * 4096 * 11008) + S * 4096 * 32000)


def vit(B: Any) -> Any:
    return B * (12 * (attention(768, 768, 197, 197) + 197 * 8 * 768**2) + 196 * 768 * 3 * 16**2 + 768 * 1000)


def resnet18(B: Any) -> Any:
    """Stem; then in every stage four 3×3 convolutions, the first from half the width, and a 1×1 around them."""
    stages = [(64, 56), (128, 28), (256, 14), (512, 7)]
    first = 112**2 * 3 * 64 * 49 + 56**2 * 64**2 * 9 + sum(n**2 * (c // 2) * c * 10 for c, n in stages[1:])
    return B * (first + sum(n**2 * c**2 * 9 * 3 for c, n in stages) + 512 * 1000)


def mixtral(B: Any, S: Any) -> Any:
    """Query and out, key and value of two heads in eight, router, two experts of three matrices a token."""
    attended = 2 * B * S * 256**2 + 2 * B * S * 256 * 64 + 2 * B * S**2 * 256
    return 4 * (attended + B * S * 256 * 8 + B * S * 2 * 3 * 256 * 512) + B * S * 256 * 1000


def plain() -> nn.Module:
    return nn.Transformer(512, 8, 6, 6, 2048, batch_first=True).eval()


def hugging(name: str, kernels: dict[str, str] = {}, **sizes: Any) -> dict[str, Any]:  # noqa: B006
    return {"build": partial(pretrained, name, kernels, sizes), "needs": "transformers"}


EAGER, EAGER_EXPERTS = {"attn_implementation": "eager"}, {"experts_implementation": "eager"}
MASKED = {**IDS, "attention_mask": "int64[B,S]"}
MIXTRAL = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 8}
MIXTRAL |= {"num_key_value_heads": 2, "vocab_size": 1000, "num_local_experts": 8, "num_experts_per_tok": 2}
NN = {"build": plain, "inputs": {"src": "float32[B,S,512]", "tgt": "float32[B,T,512]"}}
NN |= {"macs": transformer, "exact": 11_878_268_928, "params": 44_140_544}
OWN = {"inputs": {"src": "float32[B,S,1024]", "tgt": "float32[B,T,1024]"}, "macs": encoder_decoder, "ours": True}
OWN |= {"exact": 23_521_656_832, "params": 87_731_712}
BIG = {**OWN, "exact": 29_618_094_473_216}
LM = {"inputs": IDS, "macs": gpt2_with_head, "exact": 32_228_179_968, "params": 124_439_808}
LLAMA = {"macs": llama, "exact": 1_700_001_742_848, "params": 6_738_415_616, "device": "meta"}
T5 = {"inputs": PAIR, "macs": t5, "exact": 16_089_350_144, "params": 60_506_624}
T5 |= hugging("T5ForConditionalGeneration")
IMAGE = {"pixel_values": "float32[B,3,224,224]"}
VIT = {"build": ViT, "inputs": IMAGE, "macs": vit, "exact": 35_127_656_448, "params": 86_567_656, "ours": True}
RESNET = {"inputs": {"input": "float32[B,3,224,224]"}, "macs": resnet18, "exact": 3_628_146_688, "params": 11_689_512}
RESNET |= {"ours": True}
MOE = {"inputs": IDS, "macs": mixtral, "exact": 1_107_820_544, "params": 13_760_768}
PEERS = (
    Peer(name="a_nnT", **NN),
    Peer(name="a_nnT_nograd", grad=False, **NN),
    Peer(name="b_matmul", build=partial(EncoderDecoder, "matmul"), **OWN),
    Peer(name="b_einsum", build=partial(EncoderDecoder, "einsum"), **OWN),
    Peer(name="b_sdpa", build=partial(EncoderDecoder, "sdpa"), **OWN),
    Peer(name="b_sdpa_big", build=partial(EncoderDecoder, "sdpa"), device="meta", **BIG),
    Peer(name="c_gpt2", **{**LM, "macs": gpt2, "exact": 22_347_251_712}, **hugging("GPT2Model")),
    Peer(name="c_gpt2lm_sdpa", **LM, **hugging("GPT2LMHeadModel")),
    Peer(name="c_gpt2lm_eager", **LM, **hugging("GPT2LMHeadModel", EAGER)),
    Peer(name="c_gpt2lm_sdpa @ meta", device="meta", **LM, **hugging("GPT2LMHeadModel")),
    Peer(name="d_llama7b", inputs=IDS, **LLAMA, **hugging("LlamaForCausalLM")),
    Peer(name="d_llama7b_wa", inputs=MASKED, **LLAMA, **hugging("LlamaForCausalLM", EAGER)),
    Peer(name="e_t5s", **T5),
    Peer(name="e_t5s @ meta", device="meta", **T5),
    Peer(name="f_vitb16", **VIT),
    Peer(name="f_vitb16 @ meta", device="meta", **VIT),
    Peer(name="f_resnet18", build=lambda: resnet(64, 128, 256, 512, classes=1000).eval(), **RESNET),
    Peer(name="g_mixtral", **MOE, **hugging("MixtralForCausalLM", **MIXTRAL)),
    Peer(name="g_mixtral_eagerexp", **MOE, **hugging("MixtralForCausalLM", EAGER_EXPERTS, **MIXTRAL)),
    Peer(name="g_mixtral @ meta", device="meta", **MOE, **hugging("MixtralForCausalLM", **MIXTRAL)),
)  # fmt: skip
ROWS = {row.name: row for row in PEERS}


@cache
def traced(name: str) -> dict[str, Any]:
    """The totals of a row's trace."""
    row = ROWS[name]
    module = row.on(row.device)
    with torch.set_grad_enabled(row.grad):
        return dict(shapeviz.measure(shapeviz.trace(module, **row.inputs)).total)


def numeric(flops: Any) -> Expr:
    """The formula with the numbers of the module itself, such as d_model, written as numbers again."""
    return flops.subs({name: flops.sizes.numbers[name] for name in flops.sizes.fixed})


def test_there_are_twenty_rows_and_their_formulas_give_the_figures_of_the_table() -> None:
    assert 20 == len(PEERS) == len(ROWS)
    assert {row.name: row.exact for row in PEERS} == {row.name: row.macs(**row.at) for row in PEERS}


@pytest.mark.parametrize("name", ["a_nnT", "b_matmul", "b_einsum", "b_sdpa", "f_vitb16 @ meta", "f_resnet18"])
def test_the_hand_count_is_what_pytorch_counts_where_pytorch_counts_all(name: str) -> None:
    row = ROWS[name]
    module = row.on("meta")
    for point in row.points[:2]:
        assert 2 * row.macs(**point) == measured(module, row.inputs, point)[0]
    assert row.params == parameters(module)


@pytest.mark.parametrize("name", ROWS)
def test_the_trace_of_every_row_is_the_hand_count(name: str) -> None:
    row = ROWS[name]
    flops = traced(name)["flops"]
    assert 2 * row.exact == flops.at(row.at)
    for point in row.points:
        assert 2 * row.macs(**point) == flops.at(point)
    assert 2 * row.macs(**{size: Expr.symbol(size) for size in row.dims}) == numeric(flops)


@pytest.mark.parametrize("name", ROWS)
def test_the_trace_of_every_row_has_the_parameters_of_the_module_tied_ones_once(name: str) -> None:
    assert ROWS[name].params == traced(name)["params"].value


@pytest.mark.parametrize(
    "names",
    [
        ("b_matmul", "b_einsum", "b_sdpa", "b_sdpa_big"),
        ("c_gpt2lm_sdpa", "c_gpt2lm_sdpa @ meta"),
        ("e_t5s", "e_t5s @ meta"),
        ("f_vitb16", "f_vitb16 @ meta"),
        ("g_mixtral", "g_mixtral_eagerexp", "g_mixtral @ meta"),
        ("a_nnT", "a_nnT_nograd"),
        ("d_llama7b", "d_llama7b_wa"),
    ],
)
def test_spelling_device_experts_and_gradient_change_no_formula(names: Sequence[str]) -> None:
    first, *others = (traced(name) for name in names)
    for other in others:
        assert first["flops"] == other["flops"]
        assert first["params"] == other["params"]


def test_eager_attention_changes_no_number_of_gpt2() -> None:
    # the formulas may call 36,864 by other names: 3072·h where the heads are an axis of an operation
    sdpa, eager = traced("c_gpt2lm_sdpa"), traced("c_gpt2lm_eager")
    assert numeric(sdpa["flops"]) == numeric(eager["flops"])
    assert sdpa["params"] == eager["params"]
