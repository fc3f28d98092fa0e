"""Architectures that nobody here wrote, small, with the sizes that may change: what tracing must get exactly right."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

Point = dict[str, int]
IDS = {"input_ids": "int64[B,S]"}
PAIR = {"input_ids": "int64[B,S]", "decoder_input_ids": "int64[B,T]"}
IMAGE = {"pixel_values": "float32[B,3,H,W]"}
SQUARE = {"pixel_values": "float32[B,3,32,32]"}
EMPTY: Mapping[str, range] = {}
RANGES = {"B": range(1, 6), "S": range(6, 24), "T": range(6, 24), "H": range(33, 70), "W": range(33, 70)}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A module as a function that builds it, `spec`s of what it takes (`int64[B,S]`), and the sizes that suit it."""

    name: str
    build: Callable[[], nn.Module]
    inputs: Mapping[str, str]
    ranges: Mapping[str, range] = field(default_factory=dict)
    needs: str = "torch"
    ours: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def dims(self) -> tuple[str, ...]:
        """The names of the sizes that may change, in the order of the inputs."""
        return tuple(dict.fromkeys(re.findall(r"\b[A-Z]\b", " ".join(self.inputs.values()))))

    @property
    def points(self) -> list[Point]:
        """Three points of distinct sizes, the same ones in every run."""
        random, found = Random(self.name), []
        while len(found) < 3:
            point = {name: random.choice({**RANGES, **self.ranges}[name]) for name in self.dims}
            if len(set(point.values())) == len(point) and point not in found:
                found.append(point)
        return found

    def on(self, device: str) -> nn.Module:
        """The module built on a device."""
        require(self.needs)
        with torch.device(device):
            return self.build()


def require(package: str) -> None:
    """Skips a test without the package, and fails it where everything is to be tested."""
    if os.environ.get("CI"):
        __import__(package)
    pytest.importorskip(package)


def pretrained(name: str, kernels: Mapping[str, str], sizes: Mapping[str, Any]) -> nn.Module:
    """A model of Hugging Face with random weights, in evaluation mode."""
    import transformers

    model = getattr(transformers, name)
    return model._from_config(model.config_class(**sizes), **kernels).eval()


def hf(name: str, inputs: Mapping[str, str] = IDS, ranges: Mapping[str, range] = EMPTY, **sizes: Any) -> Case:
    """A case of Hugging Face: text goes in unless told otherwise."""
    build = partial(pretrained, name, {}, sizes)
    return Case(name=name, build=build, inputs=inputs, ranges=ranges, needs="transformers")


def own(name: str, build: Callable[[], nn.Module], *inputs: str, ours: bool = False, **named: str) -> Case:
    """A case of torch's own layers: what is not named goes in as `input`."""
    return Case(name=name, build=build, inputs={**dict(zip(["input"], inputs, strict=False)), **named}, ours=ours)


