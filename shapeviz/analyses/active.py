"""Parameters that one token meets: all, but of a mixture's experts only those that the router chooses."""

from __future__ import annotations

from shapeviz.analyses.params import own

title = "active parameters"
convention = "parameters that one token meets: of E experts the k that its router chooses; embeddings included"
times = "active"

__all__ = ["own"]
