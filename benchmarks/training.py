"""`shapeviz train` next to a plain fp32 loop of the same model; generation with a cache of keys and values or without.

    python benchmarks/training.py                                   # some minutes: 3 runs of 100 steps each
    python benchmarks/training.py --runs 1 --steps 2000 --evaluate 500 --text shakespeare.txt --threads 1

The plain loop is written here in the manner of nanoGPT (Karpathy 2022): a tensor a parameter, torch's default AdamW,
scaled_dot_product_attention, batches stacked from slices, the loss read now and then. Model, data, sizes, schedule and
validation split are the same; each has its own random batches. Every measurement is a process of its own, interleaved;
a step's time is the median of means over ten steps, without evaluations and without the first ten. Prints medians over
the runs, medians of the ratios run by run, and the loss on the whole validation split. `--clock cpu` counts the seconds
that a process computed instead of those that passed, for a machine that others use too. Needs torch, numpy, tokenizers.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WAYS = ("plain, float32", "shapeviz, float32", "shapeviz, bfloat16")
EVERY = 10
BASES = ("plain", "no cache")
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class PlainBlock(nn.Module):
    """x ← x + Attention(LayerNorm(x));  x ← x + MLP(LayerNorm(x))"""

    def __init__(self, d_model: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.c_attn, self.c_proj = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)
        self.mlp = nn.Sequential(nn.Linear(d_model, 4 * d_model), nn.GELU(), nn.Linear(4 * d_model, d_model))

    def forward(self, x_BTD: Tensor) -> Tensor:
        B, T, D = x_BTD.shape
        parts = self.c_attn(self.ln_1(x_BTD)).split(D, dim=2)
        q_BHTK, k_BHTK, v_BHTK = (part.view(B, T, self.heads, D // self.heads).transpose(1, 2) for part in parts)
        y_BHTK = F.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, is_causal=True)
        x_BTD = x_BTD + self.c_proj(y_BHTK.transpose(1, 2).contiguous().view(B, T, D))
        return x_BTD + self.mlp(self.ln_2(x_BTD))


class PlainModel(nn.Module):
    """A GPT-2, its head tied: ids [B T], targets [B T] → mean cross-entropy; without targets the last logits [B V]."""

    def __init__(self, vocab_size: int, block_size: int, d_model: int, layers: int, heads: int) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab_size, d_model), nn.Embedding(block_size, d_model)
        self.h = nn.ModuleList(PlainBlock(d_model, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(d_model)
        self.lm_head = nn.Linear(d_model, vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight
        for name, weight in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(weight)
            elif weight.dim() == 2:
                into_stream = name.endswith(("c_proj.weight", "mlp.2.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * layers) if into_stream else 0.02)

    def forward(self, x_BT: Tensor, y_BT: Tensor | None = None) -> Tensor:
        x_BTD = self.wte(x_BT) + self.wpe(torch.arange(x_BT.shape[1], device=x_BT.device))
        for block in self.h:
            x_BTD = block(x_BTD)
        if y_BT is None:
            return self.lm_head(self.ln_f(x_BTD[:, -1]))
        logits_BTV = self.lm_head(self.ln_f(x_BTD))
        return F.cross_entropy(logits_BTV.view(-1, logits_BTV.shape[-1]), y_BT.reshape(-1))


def recipe_of(options: argparse.Namespace, dtype: str) -> Any:
    """The recipe both loops follow: the one of nanoGPT's README for a CPU, 4 layers of width 128, 12 blocks of 64."""
    from shapeviz.train.recipe import checked

    return checked(
        options.preset, texts=(options.text,) if options.text else (), steps=options.steps, log_every=EVERY,
        threads=options.threads,
        eval_every=options.evaluate or options.steps, dtype=dtype, device=options.device, seed=options.seed,
    )  # fmt: skip


def prepared(options: argparse.Namespace) -> tuple[Any, str, Any]:
    """The recipe in float32, its text and a tokenizer of characters; threads and torch's seed are set."""
    from shapeviz.train import corpus, tokenizers

    r = recipe_of(options, "float32")
    if r.threads:
        torch.set_num_threads(r.threads)
    torch.manual_seed(r.seed)
    text = corpus.read(texts=r.texts).text
    return r, text, tokenizers.make("char", text)


