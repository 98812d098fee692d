"""What a batch is between append and decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.scored_readings import ScoredReadings
from stream_detector.readings import BoolArray, Float32Array, Int32Array, Int64Array
from stream_detector.state.appended import Appended
from stream_detector.state.assembling import Assembled
from stream_detector.state.running_scale import Scales


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """A batch that is appended to its sensors' windows and being scored: N accepted readings of S sensors."""

    appended: Appended
    scales: Scales  # [N]
    touched: Int32Array  # [S] slots
    fold: ScoredReadings | None  # None: scoring is off
    chosen: Int64Array  # [K] positions of the accepted readings that are being scored
    errors: Callable[[], Float32Array]  # waits for the log errors [K, M] of the chosen readings
    rule_changes: tuple[RuleChange, ...] = ()
    scorable: BoolArray | None = None  # [N] as in Detected
    assembled: Assembled | None = None
