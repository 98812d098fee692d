"""What the pipeline is configured with: names of topics, and bounds. assembly.py makes these from the settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommitPolicy:
    """For how long, and for how many records, a commit of positions alone may wait. An event or a dead letter never waits."""

    seconds: float = 0.0
    records: int = 4096


AT_ONCE = CommitPolicy()


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Names of the topics, and bounds of a step."""

    input_topic: str
    alerts_topic: str
    dead_letter_topic: str
    max_dead_letter_bytes: int = 262_144
    poll_seconds: float = 0.5
    overlap_records: int = 4096  # a batch of fewer is carried through in one step
    commits: CommitPolicy = AT_ONCE


@dataclass(frozen=True, slots=True)
class RestoreConfig:
    """Where a new group starts, how much history fills the windows, and how restoring and polling take turns."""

    start: str | int = "latest"  # latest, earliest, or milliseconds since 1970
    lookback_ms: int = 0
    max_lookback_records: int = 5_000_000
    slice_records: int = 4096
    restore_seconds: float = 1.0  # between two polls, and then for one more slice at most
    retry_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class LagBounds:
    """How far the store may lag behind the committed positions before reading stops, and how often an absent one is asked."""

    readings: int
    seconds: float
    retry_seconds: float = 1.0
