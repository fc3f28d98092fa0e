"""Claims: figures that somebody wrote down about a model, each checked against the exact report.

A file of claims is TOML, one `[[claim]]` for each figure or sum:

    [[claim]]
    label = "decoder layer"                  # the source's words, optional, like quote
    path = "decoder.layer"                   # a row of the report, or "model"
    params = 7_617_192                       # or flops = …, or shape = [32, 4096, 1024]

    [[claim]]
    path = "decoder.layer"
    all = true                               # all 8 layers together
    params = "60,936,192"
    sum = "8 × 7,617,024"                    # how the source derives it, optional

    [[claim]]
    paths = ["encoder.layer.self_attention.query", ".key", ".value"]      # counts are added up, a shape is each one's
    params = 2_361_600

    [[claim]]
    sum = "4,465,920 × 6 + 7,617,192 × 8"    # plain arithmetic
    equals = 87_731_712
"""

from __future__ import annotations

from pathlib import Path

from shapeviz.claims import file, origins
from shapeviz.claims.findings import Finding, findings
from shapeviz.report import Report

__all__ = ["Finding", "check_claims"]


def check_claims(report: Report, path: str | Path) -> tuple[Finding, ...]:
    """Every figure of a file of claims against the report, in the file's order; a slip's note tells its likely origin.

    Raises InputError for a file that cannot be read or understood, and for a claim about what cannot be counted.
    """
    path = Path(path)
    claims = file.read(path, report)
    return origins.explained(report, [finding for claim in claims for finding in findings(report, claim, path)])
