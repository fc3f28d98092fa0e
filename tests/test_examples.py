"""The examples run, and stay short."""

import subprocess
import sys
from pathlib import Path

import pytest

import shapeviz

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_runs_and_has_at_most_40_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 40
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout


def test_the_low_rank_example_counts_what_the_paper_counts() -> None:
    # d·k frozen and r·(d + k) added: 4096² + 8·(4096 + 4096) = 16_842_752 (Hu et al. 2021, section 4.2)
    script = EXAMPLES / "own_block.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert f"{4096**2 + 8 * (4096 + 4096):,}" in done.stdout


def test_the_sizes_in_the_example_give_bert_base_s_encoder() -> None:
    # BertModel has 109_482_240 parameters: without the pooler (768² + 768), the token types (2·768) and the norm of
    # the embeddings (2·768) this is our encoder
    report = shapeviz.measure(shapeviz.read(EXAMPLES / "bert_base_sizes.toml"))
    assert report.total["params"].value == 109_482_240 - (768**2 + 768) - 2 * 768 - 2 * 768