def conv_norm(cin: int, cout: int, kernel: int, stride: int = 1, **more: Any) -> nn.Sequential:
    conv = nn.Conv2d(cin, cout, kernel, stride, padding=more.pop("padding", kernel // 2), bias=False, **more)
    return nn.Sequential(conv, nn.BatchNorm2d(cout))


class Residual(nn.Module):
    """Two 3×3 convolutions and a way around them, which projects where the shape changes."""

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_norm(cin, cout, 3, stride), nn.ReLU(), conv_norm(cout, cout, 3))
        self.around = conv_norm(cin, cout, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.body(x) + self.around(x))


def resnet(*widths: int, classes: int) -> nn.Module:
    """ResNet-18 at the widths 64, 128, 256, 512."""
    stem = [conv_norm(3, widths[0], 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    steps = zip((widths[0], *widths), widths, strict=False)
    blocks = [block for a, b in steps for block in (Residual(a, b, 1 + (a != b)), Residual(b, b, 1))]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))


class UNet(nn.Module):
    """Down by a strided convolution, up by a transposed one, and the two put side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.down = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 12, 4, 2, 1)
        self.up = nn.ConvTranspose2d(12, 6, 4, 2, 1)
        self.last = nn.Conv2d(12, 2, 1)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.first(input))
        return self.last(torch.cat([x, self.up(F.relu(self.down(x)))], 1))


def convolutions(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))


CONFIG = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4}
TEXT = {**CONFIG, "vocab_size": 61, "pad_token_id": 0}
GROUPED = {**TEXT, "num_key_value_heads": 2, "head_dim": 6}
BART = {
    "d_model": 24, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4, "decoder_attention_heads": 3,
    "encoder_ffn_dim": 40, "decoder_ffn_dim": 56, "vocab_size": 61, "max_position_embeddings": 64,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 0, "forced_eos_token_id": None,
}  # fmt: skip
EXPERTS = {**GROUPED, "moe_intermediate_size": 20, "num_experts": 5, "num_experts_per_tok": 2}
SOUND = {"conv_dim": (8, 12), "conv_kernel": (10, 3), "conv_stride": (5, 2), "num_conv_pos_embeddings": 8}
SOUND |= {"num_conv_pos_embedding_groups": 4, "num_feat_extract_layers": 2}
GPT = {"n_embd": 24, "n_layer": 3, "n_head": 4, "vocab_size": 61, "n_positions": 64}

ENCODERS = (
    hf("BertModel", **TEXT),
    hf("RobertaModel", **TEXT),
    hf("DistilBertModel", dim=24, hidden_dim=40, n_layers=3, n_heads=4, vocab_size=61),
    hf("AlbertModel", embedding_size=10, **TEXT),
    hf("ElectraModel", embedding_size=10, **TEXT),
    hf("DebertaV2Model", relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8, **TEXT),
    hf("ModernBertModel", global_attn_every_n_layers=2, local_attention=8, **TEXT),
    hf("MobileBertModel", embedding_size=12, intra_bottleneck_size=12, true_hidden_size=12, **TEXT),
    hf("XLNetModel", d_model=24, n_layer=3, n_head=4, d_inner=40, vocab_size=61),
    hf("FNetModel", use_tpu_fourier_optimizations=False, vocab_size=61, **CONFIG),
)
DECODERS = (
    hf("GPT2LMHeadModel", **GPT),
    hf("LlamaForCausalLM", **GROUPED),
    hf("MistralForCausalLM", sliding_window=10, **GROUPED),
    hf("Qwen2ForCausalLM", **GROUPED),
    hf("Qwen3ForCausalLM", **GROUPED),
    hf("Gemma2ForCausalLM", sliding_window=10, **GROUPED),
    hf("Phi3ForCausalLM", **GROUPED),
    hf("FalconForCausalLM", multi_query=True, **TEXT),
    hf("BloomForCausalLM", hidden_size=24, n_layer=3, n_head=4, vocab_size=61),
    hf("OPTForCausalLM", ffn_dim=40, word_embed_proj_dim=12, max_position_embeddings=64, **TEXT),
    hf("GPTNeoXForCausalLM", **TEXT),
    hf("Olmo2ForCausalLM", **GROUPED),
    hf("MixtralForCausalLM", num_local_experts=5, num_experts_per_tok=2, **GROUPED),
    hf("Qwen2MoeForCausalLM", shared_expert_intermediate_size=28, **EXPERTS),
    hf("Qwen3MoeForCausalLM", **EXPERTS),
    hf("GptOssForCausalLM", num_local_experts=5, num_experts_per_tok=2, sliding_window=8, **GROUPED),
    hf("DeepseekV3ForCausalLM", n_routed_experts=6, n_group=2, topk_group=1, num_experts_per_tok=2,
       moe_intermediate_size=20, first_k_dense_replace=1, q_lora_rank=14, kv_lora_rank=10, qk_rope_head_dim=4,
       qk_nope_head_dim=8, v_head_dim=6, **{**TEXT, "num_key_value_heads": 4}),
)  # fmt: skip
PAIRS = (
    hf("T5ForConditionalGeneration", PAIR, d_model=24, d_kv=8, d_ff=40, num_layers=2, num_decoder_layers=3, num_heads=4,
       vocab_size=61),
    hf("BartForConditionalGeneration", PAIR, **BART),
    hf("MarianMTModel", PAIR, **BART),
    hf("PegasusForConditionalGeneration", PAIR, **BART),
)  # fmt: skip
VISION = (
    hf("ViTModel", SQUARE, image_size=32, patch_size=8, **CONFIG),
    hf("DeiTModel", SQUARE, image_size=32, patch_size=8, **CONFIG),
    hf("Dinov2Model", IMAGE, image_size=32, patch_size=8, **CONFIG),
    hf("SwinModel", {"pixel_values": "float32[B,3,16*H,16*W]"}, dict.fromkeys("HW", range(3, 9)), image_size=32,
       patch_size=2, embed_dim=12, depths=[2, 2], num_heads=[2, 3], window_size=4),
    hf("ConvNextModel", IMAGE, hidden_sizes=[8, 12, 16], depths=[1, 2, 1], num_stages=3),
    hf("ResNetModel", IMAGE, embedding_size=8, hidden_sizes=[8, 16, 24], depths=[1, 2, 1]),
    hf("SegformerModel", IMAGE, hidden_sizes=[8, 16], depths=[1, 2], sr_ratios=[2, 1], num_attention_heads=[1, 2],
       patch_sizes=[7, 3], strides=[4, 2], mlp_ratios=[2, 2], num_encoder_blocks=2),
)  # fmt: skip
LENGTHS = {"S": range(320, 900)}
SENSES = (
    hf("Wav2Vec2Model", {"input_values": "float32[B,S]"}, LENGTHS, **CONFIG, **SOUND),
    hf("HubertModel", {"input_values": "float32[B,S]"}, LENGTHS, **CONFIG, **SOUND),
    hf("Speech2TextModel", {"input_features": "float32[B,S,10]", "decoder_input_ids": "int64[B,T]"}, conv_channels=12,
       input_feat_per_channel=10, max_source_positions=64, max_target_positions=64, **BART),
    hf("TimesformerModel", {"pixel_values": "float32[B,4,3,32,32]"}, image_size=32, patch_size=8, num_frames=4,
       **CONFIG),
    hf("PatchTSTModel", {"past_values": "float32[B,32,3]"}, num_input_channels=3, context_length=32, patch_length=8,
       patch_stride=4, d_model=24, num_attention_heads=4, ffn_dim=40, num_hidden_layers=2),
    hf("PerceiverModel", {"inputs": "float32[B,S,14]"}, num_latents=9, d_latents=24, d_model=14, num_blocks=1,
       num_self_attends_per_block=2, num_self_attention_heads=4, num_cross_attention_heads=2),
    hf("WhisperModel", {"input_features": "float32[B,10,30]", "decoder_input_ids": "int64[B,T]"}, num_mel_bins=10,
       max_source_positions=15, **{**BART, "max_target_positions": 64}),
    hf("CLIPModel", {**IDS, **SQUARE}, text_config={**TEXT, "max_position_embeddings": 64}, projection_dim=14,
       vision_config={**CONFIG, "image_size": 32, "patch_size": 8}),
)  # fmt: skip
LAYERS = (
    own("nn.Transformer", lambda: nn.Transformer(24, 4, 2, 3, 40, batch_first=True).eval(),
        src="float32[B,S,24]", tgt="float32[B,T,24]"),
    own("nn.TransformerEncoder", lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(24, 4, 40, batch_first=True, norm_first=True), 3).eval(), src="float32[B,S,24]"),
    own("nn.MultiheadAttention", lambda: nn.MultiheadAttention(24, 4, kdim=10, vdim=14, batch_first=True).eval(),
        query="float32[B,T,24]", key="float32[B,S,10]", value="float32[B,S,14]"),
    own("nn.LSTM", lambda: nn.LSTM(12, 20, 2), "float32[S,B,12]"),
    own("nn.GRU", lambda: nn.GRU(12, 20, 2, batch_first=True), "float32[B,S,12]"),
    own("nn.LSTM projected both ways", lambda: nn.LSTM(12, 20, 3, batch_first=True, bidirectional=True, proj_size=7),
        "float32[B,S,12]"),
)  # fmt: skip
CONVOLUTIONAL = (
    own("VGG", lambda: nn.Sequential(
        convolutions(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)), nn.MaxPool2d(2),
        convolutions(nn.Conv2d(8, 12, 3, padding=1)), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(192, 10)),
        "float32[B,3,H,W]", ours=True),
    own("ResNet-18, narrow", lambda: resnet(8, 12, 16, 20, classes=10).eval(), "float32[B,3,H,W]", ours=True),
    Case(name="U-Net", build=UNet, inputs={"input": "float32[B,3,H,W]"}, ours=True,
         ranges={"H": range(32, 70, 2), "W": range(32, 70, 2)}),
    own("grouped and dilated", lambda: convolutions(nn.Conv2d(6, 12, 3, groups=3, dilation=2, stride=(2, 1)),
        nn.Conv2d(12, 12, (5, 3), groups=12, padding=(2, 0))), "float32[B,6,H,W]", ours=True),
    own("Conv1d", lambda: convolutions(nn.Conv1d(4, 8, 5, 2, 1), nn.ConvTranspose1d(8, 6, 3, 2, groups=2)),
        "float32[B,4,S]", ours=True),
    own("Conv3d", lambda: convolutions(nn.Conv3d(2, 4, 3), nn.Conv3d(4, 6, (1, 3, 2), (1, 2, 2))),
        "float32[B,2,S,H,W]", ours=True),
)  # fmt: skip
THIRD_PARTY = (*ENCODERS, *DECODERS, *PAIRS, *VISION, *SENSES, *LAYERS, *CONVOLUTIONAL)
