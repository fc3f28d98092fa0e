"""Kimi K2: a DeepSeek-V3 with more experts and fewer heads (Kimi Team 2025, arXiv:2507.20534, section 2.3)."""

from shapeviz.models.deepseek_v3 import ALIASES, CLASSES, IGNORED, MODULES, ONLY, SYMBOLS, Config, build, check

__all__ = ["ALIASES", "CLASSES", "IGNORED", "MODULES", "ONLY", "SYMBOLS", "TYPE", "Config", "build", "check"]

TYPE = "deepseek_v3"
