"""The configuration of the pipeline: topic names and bounds. assembly.py derives it from the settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommitPolicy:
    """How long, and for how many records, a commit of positions alone may wait. Events and dead letters never wait."""

    seconds: float = 0.0
    records: int = 4096


AT_ONCE = CommitPolicy()


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Topic names, and the bounds of a step."""

    input_topic: str
    alerts_topic: str
    dead_letter_topic: str
    max_dead_letter_bytes: int = 262_144
    poll_seconds: float = 0.5
    overlap_records: int = 4096  # a smaller batch completes within its step
    commits: CommitPolicy = AT_ONCE


@dataclass(frozen=True, slots=True)
class RestoreConfig:
    """Where a new group starts, how much history fills the windows, and how restoring and polling take turns."""

    start: str | int = "latest"  # latest, earliest, or milliseconds since 1970
    lookback_ms: int = 0
    max_lookback_records: int = 5_000_000
    slice_records: int = 4096
    restore_seconds: float = 1.0  # between two polls; the last slice may take longer
    retry_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class LagBounds:
    """How far the store may lag behind the committed positions before reading stops, and when an absent store is retried."""

    readings: int
    seconds: float
    retry_seconds: float = 1.0
