"""The hot path: poll, append, score, decide, commit, persist; and restoring partitions. Knows ports only."""

from __future__ import annotations
