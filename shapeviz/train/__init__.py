"""The reference workload: a language model of characters, trained on torch alone, on which predictions meet reality.

Nothing heavy is imported here; the parts are modules of this folder: `recipe`, `corpus`, `tokenizers`, `loop`, …
"""

PACKAGES = ("torch", "numpy", "matplotlib", "tokenizers")
