"""Judges the times of a source: zones, order, and times finer than a millisecond. Says what looks wrong, with the cure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_detector.errors import InputDataError
from stream_detector.ingest.local_time import utc_times
from stream_detector.ingest.parsing import Parsing
from stream_detector.readings import BoolArray, Int32Array, Int64Array
from stream_detector.tables.repeated_hour import second_pass_of_file
from stream_detector.tables.time_column import Times
from stream_detector.timestamps import duration, iso_time

_HOUR_MS = 3_600_000
#: A pause that no history has: on one side of it, a clock was not set.
_LONGEST_PAUSE_MS = 365 * 24 * _HOUR_MS
#: Sensors whose times go back at more than this share of their readings, and at more than this many, are in disorder.
_DISORDER_SHARE, _MOST_STEPS_BACK = 0.005, 3
#: Readings that share a millisecond with another one of their sensor: from this share on, they are refused.
_CROWDED_SHARE = 0.01
#: A step back by an hour less a usual step is the end of summer time; a usual step is at most this many median ones.
_USUAL_STEPS = 3.0


def in_utc(
    times: Times, codes: Int32Array, parsing: Parsing, machines: Int32Array | None = None
) -> tuple[Int64Array, list[str]]:
    """Return the times [N] of a file in UTC and sentences on them. Times without a zone are in that of `parsing`.

    `codes` [N] are of the sensors, or of the tags of a long table, which are those of `machines` [N].
    """
    zone = parsing.zone
    if zone is None or not times.has_no_zone.any():
        return times.ms, []
    local = np.flatnonzero(times.has_no_zone)
    utc, later = times.ms.copy(), np.zeros(len(times.ms), np.int64)
    utc[local], later[local] = utc_times(times.ms[local], zone)
    is_second, notes = second_pass_of_file(codes, codes if machines is None else machines, utc, later, parsing)
    if count := int(is_second.sum()):
        how = "by order" if parsing.repeated_hour is None else f"as --repeated-hour {parsing.repeated_hour} says"
        notes.insert(0, f"{count:,} local times are in the second pass of the hour that {zone} repeats, {how}")
    skipped = np.flatnonzero(later < 0)
    if len(skipped):
        notes.append(
            f"{len(skipped):,} local times do not exist in {zone}, which skips them (first: data row {skipped[0] + 1}): "
            f"taken as not yet changed; does the clock follow this zone?"
        )
    return utc + later * is_second, notes


def zone_hint(times: Times, codes: Int32Array, sensors: Sequence[str]) -> list[str]:
    """Return a sentence if times without a zone go back by an hour, as local times do when summer time ends."""
    order = np.argsort(codes, kind="stable")
    if not times.has_no_zone.all() or len(order) < 3:
        return []
    same = np.diff(codes[order]) == 0
    steps = np.diff(times.ms[order])
    back, usual = same & (steps < 0), steps[same & (steps > 0)]
    if not back.any() or not len(usual) or back.sum() > max(_MOST_STEPS_BACK * len(sensors), _DISORDER_SHARE * len(order)):
        return []
    hour = np.flatnonzero(back & _is_hour(steps, float(np.median(usual))))
    if not len(hour):
        return []
    row = int(order[hour[0] + 1])
    return [
        f"times of {sensors[codes[row]]} go back by an hour at data row {row + 1} ({iso_time(int(times.ms[row]))[:19]}): these "
        f"look like local times at the end of summer time. Name their zone, for example --time-zone Europe/Berlin, and for "
        f"the stream STREAM_DETECTOR_INPUT__TIME_ZONE"
    ]


def _is_hour(steps: Int64Array, usual_ms: float) -> BoolArray:
    """Return which steps back are of a clock that was set back by an hour, as summer time ends."""
    hidden = steps + _HOUR_MS  # the true step, if so
    return np.asarray((hidden > 0) & (hidden <= _USUAL_STEPS * usual_ms))


def stray_dates(times_ms: Int64Array, codes: Int32Array, sensors: Sequence[str]) -> list[str]:
    """Return a sentence if readings of a sensor are more than a year apart, as where a clock was not set for a while."""
    order = np.lexsort((times_ms, codes))
    steps = np.diff(times_ms[order])
    far = np.flatnonzero((np.diff(codes[order]) == 0) & (steps > _LONGEST_PAUSE_MS))
    if not len(far):
        return []
    before, after = int(order[far[0]]), int(order[far[0] + 1])
    between = duration(float(steps[far[0]]) / 1000.0)
    return [
        f"{between} lie between a reading of {sensors[codes[before]]} at {iso_time(int(times_ms[before]))[:19]} (data row "
        f"{before + 1}) and its next at {iso_time(int(times_ms[after]))[:19]} (data row {after + 1}): was a clock not set?"
    ]


def check_resolution(where: str, times: Times, codes: Int32Array) -> list[str]:
    """Return a sentence if readings of a sensor differ by less than a millisecond; raise InputDataError if many do."""
    if not times.rest.any():
        return []
    order = np.lexsort((times.rest, times.ms, codes))
    same = (np.diff(codes[order]) == 0) & (np.diff(times.ms[order]) == 0)
    count = int((same & (np.diff(times.rest[order]) != 0)).sum())
    if not count:
        return []
    text = (
        f"{count:,} of {len(codes):,} readings follow another of their sensor within the same millisecond, and times are kept "
        f"to the millisecond: average them, or keep one, to at most 1,000 readings a second"
    )
    if count > _CROWDED_SHARE * len(codes):
        msg = f"{where}: {text}"
        raise InputDataError(msg)
    return [text]


def check_order(where: str, codes: Int32Array, times_ms: Int64Array, sensors: Sequence[str]) -> list[str]:
    """Return a sentence if times of a sensor go back, as after its clock was set back; raise InputDataError for a disorder."""
    order = np.argsort(codes, kind="stable")
    back = np.flatnonzero((np.diff(codes[order]) == 0) & (np.diff(times_ms[order]) < 0))
    if not len(back):
        return []
    counts, sizes = np.bincount(codes[order[back]], minlength=len(sensors)), np.bincount(codes, minlength=len(sensors))
    disordered = _most(counts, sizes)
    row = int(order[back[0] + 1])
    if disordered.any():
        code = int(disordered.argmax())
        msg = (
            f"{where}: the rows of {int(disordered.sum()):,} of {len(sensors):,} sensors are not in order of time: those of "
            f"{sensors[code]} go back {counts[code]:,} times in {sizes[code]:,} rows. Sort the file by timestamp"
        )
        raise InputDataError(msg)
    by = duration((times_ms[order[back[0]]] - times_ms[row]) / 1000.0)
    more = f" (and at {len(back) - 1:,} more)" if len(back) > 1 else ""
    steps = np.diff(times_ms[order])
    is_hour = bool(_is_hour(steps[back], float(np.median(np.abs(steps)))).all())
    cure = "sorting it would mix the two hours" if is_hour else "if the file is not in order, sort it by timestamp"
    return [
        f"times of {sensors[codes[row]]} go back by {by} at data row {row + 1}{more}: rows that are not newer than the newest "
        f"of their sensor are dropped, as in the stream; {cure}"
    ]


def _most(counts: Int64Array, sizes: Int64Array) -> BoolArray:
    return np.asarray((counts > _MOST_STEPS_BACK) & (counts > _DISORDER_SHARE * sizes))