def plain(options: argparse.Namespace) -> dict[str, Any]:
    """The plain loop: milliseconds a step, losses on the validation split by step."""
    import numpy as np

    from shapeviz.train import corpus

    r, text, tokenizer = prepared(options)
    train, validation = (np.asarray(tokenizer.encode(part), dtype=np.uint16) for part in corpus.split(text))
    device = "cuda" if r.device == "auto" and torch.cuda.is_available() else "cpu" if r.device == "auto" else r.device
    model = PlainModel(tokenizer.vocab_size, r.block_size, r.d_model, r.layers, r.heads).to(device)
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": r.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=r.lr, betas=(r.beta1, r.beta2), fused=device.startswith("cuda"))

    def get_batch() -> tuple[Tensor, Tensor]:
        ix = torch.randint(len(train) - r.block_size, (r.batch_size,))
        x = torch.stack([torch.from_numpy(train[i : i + r.block_size].astype(np.int64)) for i in ix])
        y = torch.stack([torch.from_numpy(train[i + 1 : i + 1 + r.block_size].astype(np.int64)) for i in ix])
        return x.to(device), y.to(device)

    times, losses, now = [], {}, CLOCKS[options.clock]
    x, y = get_batch()
    began = now()
    for step in range(1, r.steps + 1):
        done, over = step - 1 - r.warmup_steps, r.steps - r.warmup_steps
        lr = r.min_lr + 0.5 * (1 + math.cos(math.pi * done / over)) * (r.lr - r.min_lr)
        if done < 0:
            lr = r.lr * step / (r.warmup_steps + 1)
        for group in optimizer.param_groups:
            group["lr"] = lr
        loss = model(x, y)
        x, y = get_batch()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), r.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % EVERY == 0:
            loss.item()
            times.append((now() - began) / EVERY * 1e3)
            began = now()
        if step % r.eval_every == 0 or step == r.steps:
            losses[step] = _validation(model, torch.from_numpy(validation.astype(np.int64)).to(device), r.block_size)
            began = now()
    return {
        "ms": median(times[1:]),
        "seconds": sum(times) * EVERY / 1e3,
        "losses": losses,
        "params": sum(p.numel() for p in model.parameters()),
    }


@torch.no_grad()
def _validation(model: nn.Module, ids_N: Tensor, block_size: int) -> float:
    """Mean loss over all whole windows of the split."""
    count = (len(ids_N) - 1) // block_size
    x_NT = ids_N[: count * block_size].view(count, block_size)
    y_NT = ids_N[1 : count * block_size + 1].view(count, block_size)
    sums = [float(model(x, y)) * len(x) for x, y in zip(x_NT.split(256), y_NT.split(256), strict=True)]
    return sum(sums) / count


def ours(options: argparse.Namespace, dtype: str) -> dict[str, Any]:
    """The loop of shapeviz: the same figures, from its own log."""
    from shapeviz.train import loop
    from shapeviz.train.log import Log

    r = recipe_of(options, dtype)
    time.monotonic = CLOCKS[options.clock]  # by which the loop counts
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        loop.train(r, folder, say=lambda _: None, report=False)
        lines = Log.read(folder)
        last = torch.load(folder / "last.pt", weights_only=True, map_location="cpu")
    weights = {tensor.data_ptr(): tensor.numel() for tensor in last["model"].values()}  # tied ones once
    times = [r.tokens_per_step / line["tokens_per_second"] * 1e3 for line in lines if line["tokens_per_second"]]
    losses = {line["step"]: line["val_loss"] for line in lines if line["val_loss"] is not None and line["step"]}
    seconds = sum(times) * EVERY / 1e3  # without evaluations and saves, as of the plain loop
    return {"ms": median(times[1:]), "seconds": seconds, "losses": losses, "params": sum(weights.values())}


