"""Granite: a Llama that scales embeddings, residuals, scores and logits by constants (IBM 2024, Granite 3.0 Language
Models, section 3); they cost nothing, and its equations are Llama's."""

from shapeviz.models import llama
from shapeviz.models._decoder_only import USUAL_IGNORED
from shapeviz.models.llama import MODULES, SYMBOLS, Config, build, check

__all__ = ["CLASSES", "IGNORED", "MODULES", "SYMBOLS", "Config", "build", "check"]

IGNORED = USUAL_IGNORED | {"embedding_multiplier", "logits_scaling", "residual_multiplier", "attention_multiplier"}
CLASSES = {name.replace("Llama", "Granite"): task for name, task in llama.CLASSES.items() if task in ("lm", "")}
