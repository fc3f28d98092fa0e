"""Which of transformers' causal language models answer with letters for their keys, and why the others do not.

    python benchmarks/causal.py            # parameters: each class is built with symbols
    python benchmarks/causal.py --flops    # a forward pass as well: minutes
    python benchmarks/causal.py llama opt  # these types alone

Every answer is compared with an instance at the default sizes of the class, with few layers. A Markdown table goes to
standard output, its sum to the last line.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings

import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

import shapeviz
from shapeviz.errors import ShapevizError
from shapeviz.tracing import trace
from shapeviz.tracing.configuration import plan

LONGEST = 90  # characters of a reason


def answer(kind: str, name: str, flops: bool) -> tuple[str, str]:
    """yes, in part, wrong or no, and what is worth a word: letters that are numbers, or why there is no answer."""
    try:
        blueprint = plan({"model_type": kind, "architectures": [name]})
        model = trace(blueprint, run=flops)
        report = shapeviz.measure(model, ["params", "flops"])
        total = report.total["params"]
        sizes = {letter: size for letter, size in blueprint.sizes.items() if letter in model.sizes.values}
        if "N" in sizes and "N" not in model.sizes.pinned:
            least = [c.right.at() for c in model.sizes.conditions if c.sign == "≥" and str(c.left) == "N" and c.right]
            sizes["N"] = int(max([2, *least]))
        weights = blueprint.instance({**blueprint.sizes, **sizes}).parameters()
        counted = sum({id(weight): weight.numel() for weight in weights}.values())
        ours = total.at(**sizes)
    except ShapevizError as error:
        return "no", str(error).partition("\n")[0][:LONGEST]
    except Exception as error:
        return "no", f"{type(error).__name__}: {error}".partition("\n")[0][:LONGEST]
    if left := report.not_counted.get("params", report.not_counted.get("flops") if flops else None):
        return "in part", f"not counted: {left}"[:LONGEST]
    numbers = ", ".join(model.sizes.pinned)
    return ("yes", numbers and f"numbers: {numbers}") if counted == ours else ("wrong", f"{ours:,} for {counted:,}")


def main(words: list[str]) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    flops = "--flops" in words
    chosen = [word for word in words if not word.startswith("-")]
    found: dict[str, int] = {}
    what = "FLOPs" if flops else "Parameters"
    print(f"{what} of transformers {transformers.__version__}'s causal classes, by letters\n")
    print("| model type | class | answers | CPU s | |\n|---|---|---|--:|---|")
    for kind, names in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.items():
        if chosen and kind not in chosen:
            continue
        name, began = names if isinstance(names, str) else names[0], time.process_time()
        answers, why = answer(kind, name, flops)
        found[answers] = found.get(answers, 0) + 1
        print(
            f"| {kind} | {name} | {answers} | {time.process_time() - began:.1f} | {why.replace('|', '/')} |", flush=True
        )
    print("\n" + ", ".join(f"{count} {answers}" for answers, count in found.items()) + f" of {sum(found.values())}")


if __name__ == "__main__":
    main(sys.argv[1:])
