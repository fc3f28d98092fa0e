"""Parameters that one token meets: all, but of a mixture's experts only those that the router chooses."""

from __future__ import annotations

from shapeviz.analyses.params import own
from shapeviz.analysis import WRITTEN, Analysis, sets_met

analysis = Analysis(
    "active parameters",
    "parameters that one token meets: of E experts the k that its router chooses; embeddings included",
    own,
    weigh=sets_met,
    knows=WRITTEN,
)
