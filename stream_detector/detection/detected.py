"""The outcome of a batch of readings."""

from __future__ import annotations

from dataclasses import dataclass

from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.scored_readings import Decisions
from stream_detector.readings import BoolArray, Readings
from stream_detector.state.appended import Appended
from stream_detector.state.assembling import Assembled
from stream_detector.state.running_scale import Scales


@dataclass(frozen=True, slots=True)
class Detected:
    """The outcome of a batch: N accepted readings, grouped by sensor."""

    appended: Appended
    scales: Scales  # [N]
    scored: int  # readings that have a score
    decisions: Decisions | None  # None: scoring was off
    rule_changes: tuple[RuleChange, ...] = ()  # in any order
    scorable: BoolArray | None = None  # [N] the window is full, or of a sensor that is scored before; None: not known
    assembled: Assembled | None = None  # None: each message is a reading

    def readings_of(self, messages: Readings) -> Readings:
        """Return the readings that were appended: the messages of the batch themselves, or what they completed."""
        return messages if self.assembled is None else self.assembled.readings
