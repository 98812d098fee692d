"""Says whose the late readings are, how late, and whether they are late for a reason that can be mended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from stream_detector.readings import Readings
from stream_detector.state.assembling import Assembled
from stream_detector.state.lateness import Late
from stream_detector.timestamps import duration, shown_time

#: The setting with which metrics of their own become readings.
ASSEMBLE_SETTING = "STREAM_DETECTOR_INPUT__ASSEMBLE_SECONDS"
#: Late readings of a batch that are looked at, and sensors that are named.
_LOOKED_AT, _NAMED = 64, 3
#: Readings of a batch among which that of the same time is looked for.
_SEARCHED = 64


@dataclass(slots=True)
class LateReport:
    """Late readings since the last report. Filled in batch by batch."""

    sensors: Counter[str] = field(default_factory=Counter)  # of those looked at
    looked_at: int = 0
    orderly: int = 0  # newer than the late one before
    other_features: int = 0  # at the time of a reading of the sensor in the batch, with values of other features
    other_values: int = 0  # at the time of the sensor's newest reading, with other values of the same features
    behind_ms: list[int] = field(default_factory=list)
    buckets: int = 0  # those of assembled readings, whose bucket was complete
    bucket: str = ""  # of the first of these

    def add(self, readings: Readings, late: Late) -> None:
        """Look at some late readings of a batch."""
        chosen = late.reading[:_LOOKED_AT].tolist()
        if not chosen:
            return
        self.looked_at += len(chosen)
        self.sensors.update(readings.sensors[at] for at in chosen)
        self.orderly += int(late.is_orderly[:_LOOKED_AT].sum())
        self.behind_ms += late.behind_ms[:_LOOKED_AT].tolist()
        of_time = [(at, before) for at in chosen if (before := _at_same_time(readings, at)) is not None]
        self.other_features += sum(_adds_features(readings, *pair) for pair in of_time)
        newest = set(late.reading[late.behind_ms == 0].tolist())  # an older time that comes again is of a clock set back
        self.other_values += sum(_differs(readings, *pair) for pair in of_time if pair[0] in newest)

    def add_to_buckets(self, assembled: Assembled) -> None:
        """Look at some messages of a batch whose bucket was complete when they came."""
        messages, late = assembled.messages, assembled.late
        chosen = late.reading[:_LOOKED_AT].tolist()
        if not chosen:
            return
        self.looked_at += len(chosen)
        self.buckets += len(chosen)
        self.sensors.update(messages.sensors[at] for at in chosen)
        self.orderly += int(late.is_orderly[:_LOOKED_AT].sum())
        self.behind_ms += late.behind_ms[:_LOOKED_AT].tolist()
        start_ms = int(messages.times_ms[chosen[0]]) // assembled.bucket_ms * assembled.bucket_ms
        span = f"{shown_time(start_ms)} to {shown_time(start_ms + assembled.bucket_ms)}"
        self.bucket = self.bucket or f"the bucket from {span} of {messages.sensors[chosen[0]]}"

    def __add__(self, other: LateReport) -> LateReport:
        """Return both reports as one."""
        return LateReport(
            sensors=self.sensors + other.sensors,
            looked_at=self.looked_at + other.looked_at,
            orderly=self.orderly + other.orderly,
            other_features=self.other_features + other.other_features,
            other_values=self.other_values + other.other_values,
            behind_ms=self.behind_ms + other.behind_ms,
            buckets=self.buckets + other.buckets,
            bucket=self.bucket or other.bucket,
        )

    def describe(self) -> str:
        """Return whose, how late, and in which order, as part of a sentence; empty if nothing was looked at."""
        if not self.looked_at:
            return ""
        named = ", ".join(name for name, _ in self.sensors.most_common(_NAMED))
        more = f" and {len(self.sensors) - _NAMED} more" if len(self.sensors) > _NAMED else ""
        behind = np.array(self.behind_ms) / 1000.0
        least, most = duration(float(behind.min())), duration(float(behind.max()))
        late = f"of {named}{more}; {least if least == most else f'{least} to {most}'} late"
        if 2 * self.buckets > self.looked_at:
            return self._of_buckets(late)
        if self.are_of_other_features:
            return (
                f"{late}. They have the time of another reading and values of other features: is each metric a message of its "
                f"own? Set {ASSEMBLE_SETTING} to the time between two readings: then the metrics of a sensor become one "
                "reading (docs/input.md)"
            )
        if self.are_of_other_values:
            return (
                f"{late}. They have the time of another reading and other values: are times cut to whole seconds? Send finer "
                "times (milliseconds), or join the readings of one time"
            )
        if not behind.any():
            return f"of {named}{more}: repetitions, at the time of a reading that came before"
        if self.are_orderly:
            return f"{late}; most are newer than the late one before, as by a clock that was set back or a backlog sent late"
        return f"{late}; in no order, as if several send for one sensor or some were sent again"

    def _of_buckets(self, late: str) -> str:
        text = f"{late}: {self.bucket} was complete, for example. Where they are the newest, their values count from now on"
        if self.are_orderly:
            return f"{text}. Most are newer than the late one before, as by a clock that was set back or a backlog sent late"
        return f"{text}. If there are many, raise {ASSEMBLE_SETTING}"

    @property
    def are_orderly(self) -> bool:
        """Whether most of those that were looked at are newer than the late one before."""
        return 2 * self.orderly > self.looked_at

    @property
    def are_of_other_values(self) -> bool:
        """Whether most of those that were looked at have other values than the reading of that time."""
        return 2 * self.other_values > self.looked_at

    @property
    def can_be_mended(self) -> bool:
        """Whether most of those that were looked at are late for a reason that somebody can mend."""
        return self.are_of_other_features or self.are_of_other_values or self.are_orderly

    @property
    def are_of_other_features(self) -> bool:
        """Whether most of those that were looked at have values of features that the reading of that time lacks."""
        return 2 * self.other_features > self.looked_at


def _at_same_time(readings: Readings, at: int) -> int | None:
    """Return the reading just before of the same sensor and time, if it is near in the batch."""
    for before in range(at - 1, max(at - 1 - _SEARCHED, -1), -1):
        if readings.sensors[before] == readings.sensors[at] and readings.times_ms[before] == readings.times_ms[at]:
            return before
    return None


def _adds_features(readings: Readings, at: int, before: int) -> bool:
    """Return whether a reading has a value where the other has none."""
    return bool((~np.isnan(readings.values[at]) & np.isnan(readings.values[before])).any())


def _differs(readings: Readings, at: int, before: int) -> bool:
    """Return whether two readings have different values of a feature."""
    return bool((np.abs(readings.values[at] - readings.values[before]) > 0).any())  # False for NaN
