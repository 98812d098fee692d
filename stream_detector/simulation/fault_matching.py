"""Matches opened incidents to injected faults, and counts found faults, missed faults and false alarms.

A fault is found if an incident of its sensor opened in the fault's first half (evaluation/finding.py). An incident that opened
later, up to one window after the fault's end, shows that the fault was seen too late: it finds nothing and is no false alarm,
and neither is a second incident within the same fault. Every incident that opened at any other time is a false alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from stream_detector.evaluation.finding import is_found
from stream_detector.simulation.faults import Fault


@dataclass(frozen=True, slots=True)
class OpenedIncident:
    """An incident that opened: its sensor, event time, and features, the largest share of the score first."""

    sensor_id: str
    time_ms: int
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FaultOutcome:
    """A fault, and the first incident that opened between its start and a window after its end, if any did."""

    fault: Fault
    opened: OpenedIncident | None

    def is_found(self) -> bool:
        """Return whether the incident opened early enough."""
        return self.opened is not None and bool(is_found(self.fault.start_ms, self.fault.end_ms, self.opened.time_ms))

    def delay_seconds(self) -> float | None:
        """Return the event time from the fault's start to the alert."""
        return None if self.opened is None else (self.opened.time_ms - self.fault.start_ms) / 1000.0

    def ranks_faulty_feature_first(self) -> bool:
        """Return whether the incident's first feature is one that the fault changed."""
        return self.opened is not None and any(name in self.fault.features for name in self.opened.features[:1])


@dataclass(frozen=True, slots=True)
class MatchResult:
    """The outcome of every fault, and the incidents that match none."""

    findings: tuple[FaultOutcome, ...]
    false_alarms: tuple[OpenedIncident, ...]

    def found(self) -> list[FaultOutcome]:
        """Return the faults that were found."""
        return [finding for finding in self.findings if finding.is_found()]

    def median_delay_seconds(self) -> float | None:
        """Return the median delay of the faults that were found; None if none was."""
        delays = [delay for finding in self.found() if (delay := finding.delay_seconds()) is not None]
        return median(delays) if delays else None


def match_faults(faults: Sequence[Fault], incidents: Sequence[OpenedIncident], window_seconds: float) -> MatchResult:
    """Match incidents to faults; `window_seconds` is the length of a window in event time."""
    inside = [[opened for opened in incidents if _is_of(opened, fault, window_seconds)] for fault in faults]
    matched = {opened for of_fault in inside for opened in of_fault}
    firsts = [min(of_fault, key=lambda opened: opened.time_ms, default=None) for of_fault in inside]
    findings = tuple(FaultOutcome(fault, first) for fault, first in zip(faults, firsts, strict=True))
    return MatchResult(findings, tuple(opened for opened in incidents if opened not in matched))


def _is_of(opened: OpenedIncident, fault: Fault, window_seconds: float) -> bool:
    ends_ms = fault.end_ms + window_seconds * 1000.0
    return opened.sensor_id == fault.sensor_id() and fault.start_ms <= opened.time_ms <= ends_ms
