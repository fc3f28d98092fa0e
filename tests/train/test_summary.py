"""The report of a run: its numbers, in a Markdown that nothing from outside can break."""

import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from shapeviz.train import summary
from shapeviz.train.log import Log

ROW = SimpleNamespace(
    what="parameters", formula="V·d_model", substituted="65 × 128", predicted=8320, measured=8320, note="exact | all"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log = Log(tmp_path)
    for step in range(0, 5001, 100):
        log.add(step=step, train_loss=2.0, val_loss=3.0 - step / 5000, lr=1e-3, tokens_per_second=17_654.3)
    log.close()
    return tmp_path


def test_a_report_has_every_part(folder: Path) -> None:
    summary.write(
        folder,
        recipe={"layers": 4, "texts": [], "ff": None, "min_lr": 0.0001},
        data={"rows": 67_373, "sha256": "ab12"},
        outcome={"seconds": 31.26},
        samples=[("temperature 0.8, seed 1", "Anna: yes.")],
        predictions=[ROW],
        machine={"torch": "2.13.0", "threads": 2},
        command="shapeviz train --steps 5000",
        entropy_bits=1.25,
        chars_per_token=2.0,
    )
    text = (folder / "report.md").read_text()
    sections = re.findall(r"^## (.*)", text, re.M)
    assert [
        "Outcome", "Prediction and measurement", "Sample: temperature 0.8, seed 1", "Data", "Recipe", "Evaluations",
        "Environment",
    ] == sections  # fmt: skip
    # 2 / (2 ln 2) = 1.4427 bits; 1.4427 - 1.25 = 0.1927, 1.4427 / 1.25 = 1.154
    assert "**2.0000 nats per token**, a perplexity of 7.3891, 1.4427 bits per character, at step 5,000" in text
    assert "1.2500 bits per character: this is 0.1927 bits above it, 1.154 times as much." in text
    assert "| parameters | `V·d_model` | `65 × 128` | 8320 | 8320 | exact \\| all |" in text
    assert "Letters are those of config.json and: `A` batches of a step" in text
    assert "```text\nAnna: yes.\n```" in text
    assert "| rows | 67,373 |" in text
    assert "| min lr | 0.0001 |" in text
    assert "ff" not in text
    assert "texts" not in text
    assert "| torch | 2.13.0 |" in text
    assert "on one batch" not in text


def test_of_many_evaluations_twenty_are_shown_with_the_first_and_the_last(folder: Path) -> None:
    summary.write(folder, machine={})
    rows = re.findall(r"^\| ([\d,]+) \| 2\.0000 \| ([\d.]+) \| ([\d.]+) \|", (folder / "report.md").read_text(), re.M)
    assert 20 == len(rows)
    assert ("0", "5,000") == (rows[0][0], rows[-1][0])
    for _, loss, bits in rows:
        assert float(bits) == pytest.approx(float(loss) / math.log(2), abs=1e-3)


def test_the_loss_on_one_batch_has_a_column_where_it_was_taken(tmp_path: Path) -> None:
    Log(tmp_path).add(step=500, train_loss=2.0, val_loss=2.1, lr=0.5, val_batch_loss=2.25)
    summary.write(tmp_path, machine={})
    # 2.1 / ln 2 = 3.0297
    assert "| 500 | 2.0000 | 2.1000 | 3.0297 | 0.5 | – | 2.2500 |" in (tmp_path / "report.md").read_text()


def test_a_run_without_a_line_has_a_report(tmp_path: Path) -> None:
    summary.write(tmp_path, machine={"threads": 1})
    text = (tmp_path / "report.md").read_text()
    assert "Evaluations" not in text
    assert "| threads | 1 |" in text


def test_a_sample_cannot_break_out_of_its_fence(tmp_path: Path) -> None:
    hostile = "a\n```\n# heading\n````\n\x1b[31mred\x07"
    summary.write(tmp_path, samples=[("<b>`x`", hostile)], machine={})
    text = (tmp_path / "report.md").read_text()
    assert "`````text\na\n```\n# heading\n````\n\\x1b[31mred\\x07\n`````" in text
    assert "## Sample: &lt;b&gt;\\`x\\`" in text


def test_a_value_cannot_break_out_of_its_cell(tmp_path: Path) -> None:
    summary.write(tmp_path, data={"source": "a|b\n| c | <script>"}, machine={})
    assert "| source | a\\|b \\| c \\| &lt;script&gt; |" in (tmp_path / "report.md").read_text()


def test_the_environment_is_that_of_torch_and_is_json() -> None:
    import torch

    found = summary.environment()
    assert torch.__version__ == found["torch"]
    assert torch.get_num_threads() == found["threads"]
    assert torch.backends.cpu.get_cpu_capability() == found["instructions"]
    assert found["processor"]
    assert found == json.loads(json.dumps(found))
    assert not {"host", "hostname", "user", "path"} & set(found)
