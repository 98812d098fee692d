"""The hour that comes twice, in the stream: told by the record's time or by the order of the sensor, however the log is cut."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.parsing import Parsing
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.state.repeated_hour import settle_times
from tests.examples import examples
from tests.fakes.memory_log import MemoryRecord

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
DECODER = JsonDecoder(("x",), InputLimits(parsing=Parsing(zone=BERLIN), max_future_ms=10**9))
HEADER = np.dtype([("last_time_ms", np.int64)])


def record(minute: int, delay_minutes: int | None, sensor: str = "a") -> MemoryRecord:
    """Return a reading in local time without a zone; its record was written later, or has no time."""
    local = (START + timedelta(minutes=minute)).astimezone(BERLIN).strftime("%Y-%m-%d %H:%M:%S")
    stamp = -1 if delay_minutes is None else START_MS + 60_000 * (minute + delay_minutes)
    value = json.dumps({"sensor_id": sensor, "timestamp": local, "values": {"x": 1}}).encode()
    return MemoryRecord("t", 0, minute, stamp, b"", value, ())


def settled(records: list[MemoryRecord], cuts: list[int]) -> list[int]:
    """Return the minutes of records as a sensor's state understands them, in batches that end at these places."""
    header = np.zeros(1, HEADER)
    found: list[int] = []
    for part in np.split(np.arange(len(records)), sorted(cuts)):
        readings = DECODER.decode([records[place] for place in part]).readings
        settle_times(header["last_time_ms"], np.zeros(len(readings), np.int32), readings)
        times = readings.times_ms.tolist()
        header["last_time_ms"] = max([int(header["last_time_ms"][0]), *times])
        found += [(time_ms - START_MS) // 60_000 for time_ms in times]
    return found


@pytest.mark.parametrize("delay_minutes", [0, -4, 1, 30, 120, None])
@pytest.mark.parametrize("step", [1, 5, 20, 30])
@settings(deadline=None, max_examples=examples(20))
@given(cuts=st.lists(st.integers(0, 48), max_size=4))
def test_both_passes_are_told_apart_however_the_log_is_cut(delay_minutes: int | None, step: int, cuts: list[int]) -> None:
    minutes = list(range(0, 240, step))

    assert settled([record(minute, delay_minutes) for minute in minutes], [min(cut, len(minutes)) for cut in cuts]) == minutes


def test_a_reading_that_is_sent_twice_does_not_begin_the_second_pass() -> None:
    minutes = [70, 75, 75, 80, 70, 85]

    assert settled([record(minute, None) for minute in minutes], []) == minutes


def test_times_that_come_once_or_have_a_zone_are_left_alone() -> None:
    readings = DECODER.decode([record(0, 0), record(200, 0)]).readings

    assert readings.later_ms is None
    plain = replace(readings, later_ms=np.zeros(2, np.int64))
    settle_times(np.zeros(1, np.int64), np.zeros(2, np.int32), plain)
    assert plain.times_ms.tolist() == [START_MS, START_MS + 200 * 60_000]


def test_times_that_do_not_exist_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    value = json.dumps({"sensor_id": "a", "timestamp": "2026-03-29 02:30:00", "values": {"x": 1}}).encode()
    decoder = JsonDecoder(("x",), InputLimits(parsing=Parsing(zone=BERLIN)))

    for _ in range(2):
        readings = decoder.decode([MemoryRecord("t", 0, 0, -1, b"", value, ())]).readings

    assert readings.times_ms.tolist() == [int(datetime(2026, 3, 29, 1, 30, tzinfo=UTC).timestamp() * 1000)]
    (line,) = caplog.messages
    assert line.startswith("times of a are in the hour that Europe/Berlin skips")
