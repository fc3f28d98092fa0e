"""Tracing Llama models, next to `torch.export` with dynamic dimensions and a bare symbolic `FlopCounterMode`.

    python benchmarks/tracing.py [RUNS]

Every measurement is a process of its own, interleaved; CPU seconds of the call alone (imports and building the model
on the meta device come before) and MiB above the built model. Prints medians, and medians of the ratios run by run.
Needs torch and transformers.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

LLAMA_2_7B = {"hidden_size": 4096, "intermediate_size": 11008, "num_attention_heads": 32, "vocab_size": 32000}
LLAMA_405B = {
    "hidden_size": 16384, "intermediate_size": 53248, "num_attention_heads": 128, "num_key_value_heads": 8,
    "vocab_size": 128256,
}  # fmt: skip
CASES: dict[str, tuple[str, dict[str, int], int]] = {
    "shapeviz, Llama-2-7B": ("shapeviz", LLAMA_2_7B, 32),
    "FlopCounterMode, symbolic, Llama-2-7B": ("counter", LLAMA_2_7B, 32),
    "torch.export, dynamic, Llama-2-7B": ("export", LLAMA_2_7B, 32),
    "shapeviz, Llama-3.1-405B, 8 layers": ("shapeviz", LLAMA_405B, 8),
    "shapeviz, Llama-3.1-405B, 126 layers": ("shapeviz", LLAMA_405B, 126),
}
RATIOS = [
    ("shapeviz, Llama-2-7B", "torch.export, dynamic, Llama-2-7B"),
    ("shapeviz, Llama-2-7B", "FlopCounterMode, symbolic, Llama-2-7B"),
    ("shapeviz, Llama-3.1-405B, 126 layers", "shapeviz, Llama-3.1-405B, 8 layers"),
]


def by_shapeviz(model: Any) -> str:
    """Trace and total, as `shapeviz flops` does."""
    import shapeviz

    report = shapeviz.measure(shapeviz.trace(model, input_ids="int64[B,S]"))
    return f"{report.total['params'].value} parameters, {report.total['flops'].at(B=2, S=128)} FLOPs"


def by_counter(model: Any) -> str:
    """FlopCounterMode in fake mode with symbolic batch and length, every layer run."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext
    from torch.utils.flop_counter import FlopCounterMode

    mode = FakeTensorMode(shape_env=ShapeEnv(duck_shape=False), allow_non_fake_inputs=True)
    ids = torch.zeros(2, 128, dtype=torch.int64, device="meta")
    dynamic = StatelessSymbolicContext(dynamic_sizes=[DimDynamic.DYNAMIC] * 2)
    state = {name: mode.from_tensor(t, static_shapes=True) for name, t in model.state_dict(keep_vars=True).items()}
    with torch.no_grad(), mode, FlopCounterMode(display=False) as counter:
        symbolic = mode.from_tensor(ids, symbolic_context=dynamic)
        torch.func.functional_call(model, state, (), {"input_ids": symbolic, "use_cache": False})
    return f"{counter.get_total_flops().node.expr} FLOPs"


def by_export(model: Any) -> str:
    """`torch.export` with dynamic batch and length."""
    import torch
    from torch.export import Dim

    ids = torch.zeros(2, 128, dtype=torch.int64, device="meta")
    dims = {"input_ids": {0: Dim("B", max=2**20), 1: Dim("S", max=2**20)}, "use_cache": None}
    with torch.no_grad():
        program = torch.export.export(model, (), {"input_ids": ids, "use_cache": False}, dynamic_shapes=dims)
    return f"{len(program.graph.nodes)} nodes"


WAYS: dict[str, Callable[[Any], str]] = {"shapeviz": by_shapeviz, "counter": by_counter, "export": by_export}


def child(case: str) -> None:
    """One measurement: CPU seconds, MiB above the built model, and what was found."""
    import torch
    import torch.export
    from transformers import LlamaConfig, LlamaForCausalLM

    import shapeviz.tracing.trace_module  # noqa: F401

    way, sizes, layers = CASES[case]
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**sizes, num_hidden_layers=layers)).eval()
    before, start = _peak(), time.process_time()
    found = WAYS[way](model)
    print(json.dumps([time.process_time() - start, _peak() - before, found]))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(runs: int = 5) -> None:
    found: dict[str, list[tuple[float, float, str]]] = {case: [] for case in CASES}
    environment = {**os.environ, "TRANSFORMERS_VERBOSITY": "error", "PYTHONWARNINGS": "ignore"}
    for _ in range(runs):
        for case in CASES:
            command = [sys.executable, str(Path(__file__).resolve()), "--child", case]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            found[case].append(tuple(json.loads(done.stdout.splitlines()[-1])))
    print(f"{'case':42}{'CPU s':>8}{'MiB above':>11}   found")
    for case, results in found.items():
        seconds, peak = median(r[0] for r in results), median(r[1] for r in results)
        print(f"{case:42}{seconds:8.2f}{peak:11.0f}   {results[0][2]}")
    for one, other in RATIOS:
        ratio = median(a[0] / b[0] for a, b in zip(found[one], found[other], strict=True))
        print(f"{one} ÷ {other}: {ratio:.2f}")


if __name__ == "__main__":
    child(sys.argv[2]) if sys.argv[1:2] == ["--child"] else main(*map(int, sys.argv[1:]))