def generation(options: argparse.Namespace) -> dict[str, Any]:
    """Tokens a second of 1 and of 16 samples: plain, without the cache, with it; the first round is warm-up."""
    from shapeviz.nets.language_model import LanguageModel
    from shapeviz.train.generate import samples
    from shapeviz.train.sampling import Sampling

    r, text, tokenizer = prepared(options)
    module = LanguageModel(r.model(tokenizer.vocab_size)).eval()
    other = PlainModel(tokenizer.vocab_size, r.block_size, r.d_model, r.layers, r.heads).eval()
    start, sampling = text[:1], Sampling(0.8, 40, None)
    found, now = {}, CLOCKS[options.clock]
    for count in (1, 16):
        jobs: dict[str, Callable[[], Any]] = {
            "plain": partial(plainly, other, torch.zeros(count, 1, dtype=torch.int64), options.tokens, r.block_size),
            "no cache": partial(samples, module, tokenizer, start, options.tokens, sampling, 1, False, count),
            "cache": partial(samples, module, tokenizer, start, options.tokens, sampling, 1, True, count),
        }
        for name, job in [*jobs.items(), *jobs.items()]:
            began = now()
            job()
            found[f"{name}, {count}"] = count * options.tokens / (now() - began)
    return found


@torch.no_grad()
def plainly(model: PlainModel, ids_BT: Tensor, tokens: int, block_size: int) -> Tensor:
    """Sampling as nanoGPT does it: all of the window anew for every token, which moves by one."""
    for _ in range(tokens):
        logits_BV = model(ids_BT[:, -block_size:]) / 0.8
        least = logits_BV.topk(40).values[:, [-1]]
        p_BV = logits_BV.masked_fill(logits_BV < least, -math.inf).softmax(-1)
        ids_BT = torch.cat((ids_BT, torch.multinomial(p_BV, 1)), dim=1)
    return ids_BT


def child(options: argparse.Namespace) -> None:
    """One measurement, printed as JSON."""
    way, _, dtype = options.child.partition(", ")
    found = generation(options) if way == "generation" else plain(options) if way == "plain" else ours(options, dtype)
    print(json.dumps(found))


def measured(way: str, arguments: list[str]) -> dict[str, Any]:
    """What a process of its own found."""
    command = [sys.executable, str(Path(__file__).resolve()), *arguments, "--child", way]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(options: argparse.Namespace, arguments: list[str]) -> None:
    """Runs everything in turn and prints the tables."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in (*WAYS, "generation")}
    for run in range(options.runs):
        for way in found:
            print(f"run {run + 1} of {options.runs}: {way}", file=sys.stderr)
            found[way].append(measured(way, arguments))
    if len({results[0]["params"] for way, results in found.items() if way in WAYS}) != 1:
        raise SystemExit("the models differ in their numbers of parameters")
    print(f"{found[WAYS[0]][0]['params']:,} parameters, {options.steps} steps, {options.runs} runs")
    print(f"{'':22}{'ms a step':>10}{'steps/s':>9}{'times plain':>13}   loss on the validation split by step")
    for way in WAYS:
        ms = median(one["ms"] for one in found[way])
        ratio = median(base["ms"] / one["ms"] for base, one in zip(found[WAYS[0]], found[way], strict=True))
        last = found[way][-1]["losses"]
        losses = ", ".join(f"{step}: {loss:.4f}" for step, loss in last.items())
        print(f"{way:22}{ms:10.1f}{1e3 / ms:9.1f}{ratio:13.2f}   {losses}")
    results = found["generation"]
    print(
        f"\n{options.tokens} tokens a sample, float32\n{'':22}{'tokens/s':>10}{'times plain':>13}{'times no cache':>16}"
    )
    for key in results[0]:
        name, _, count = key.partition(", ")
        plain_ratio, ratio = (median(one[key] / one[f"{base}, {count}"] for one in results) for base in BASES)
        title = f"{name}, {count} sample{'s' * (count != '1')}"
        print(f"{title:22}{median(one[key] for one in results):10,.0f}{plain_ratio:13.2f}{ratio:16.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100, help="at least 20")
    parser.add_argument("--evaluate", type=int, help="steps between evaluations; default: one at the end")
    parser.add_argument("--text", help="a text file; default: the bundled corpus")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--preset", default="quick", help="of the loop of shapeviz; the plain one has its sizes alone")
    parser.add_argument("--tokens", type=int, default=300, help="tokens to generate")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.evaluate and options.evaluate % EVERY:
        parser.error(
            f"--evaluate {options.evaluate}: a multiple of {EVERY} is needed, the steps that are timed together"
        )
    child(options) if options.child else main(options, sys.argv[1:])
