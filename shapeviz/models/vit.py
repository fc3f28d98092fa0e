"""Vision Transformer: an encoder of image patches with the norm before each sublayer, learned positions and a class
token (Dosovitskiy et al. 2021, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from shapeviz.blocks.attention import Heads, MultiHead
from shapeviz.blocks.encoder import PreNorm
from shapeviz.blocks.feed_forward import FeedForward
from shapeviz.blocks.linear import classifier
from shapeviz.blocks.norm import layer_norm
from shapeviz.blocks.patches import class_token, patches
from shapeviz.blocks.pooling import pooler
from shapeviz.blocks.position import learned
from shapeviz.errors import SizeError
from shapeviz.expr import Expr, floor
from shapeviz.keys import SIDES, key
from shapeviz.lang import Variable, first, input_, write
from shapeviz.models._checks import usual_check
from shapeviz.models._encoder_only import Inputs, encoder_only
from shapeviz.models._letters import B, C, N, d_ff, d_k, d_model, h
from shapeviz.models._plan import Layers, Plan

SYMBOLS = {
    "H": "image_size", "p": "patch_size", "c": "num_channels", "N": "num_hidden_layers", "d_model": "hidden_size",
    "h": "num_attention_heads", "d_k": "head_dim", "d_ff": "intermediate_size", "d_pool": "pooler_output_size",
}  # fmt: skip
IGNORED = {
    "hidden_dropout_prob", "attention_probs_dropout_prob", "layer_norm_eps", "encoder_stride", "classifier_dropout",
}  # fmt: skip
CLASSES = {"ViTForImageClassification": "sequence", "ViTModel": ""}
MODULES = {
    "encoder.patches": "embeddings", "encoder.class_token": "embeddings", "encoder.positions": "embeddings",
    "encoder.layer": "layers", "encoder.final_norm": "layernorm", "pooler": "pooler", "classifier": "classifier",
}  # fmt: skip
LEGEND = {
    "H": "image height", "W": "image width", "p": "patch height", "p_w": "patch width", "c": "channels",
    "n": "patches", "d_pool": "width of the pooled vector",
}  # fmt: skip
H, W, p, p_w, c, n, d_pool = map(Expr.of, LEGEND)


@dataclass(frozen=True)
class Config:
    """The keys of a ViT configuration; the defaults are those of ViT-B/16."""

    hidden_size: int = key(768)
    num_hidden_layers: int = key(12)
    num_attention_heads: int = key(12)
    head_dim: int | None = key(None)
    intermediate_size: int = key(3072)
    hidden_act: str = key("gelu")
    image_size: int | tuple[int, ...] = key(224, SIDES)
    patch_size: int | tuple[int, ...] = key(16, SIDES)
    num_channels: int = key(3)
    qkv_bias: bool = key(True)
    pooler_output_size: int | None = key(None)
    pooler_act: str = key("tanh")


def check(config: Config) -> None:
    """Raises SizeError as usual, and for patches larger than the image."""
    usual_check(config)
    for patch, image in zip(_sides(config, "patch_size"), _sides(config, "image_size"), strict=True):
        if patch > image:
            raise SizeError(f"patch_size = {patch} is more than image_size = {image}")


def build(config: Config, task: str) -> Plan:
    """The plan of a ViT; a side of its own is a letter of its own, for the image as for its patches."""
    (high, wide), (tall, broad) = _sides(config, "image_size"), _sides(config, "patch_size")
    width, patch_width = H if high == wide else W, p if tall == broad else p_w

    def pixels() -> Inputs:
        return write(input_("pixel_values", B, c, H, width), "image"), None

    def embed(image: Variable, _: Variable | None) -> Variable:
        x = class_token(patches(image, p, patch_width, c, n, d_model))
        return learned(x, n + 1, name="positions")

    def read(y: Variable, _: Variable | None) -> Variable:
        if task:
            return classifier(first(y), C)
        return pooler(y, d_pool, config.pooler_act)

    attend = MultiHead(Heads(h, h, d_k, d_k, bias=config.qkv_bias, output_bias=True))
    feed = FeedForward((d_ff,), activation=config.hidden_act)
    layer = PreNorm(attend, feed, layer_norm)
    function = encoder_only([Layers(N, layer)], embed, read, pixels, layer_norm)
    pairs = (("H", width), ("p", patch_width))
    rules = {"n": floor(H / p) * floor(width / patch_width)}
    rules |= {} if config.head_dim else {"d_k": d_model / h}
    rules |= {} if config.pooler_output_size else {"d_pool": d_model}
    values = {"H": high, "p": tall} | ({} if high == wide else {"W": wide}) | ({} if tall == broad else {"p_w": broad})
    square = {letter: LEGEND[letter].replace("height", "side") for letter, other in pairs if other.names == {letter}}
    return Plan(function, rules, values=values, legend=LEGEND | square)


def _sides(config: Config, key: str) -> tuple[int, ...]:
    """Height and width of a key that may be one number for both. Raises SizeError for any other list."""
    value = getattr(config, key)
    sides = value if isinstance(value, tuple) else (value, value)
    if len(sides) != 2:
        raise SizeError(f"{key} = {list(sides)}: one number is needed, or a height and a width")
    return sides
