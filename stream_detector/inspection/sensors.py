"""Tells from stored records in which state each sensor is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stream_detector.detection.silence import PartitionSilence
from stream_detector.detection.transition import ANOMALY
from stream_detector.inspection.closing import Closing, closing_of
from stream_detector.inspection.judge import Judge
from stream_detector.readings import BoolArray, Int32Array, Int64Array
from stream_detector.state.idle import are_idle
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.record_layout import KEPT_TYPES, NO_INCIDENT, Records
from stream_detector.state.running_scale import stored_scales

#: The states, what needs attention first. A sensor is in the first one that applies; silence comes before an incident, because
#: it ends the others, and idle before its window and its scale, of which nothing is asked then.
IN_INCIDENT, SILENT, FILLING, LEARNING, IDLE, READY = STATES = (
    *("in_incident", "silent", "filling", "learning"),
    *("idle", "ready"),
)


@dataclass(frozen=True, slots=True)
class OpenType:
    """An open incident of a sensor, by its record."""

    type: str
    offset: int  # of the reading that opened it
    since_ms: int  # event time of that reading
    closing: Closing | None = None  # what it waits for


class Judged(NamedTuple):
    """When a sensor's newest reading was written to the topic, and the tag of the model that judged it."""

    stamp_ms: int
    model_tag: int


@dataclass(frozen=True, slots=True)
class SensorStatus:
    """A sensor as it was when its state was last stored."""

    sensor: str
    partition: int
    state: str  # of STATES
    last_ms: int  # event time of its newest reading
    filled: int  # readings in its window
    window_length: int
    is_known: bool  # the model knows it; True without a model
    learned: int = 0  # readings from which its scale was learned so far, while it learns
    to_learn: int = 0
    incidents: tuple[OpenType, ...] = ()
    judged: Judged | None = None

    @property
    def order(self) -> tuple[int, int, str]:
        """Sorts sensors: what needs attention first, the longest silence first, the newest incident first."""
        newest = max((one.since_ms for one in self.incidents), default=0)
        key = -newest if self.state == IN_INCIDENT else self.last_ms if self.state == SILENT else 0
        return STATES.index(self.state), key, self.sensor


def sensors_of(
    partition: int, stored: Mapping[str, bytes], judge: Judge, silences: Sequence[PartitionSilence]
) -> tuple[list[SensorStatus], int]:
    """Return the sensors of a partition, and how many records cannot be read.

    `silences` are what the partition is known to have announced, from different sources.
    """
    records, is_usable = judge.decode(list(stored.values()))
    names = [name for name, usable in zip(stored, is_usable.tolist(), strict=True) if usable]
    records = records[is_usable]
    header, length = records["header"], judge.shape.window_length
    table_rows, is_learning, learned = _learning(names, records, judge)
    is_silent = _silent(header, judge, silences)
    incidents, idle = _incidents(records, judge), are_idle(records, judge.model.only_while if judge.model else None)
    to_learn = judge.model.scales.learned_count if judge.model else 0
    found = [
        SensorStatus(
            sensor=name,
            partition=partition,
            state=_state(
                {
                    SILENT: bool(is_silent[at]),
                    IN_INCIDENT: bool(incidents[at]),
                    IDLE: bool(idle[at]),
                    FILLING: int(header["filled"][at]) < length,
                    LEARNING: bool(is_learning[at]),
                }
            ),
            last_ms=int(header["last_time_ms"][at]),
            filled=int(header["filled"][at]),
            window_length=length,
            is_known=judge.model is None or bool(table_rows[at] != UNKNOWN),
            learned=int(learned[at]) if is_learning[at] else 0,
            to_learn=to_learn if is_learning[at] else 0,
            incidents=incidents[at],
            judged=Judged(int(header["stamp_ms"][at]), int(header["model"][at])),
        )
        for at, name in enumerate(names)
    ]
    return found, len(stored) - len(names)


def _state(applies: Mapping[str, bool]) -> str:
    return next((state for state, holds in applies.items() if holds), READY)


def _learning(names: Sequence[str], records: Records, judge: Judge) -> tuple[Int32Array, BoolArray, Int64Array]:
    """Return the rows of sensors [N] in the model's table, which still learn, and from how many readings they have [N]."""
    model = judge.model
    if model is None or not names:
        none = np.zeros(len(names), np.int64)
        return none.astype(np.int32), none > 0, none
    table_rows = model.sensors.find(names)
    header = judge.as_of_model(records, table_rows)["header"]
    scales = stored_scales(records, table_rows, model.scales)
    settling, hidden = scales.are_settling, scales.hidden
    is_learned = np.ones(len(names), np.bool_) if settling is None else ~settling
    is_ready = model.rules.is_ready(table_rows, header["level_count"].astype(np.float64), is_learned)
    is_relearning = np.zeros(len(names), np.bool_) if hidden is None else hidden.any(axis=1)
    counts = records["moments"]["count"].astype(np.int64)
    learned = np.where(counts > 0, counts, np.iinfo(np.int64).max).min(axis=1)
    learned = np.where((counts > 0).any(axis=1), learned, 0)
    return table_rows, ~is_ready | is_relearning, np.minimum(learned, model.scales.learned_count)


def _silent(header: Records, judge: Judge, silences: Sequence[PartitionSilence]) -> BoolArray:
    """Return which sensors [N] are silent: announced, or due by their partition's clock."""
    found = np.zeros(len(header), np.bool_)
    if judge.silences is None:
        return found
    limits_s = judge.silences.limits_s(header["count"].astype(np.int64), header["interval_ms"], header["pause_ms"])
    due_s, places = header["heard"].astype(np.int64) + limits_s, header["last_offset"]
    for silence in silences:
        found |= silence.are_announced(places, due_s) | (due_s <= silence.clock.second)
    return np.asarray(found & (places >= 0))


def _incidents(records: Records, judge: Judge) -> list[tuple[OpenType, ...]]:
    """Return the open incidents of each record."""
    header, rules = records["header"], judge.model.rules if judge.model else None
    found: list[list[OpenType]] = [[] for _ in range(len(records))]
    for at in np.flatnonzero(header["incident_offset"] != NO_INCIDENT).tolist():
        place, since_ms = int(header["incident_offset"][at]), int(header["incident_time_ms"][at])
        found[at].append(OpenType(ANOMALY, place, since_ms, closing_of(records[at : at + 1], ANOMALY, rules)))
    for kind in KEPT_TYPES:
        state = records["rules"]["incidents"][kind]
        for at in np.flatnonzero(state["offset"] != NO_INCIDENT).tolist():
            closing = closing_of(records[at : at + 1], kind, rules)
            found[at].append(OpenType(kind, int(state["offset"][at]), int(state["time_ms"][at]), closing))
    return [tuple(one) for one in found]
