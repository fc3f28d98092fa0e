"""The transformer of 2017 as PyTorch has it and transformers has not: nn.Transformer between one table and a head."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn


class Vaswani(nn.Module):
    """The module of a configuration whose model_type is vaswani, on the meta device; a TransformerModel has no head.

    It takes ids as models of transformers do: source [B S] and target [B T] → logits [B T V].
    """

    made_of = "torch.nn"
    main_input_name = "input_ids"
    base_model_prefix = "transformer"

    def __init__(self, data: Mapping[str, Any], class_name: str | None = None) -> None:
        super().__init__()
        self.config = SimpleNamespace(is_encoder_decoder=True)
        width, words = data["d_model"], data["vocab_size"]
        with torch.device("meta"):
            self.embed = nn.Embedding(words, width)
            self.transformer = nn.Transformer(
                width,
                data["num_heads"],
                data["encoder_layers"],
                data["decoder_layers"],
                data["d_ff"],
                batch_first=True,
                bias=data["bias"],
            )
            self.lm_head = nn.Linear(width, words, bias=False) if class_name != "TransformerModel" else None
        if not data["final_norm"]:
            self.transformer.encoder.norm = self.transformer.decoder.norm = None
        if self.lm_head is not None and data["tie_word_embeddings"]:
            self.lm_head.weight = self.embed.weight

    def forward(self, input_ids: Tensor, decoder_input_ids: Tensor) -> Any:
        y = self.transformer(self.embed(input_ids), self.embed(decoder_input_ids))
        return y if self.lm_head is None else self.lm_head(y)
