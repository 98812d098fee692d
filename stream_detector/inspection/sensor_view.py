"""Puts together what is known of one sensor: its last window, what was expected, and what the rules say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from difflib import get_close_matches

import numpy as np

from stream_detector.detection.severity import ratio_of, severity_of
from stream_detector.detection.transition import ANOMALY
from stream_detector.inspection.alarms import OpenIncident
from stream_detector.inspection.closing import Closing, explained
from stream_detector.inspection.judge import Judge
from stream_detector.inspection.scored_window import Scored
from stream_detector.inspection.sensors import SILENT, OpenType, SensorStatus
from stream_detector.inspection.window import StoredWindow
from stream_detector.readings import Float64Array, Int64Array
from stream_detector.state.record_layout import KEPT_TYPES, Records

#: A feature whose share of the score is larger is marked.
MARKED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class FeatureView:
    """A feature over the window. T readings, lost ones included."""

    name: str
    unit: str  # empty: not set
    is_counter: bool  # the values are rises per hour
    values: Float64Array  # [T] NaN: missing
    expected: Float64Array | None  # [T] None: nothing is expected of it now
    share: float | None  # of the score
    unchanged: int  # readings that repeated the value before, up to the newest
    absent: int  # readings without a value, up to the newest
    rules: tuple[str, ...]  # types of the open incidents of rules that are about it

    @property
    def is_marked(self) -> bool:
        """Whether the score or a rule says that this feature is off."""
        return bool(self.rules)

    @property
    def label(self) -> str:
        """Return its name with its unit."""
        name = f"rise of {self.name} per hour" if self.is_counter else self.name
        return f"{name} [{self.unit}]" if self.unit else name


@dataclass(frozen=True, slots=True)
class SensorView:
    """One sensor."""

    status: SensorStatus
    input_topic: str
    times_ms: Int64Array  # [T]
    features: tuple[FeatureView, ...]  # the most blamed first
    scored: Scored | None
    step_share: Float64Array | None  # [T] share of the score by reading
    not_scored: str  # why there is no score; empty if there is one
    incidents: tuple[OpenIncident, ...]
    notes: tuple[str, ...] = ()
    zone: tzinfo | None = None  # in which times are shown; None: UTC

    @property
    def severity(self) -> str:
        """Return the severity of the score; empty if it is not anomalous."""
        if self.scored is None or not self.scored.is_anomalous:
            return ""
        return severity_of(float(ratio_of(self.scored.score, self.scored.threshold)))

    def is_marked(self, feature: FeatureView) -> bool:
        """Return whether the score or a rule says that a feature is off."""
        of_score = self.scored is not None and (self.scored.is_anomalous or bool(self.status.incidents))
        return feature.is_marked or (of_score and (feature.share or 0.0) >= MARKED_SHARE)


@dataclass(frozen=True, slots=True)
class Found:
    """A sensor's record [1] and what it was found with."""

    status: SensorStatus
    records: Records
    judge: Judge


def sensor_view(
    found: Found,
    window: StoredWindow,
    scored: Scored | None,
    units: dict[str, str],
    *,
    input_topic: str,
    not_scored: str,
    events: Iterable[OpenIncident],
    notes: Sequence[str] = (),
) -> SensorView:
    """Describe a sensor; `events` are the open incidents of the alerts topic, of this sensor or of others too."""
    shape, rows = found.judge.shape, window.is_row
    shares = None if scored is None else scored.feature_share
    features = [
        FeatureView(
            name=name,
            unit=units.get(name, ""),
            is_counter=name in shape.counters,
            values=window.values[rows, at].astype(np.float64),
            expected=_expected(scored, window, at),
            share=None if shares is None else float(shares[at]),
            unchanged=int(found.records["unchanged"][0, at]),
            absent=int(found.records["rules"]["absent"][0, at]),
            rules=_rules_about(found.records, at),
        )
        for at, name in enumerate(shape.features)
    ]
    features.sort(key=lambda one: (-(one.share or 0.0), not one.rules))
    return SensorView(
        status=found.status,
        input_topic=input_topic,
        times_ms=window.times_ms[rows],
        features=tuple(features),
        scored=scored,
        step_share=None if scored is None else scored.step_share[rows].astype(np.float64),
        not_scored=not_scored,
        incidents=_incidents(found, events, scored),
        notes=tuple(notes),
    )


def names_like(sensor: str, names: Sequence[str], most: int = 5) -> list[str]:
    """Return the names that are most like one that does not exist."""
    lower = sensor.lower()
    holding = sorted((name for name in names if lower in name.lower() or name.lower() in lower), key=len)
    close = get_close_matches(sensor, names, most, 0.5)
    return list(dict.fromkeys([*close, *holding]))[:most]


def _expected(scored: Scored | None, window: StoredWindow, feature: int) -> Float64Array | None:
    if scored is None:
        return None
    expected = scored.expected[window.is_row, feature]
    return None if np.isnan(expected).all() else expected


def _rules_about(records: Records, feature: int) -> tuple[str, ...]:
    bits = int(records["rules"]["involved"][0, feature])
    return tuple([kind for at, kind in enumerate(KEPT_TYPES) if bits & 1 << at])


def _incidents(found: Found, events: Iterable[OpenIncident], scored: Scored | None) -> tuple[OpenIncident, ...]:
    """Return the open incidents of the sensor: those of its record, in the words of their events where there are any.

    Each says what it waits for.
    """
    ours = [one for one in events if one.sensor == found.status.sensor]
    told = {one.type: one for one in ours}
    of_record = [
        replace(told.get(kind.type) or _without_event(found, kind), closing=_closing(kind, scored))
        for kind in found.status.incidents
    ]
    return (*of_record, *(one for one in ours if one.type == SILENT and found.status.state == SILENT))


def _closing(kind: OpenType, scored: Scored | None) -> Closing | None:
    if kind.closing is None or kind.type != ANOMALY:
        return kind.closing
    return explained(kind.closing, scored, kind.since_ms)


def _without_event(found: Found, kind: OpenType) -> OpenIncident:
    features = found.judge.shape.features
    about = ", ".join(name for at, name in enumerate(features) if kind.type in _rules_about(found.records, at))
    return OpenIncident(found.status.sensor, kind.type, kind.since_ms, "", about)
