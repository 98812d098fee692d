"""The hot path (poll, append, score, decide, commit, persist) and the restoring of partitions. Depends only on ports."""

from __future__ import annotations
