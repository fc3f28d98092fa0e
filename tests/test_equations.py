"""The equation of every block of every bundled model has all weights and all operations of the block, and a citation
only if the paper has it; `data/equations.txt` shows each pair once, for a human to review."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import shapeviz
from shapeviz import published
from shapeviz.ir import Block, Op

GOLDEN = Path(__file__).parent / "data" / "equations.txt"
GELU = dict.fromkeys(("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"), "GELU(")
OPERATIONS = GELU | {
    "add": " + ", "multiply": " ⊙ ", "scale": "√", "softmax": "softmax(", "sigmoid": "σ(", "relu": "max(0, ",
    "silu": ("SiLU(", "·σ("), "tanh": "tanh(", "mask": " + M", "normalise": " / √(", "rotate": "R_m", "lookup": "[",
    "top_k": "TopK(", "combine": "Σ_", "clamp": ("min(", "clamp("), "correct": "s + e", "merge_heads": "Concat(",
    "concatenate": "; ", "prepend": "; ", "unfold": "x_p", "slopes": "m_h", "first": "_1", "last": "_S",
    "input": ("ids", "source", "target", "image"), "exp": "exp(", "softplus": "softplus(", "contract": ("⊗", "Σ_"),
    "convolution": " ∗ ",
}  # fmt: skip
"""What an equation has of an operation of each kind; the sign stands there as often as the operation."""
MOVES = {"split_heads", "part", "expand", "transpose", "keep", "cut", "stack"}  # elements move, nothing is computed
LINEAR = {
    "query": "_Q", "key": "_K", "value": "_V", "output": "_O", "query_down": "_DQ", "query_up": "_UQ",
    "key_value_down": "_DKV", "key_value_up": "_UKV", "gate_1": "_gate", "up_1": "_up", "gate": "_gate", "up": "_up",
    "down": "_down", "linear_1": "_1", "linear_2": "_2", "shared_expert_gate": "_s", "mapping": "_in",
    "step_down": "_Δ1", "step_up": "_Δ2", "input_matrix": "_B", "output_matrix": "_C", "input": "_in",
    "project_in": "_in", "project_out": "_out", "linear": "",
}  # fmt: skip
"""By which index the equation around it knows the weights of a linear layer of this name."""
BY_NAME = {"expert": "Expert_i(", "shared_expert": "Shared("}
NORMS = dict.fromkeys(("layer_norm", "rms_norm", "heads_layer_norm"), "Norm(")
LAYERS = dict.fromkeys(
    ("encoder_layer", "pre_norm_encoder_layer", "parallel_layer", "parallel_layer_of_two_norms", "sandwich_layer",
     "output_norm_layer", "mixing_layer"), ("EncoderLayer^N", "DecoderLayer^N"),
)  # fmt: skip
FEEDS = dict.fromkeys(("feed_forward", "gated_feed_forward", "mixture_of_experts"), "FFN(")
BLOCKS = NORMS | LAYERS | FEEDS | {
    "rotary": "RoPE(", "attention": "Attention(", "multi_head": "MultiHead(", "latent_attention": "MultiHead(",
    "router": "p_i", "embedding": "[ids]", "learned": "W_P", "token_types": "W_T", "sinusoidal": "PE",
    "relative": "W_R", "alibi": "m_h", "patches": "x_p", "class_token": "x_class", "encoder": "Encoder(",
    "decoder": "Decoder(", "decoder_layer": "DecoderLayer^N", "pre_norm_decoder_layer": "DecoderLayer^N",
    "mamba": "Mamba(", "causal_convolution": "Conv(", "selective_scan": "SSM(", "state_step": "SSM(",
    "pooler": "Pooler(", "transform": "Transform(", "fixed_bias": " + c",
}  # fmt: skip
"""What an equation has of a block that it calls, as often as it calls it."""


@cache
def bundled() -> dict[str, Block]:
    """One block of each kind, equation, citation, weights, operations and calls, with the models' names for a key."""

    def each(node: Block) -> Iterator[Block]:
        yield node
        for child in node.blocks:
            yield from each(child)

    def signature(node: Block) -> tuple[object, ...]:
        parts = (("op", n.kind, n.equation) if isinstance(n, Op) else (n.kind, n.name, _weights(n)) for n in node.body)
        return node.kind, node.equation, node.citation, _weights(node), tuple(parts)

    first: dict[tuple[object, ...], tuple[str, Block]] = {}
    for name in published.names():
        for node in each(shapeviz.read(name).root):
            first.setdefault(signature(node), (name, node))
    return {f"{name}: {node.kind} {number}": node for number, (name, node) in enumerate(first.values())}


def _weights(node: Block) -> tuple[str, ...]:
    return tuple(weight.name for weight in (*node.params, *node.tied, *node.buffers))


