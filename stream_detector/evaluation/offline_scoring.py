"""Scores a dataset with the same state, scorer and decisions as the stream.

The dataset's order stands for the log, its row numbers for the offsets, and all sensors share one partition. So a prefix of
a dataset gets the same scores as the full dataset, and the stream gives the same scores for the same readings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream_detector.detection.detector import Detector
from stream_detector.detection.event_builder import event_message
from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.silence_events import opened_change
from stream_detector.detection.transition import CLOSED, OPENED, SILENT
from stream_detector.evaluation.found_events import NEVER
from stream_detector.readings import BoolArray, Float64Array, Int64Array, Message, Readings
from stream_detector.tables.dataset import Dataset

_BATCH_ROWS = 4096
#: A file is scored as one partition.
_PARTITION = 0

OnEvents = Callable[[list[Message]], object]


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """The outcome of each row [N]; score and threshold are NaN where the row was not scored.

    A row is not scored if it is late, or idle (state/idle.py), its window holds no value, or is not full and its sensor not
    known to the model, or if it falls between two strides.
    """

    score: Float64Array
    threshold: Float64Array
    is_anomaly: BoolArray
    is_holding: BoolArray  # holds an incident open, if one is open; every anomaly does
    is_late: BoolArray  # dropped: not newer than the newest reading of its sensor
    is_warming: BoolArray  # accepted, but not scored, for its window is not full: at the start or after a gap
    changes: tuple[RuleChange, ...] = ()  # of incidents of rules; their offsets are row numbers
    margin_factor: Float64Array = field(default_factory=lambda: np.empty(0))  # that moved the threshold; NaN if not scored
    accepted: tuple[int, ...] = ()  # rows at which an incident of the score was accepted as the new normal
    is_partial: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_))  # the window is not full; empty: none is
    is_idle: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_))  # out of the model's state; empty: none is


def join(parts: Sequence[ScoredRows]) -> ScoredRows:
    """Concatenate the outcomes of consecutive batches, at least one."""
    return ScoredRows(
        score=np.concatenate([part.score for part in parts]),
        threshold=np.concatenate([part.threshold for part in parts]),
        is_anomaly=np.concatenate([part.is_anomaly for part in parts]),
        is_holding=np.concatenate([part.is_holding for part in parts]),
        is_late=np.concatenate([part.is_late for part in parts]),
        is_warming=np.concatenate([part.is_warming for part in parts]),
        changes=tuple([change for part in parts for change in part.changes]),
        margin_factor=np.concatenate([part.margin_factor for part in parts]),
        accepted=tuple([row for part in parts for row in part.accepted]),
        is_partial=np.concatenate([part.is_partial for part in parts]),
        is_idle=np.concatenate([part.is_idle for part in parts]),
    )


def rule_incidents(dataset: Dataset, rows: ScoredRows) -> dict[str, BoolArray]:
    """Return for each rule that found anything the rows [N] at which an incident of it is open in their sensor."""
    codes = {sensor: code for code, sensor in enumerate(dataset.sensors)}
    found: dict[str, BoolArray] = {}
    ends = {(one.type, one.sensor_id, one.incident_offset): one.offset for one in rows.changes if one.status == CLOSED}
    for one in rows.changes:
        if one.status == OPENED:
            is_open = found.setdefault(one.type, np.zeros(len(dataset), np.bool_))
            span = slice(one.offset, ends.get((one.type, one.sensor_id, one.incident_offset), len(dataset)))
            is_open[span] |= dataset.codes[span] == codes[one.sensor_id]
    return found


def silences_told(dataset: Dataset, rows: ScoredRows) -> Int64Array:
    """Return when it was told that a sensor is silent, in ms, at its last row [N] before the silence and at its first after it.

    All other rows have NEVER.
    """
    told = np.full(len(dataset), NEVER)
    silences = [one for one in rows.changes if one.type == SILENT]
    ends = {(one.sensor_id, one.incident_offset): one.offset for one in silences if one.status == CLOSED}
    for one in silences:
        if one.status == OPENED:
            around = [one.offset, ends.get((one.sensor_id, one.incident_offset), one.offset)]
            told[around] = np.minimum(told[around], one.opened_ms)
    return told


def score_dataset(detector: Detector, dataset: Dataset, on_events: OnEvents | None = None) -> Iterator[ScoredRows]:
    """Score a dataset in order and yield the outcome batch by batch; raise ValueError if its sensors exceed the arena.

    `on_events` gets the events that the stream would publish, batch by batch, and at the end those of the sensors that have
    fallen silent by the clock of the others. If there are such sensors, the last outcome is of no row and has their silences.
    """
    if not detector.arena.make_room(len(dataset.sensors)):
        msg = f"{len(dataset.sensors)} sensors do not fit into an arena of {detector.arena.max_sensors}"
        raise ValueError(msg)
    detector.admit_new(_PARTITION, dataset.sensors)
    for first in range(0, len(dataset), _BATCH_ROWS):
        yield _score_batch(detector, dataset, slice(first, min(first + _BATCH_ROWS, len(dataset))), on_events)
    if detector.silences.is_on:
        second = detector.silences.of(_PARTITION).clock.second
        due = detector.silences.due_in_memory(_PARTITION, second)
        events = detector.announce(_PARTITION, len(dataset), second, "")
        if on_events is not None:
            on_events([event_message(event, "") for event in events])
        if due:
            yield _of_no_row(tuple([opened_change(one.sensor_id, _PARTITION, one.silence) for one in due]))


def _of_no_row(changes: tuple[RuleChange, ...]) -> ScoredRows:
    score, flag = np.empty(0), np.empty(0, np.bool_)
    return ScoredRows(score, score, flag, flag, flag, flag, changes)


def _score_batch(detector: Detector, dataset: Dataset, rows: slice, on_events: OnEvents | None) -> ScoredRows:
    codes = dataset.codes[rows]
    count = len(codes)
    readings = Readings(
        sensors=[dataset.sensors[code] for code in codes.tolist()],
        partitions=np.zeros(count, np.int32),
        places=np.arange(rows.start, rows.stop, dtype=np.int64),
        times_ms=dataset.times_ms[rows],
        values=dataset.values[rows],
    )
    detected = detector.detect(readings)
    if on_events is not None:
        on_events(detector.alerts(readings, detected, "", ""))
    score, threshold, factor = np.full((3, count), np.nan)
    accepted: tuple[int, ...] = ()
    is_anomaly, is_holding = np.zeros((2, count), np.bool_)
    is_late = np.ones(count, np.bool_)
    is_late[detected.appended.reading] = False
    is_partial = np.zeros(count, np.bool_)
    is_partial[detected.appended.reading] = detected.appended.filled < detector.model.window_length
    is_idle = np.zeros(count, np.bool_)
    is_idle[detected.appended.reading] = detected.appended.is_idle
    if detected.decisions is not None:
        scored = ~np.isnan(detected.decisions.scores)
        at = detected.appended.reading[scored]
        score[at] = detected.decisions.scores[scored]
        threshold[at] = detected.decisions.thresholds[scored]
        is_anomaly[at] = detected.decisions.anomalous[scored]
        is_holding[at] = detected.decisions.holding[scored]
        factor[at] = detected.decisions.factors[scored]
        places = [one.position for one in detected.decisions.transitions if one.is_accepted]
        accepted = tuple(readings.places[detected.appended.reading[places]].tolist())
    return ScoredRows(
        score,
        threshold,
        is_anomaly,
        is_holding,
        is_late,
        is_partial & np.isnan(score) & ~is_idle,
        detected.rule_changes,
        factor,
        accepted,
        is_partial,
        is_idle,
    )
