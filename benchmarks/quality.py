"""How good the trainer's models are: seeds of nanoGPT's small model, the founding report's recipe, Adam and AdamW.

    python benchmarks/quality.py --text shakespeare.txt --csv friends.csv -o reports/training     # half an hour
    python benchmarks/quality.py -o reports/training --draw                  # page and figures, from results.json

On the text: 2000 steps of 12 windows of 64 characters with 4 layers of width 128, by a plain fp32 loop in the manner of
nanoGPT (that of benchmarks/training.py) and by shapeviz, a process each, interleaved, for three seeds; losses are those
on the whole validation split, seconds those of training without evaluations. On the bundled dialogue and on a column of
the CSV: `--preset report`; on the former also with Adam. Writes results.json, and from it README.md and the figures.
Only losses of the CSV are kept, nothing of its text.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).resolve().parent
WAYS = {
    "plain": ("plain, float32", "quick"),
    "float32": ("shapeviz, float32", "quick"),
    "bfloat16": ("shapeviz, bfloat16", "quick"),
    "fast": ("shapeviz, auto", "fast"),
}


def child(options: argparse.Namespace, way: str, seed: int) -> dict[str, Any]:
    """What a process of benchmarks/training.py found: milliseconds a step, seconds, losses by step."""
    measured, preset = WAYS[way]
    command = [sys.executable, str(HERE / "training.py"), "--child", measured, "--preset", preset]
    command += ["--text", options.text, "--steps", str(options.steps), "--evaluate", str(max(1, options.steps // 8))]
    command += ["--seed", str(seed)] + (["--threads", str(options.threads)] if options.threads else [])
    print(f"{way}, seed {seed}", file=sys.stderr)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return {"seed": seed, **json.loads(done.stdout.splitlines()[-1])}


def report(options: argparse.Namespace, place: Path, *more: str) -> dict[str, Any]:
    """A run of `--preset report`: its evaluations, the floor of its text if it is known, norm of its matrices."""
    import torch

    from shapeviz.train import checkpoint, corpus
    from shapeviz.train.log import Log

    command = [sys.executable, "-m", "shapeviz", "train", "--preset", "report", *more, "-o", str(place)]
    command += ["--steps", str(options.report_steps)] + (["--threads", str(options.threads)] if options.threads else [])
    print(" ".join(command), file=sys.stderr)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    weights = checkpoint.load(place / "last.pt")["model"]
    matrices = {tensor.data_ptr(): tensor for tensor in weights.values() if tensor.dim() == 2}
    text = corpus.read(csv=options.csv, column=options.column) if "--csv" in more else corpus.read()
    return {
        "rows": text.rows,
        "characters": text.characters,
        "sha256": text.sha256,
        "entropy_bits": text.entropy_bits,
        "norm": float(torch.cat([tensor.flatten() for tensor in matrices.values()]).norm()),
        "log": [{key: line.get(key) for key in ("step", "train_loss", "val_loss", "lr", "val_batch_loss")}
                for line in Log.read(place) if line["step"] % 50 == 0],
    }  # fmt: skip


def temperatures(place: Path) -> list[dict[str, Any]]:
    """Statistics of samples of a run on the bundled dialogue."""
    from dataclasses import asdict

    from shapeviz.train import corpus, generate
    from shapeviz.train.batches import tokens
    from shapeviz.train.temperature import statistics

    train_text, val_text = corpus.split(corpus.read().text)
    module, tokenizer = generate.load(place)
    rows = statistics(module, tokenizer, train_text, tokens(tokenizer.encode(val_text)), samples=512)
    return [asdict(row) for row in rows]


def main(options: argparse.Namespace) -> None:
    """Runs what is asked for; results.json keeps the other parts, and is written after each."""
    from shapeviz.files import write
    from shapeviz.train.summary import environment

    file = options.output / "results.json"
    options.output.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}

    def keep(name: str, value: Any) -> None:
        found[name] = value
        write(file, json.dumps(found, indent=1) + "\n")

    if options.text or options.csv or not options.draw:
        keep("environment", {**environment(), "threads": options.threads or environment()["threads"]})
    if options.text:
        text: dict[str, list[Any]] = {way: [] for way in WAYS}
        for seed in range(1337, 1337 + options.seeds):
            for way, results in text.items():
                results.append(child(options, way, seed))
        keep("text", {"steps": options.steps, "name": Path(options.text).name, "ways": text})
    with TemporaryDirectory() as place:
        if options.csv:
            column = ("--csv", options.csv, "--column", options.column)
            keep("csv", {"name": Path(options.csv).name, **report(options, Path(place) / "csv", *column)})
        if not options.draw:
            keep("dialogue", report(options, Path(place) / "dialogue"))
            keep("temperatures", temperatures(Path(place) / "dialogue"))
            keep("adam", report(options, Path(place) / "adam", "--optimizer", "adam"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", help="a text file, as tinyshakespeare")
    parser.add_argument("--csv", help="a CSV of dialogue")
    parser.add_argument("--column", default="text")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--report-steps", type=int, default=5000)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--draw", action="store_true", help="runs nothing anew that is not asked for")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    main(given)
    from quality_report import draw

    draw(given.output)