def needed(node: Block) -> Iterator[str | tuple[str, ...]]:
    """What the equation of a block must have: a weight's name, or one of the signs of an operation or of a call."""
    yield from map(_token, _weights(node))
    for op in node.ops:
        if op.kind == "matmul":
            right = op.inputs[1]
            yield _token(right.name if right.role == "param" else op.equation.split()[-1])
        elif op.kind == "add" and (op.inputs[1].role != "data" or op.inputs[1] in node.inputs):
            yield f" + {op.equation.split()[-1]}"
        elif op.kind not in MOVES:
            yield OPERATIONS[op.kind]
    for child in node.blocks:
        if child.kind == "linear" and child.name == "projection":
            yield from ("E", "b_E")
        elif child.kind == "linear":
            yield from (_token(weight + LINEAR[child.name]) for weight in _weights(child))
        elif child.kind in ("head", "classifier"):
            yield from map(_token, _weights(child))
        elif child.kind != "unread":
            yield BY_NAME.get(child.name) or BLOCKS[child.kind]


def _token(name: str) -> str:
    """A name, marked so that it is found only where it stands alone: no W in W_Q, no b in b_1."""
    return f"<{name}>"


def missing(node: Block) -> list[str]:
    """What the equation of a block lacks."""
    wanted = [*needed(node)]
    right = re.sub(r"^\w+(\([^)]*\)|\[[^]]*\])? = ", "", node.equation)
    return [str(sign) for sign in dict.fromkeys(wanted) if _found(sign, right) < _times(sign, wanted)]


def _times(sign: str | tuple[str, ...], wanted: list[str | tuple[str, ...]]) -> int:
    """A name, and all kinds of layers of a stack together, need to stand there once."""
    once = sign in LAYERS.values() or (isinstance(sign, str) and sign.startswith("<"))
    return 1 if once else wanted.count(sign)


def _found(sign: str | tuple[str, ...], text: str) -> int:
    """How often the text has it, heads' and tokens' indices apart."""
    if isinstance(sign, tuple):
        return sum(text.count(one) for one in sign)
    if sign.startswith("<"):
        return len(re.findall(rf"(?<!\w){re.escape(sign[1:-1])}(?:\^[ij]|_[ij])?ᵀ?(?![\w^])", text))
    return text.count(sign)


def test_every_weight_and_every_operation_occurs_in_the_equation_of_its_block() -> None:
    lacking = {name: (node.equation, lacks) for name, node in bundled().items() if (lacks := missing(node))}
    assert {} == lacking


@pytest.mark.parametrize(
    ("model", "kind", "piece"),
    [
        ("qwen3-8b", "multi_head", "RoPE"),
        ("qwen3-8b", "multi_head", "RMSNorm"),
        ("qwen3-8b", "multi_head", " W_Q^i"),
        ("gpt2", "multi_head", " + b_K^i"),
        ("gpt2", "multi_head", " + b_O"),
        ("gpt2", "attention", " + M"),
        ("gpt2", "attention", " / √d_k"),
        ("gpt2", "feed_forward", "GELU"),
        ("gpt2", "feed_forward", " + b_1"),
        ("gpt2", "pre_norm_encoder_layer", "Norm"),
        ("gpt2", "layer_norm", " + β"),
        ("bloom-176b", "attention", " + b"),
        ("gpt-oss-20b", "attention", "; s"),
        ("gpt-oss-20b", "router", " + b_r"),
        ("gpt-oss-20b", "clamped_feed_forward", "clamp"),
        ("gpt-oss-20b", "clamped_feed_forward", " ⊙ (u + 1)"),
        ("mixtral-8x7b", "router", "TopK"),
        ("mixtral-8x7b", "mixture_of_experts", "·Expert_i(x)"),
        ("deepseek-v3", "router", " + e"),
        ("deepseek-v3", "latent_attention", " W_DKV"),
        ("deepseek-v3", "latent_attention", "RMSNorm"),
        ("deepseek-v3", "mixture_of_experts", " + Shared(x)"),
        ("qwen1.5-moe-a2.7b", "mixture_of_experts", " W_s"),
        ("t5-small", "decoder", "W_R"),
        ("vit-base-patch16-224", "patches", " + b_E"),
        ("opt-350m", "decoder", " W_in"),
    ],
)
def test_an_equation_without_a_piece_of_its_block_is_noticed(model: str, kind: str, piece: str) -> None:
    def find(node: Block) -> Block | None:
        if node.kind == kind:
            return node
        return next((found for child in node.blocks if (found := find(child))), None)

    node = find(shapeviz.read(model).root)
    assert node is not None
    assert piece in node.equation
    assert [] == missing(node)
    assert [] != missing(replace(node, equation=node.equation.replace(piece, "")))


def text() -> str:
    """Every equation in use with its citation, by the kind of its block."""
    pairs = sorted({(node.kind, node.equation, node.citation) for node in bundled().values()})
    lines = []
    for kind in dict.fromkeys(kind for kind, *_ in pairs):
        lines.append(kind)
        for _, equation, citation in (pair for pair in pairs if pair[0] == kind):
            lines += [f"    {equation}", f"        {citation or 'no citation'}"]
    return "\n".join(lines) + "\n"


def test_every_equation_has_the_citation_that_was_reviewed_for_it() -> None:
    """After a change: look at what differs, be sure of the paper, and write `text()` to the file."""
    assert GOLDEN.read_text(encoding="utf-8").splitlines() == text().splitlines()


def test_a_paper_is_cited_only_with_its_year() -> None:
    for node in bundled().values():
        for citation in filter(None, node.citation.split("; ")):
            assert re.search(r"\b(19|20)\d\d\b", citation), (node.equation, citation)
