"""The report on late readings: whose they are, how late, in which order, and whether each metric is a message."""

from __future__ import annotations

import numpy as np

from stream_detector.pipeline.late_report import LateReport
from stream_detector.readings import Readings
from stream_detector.state.assembling import assemble
from stream_detector.state.bucket_state import Assembly, bucket_dtype, clear_buckets
from stream_detector.state.record_layout import new_records
from stream_detector.state.windows import append

NAN = float("nan")


def report_of(sensors: list[str], times_ms: list[int], values: list[tuple[float, float]]) -> LateReport:
    count = len(sensors)
    times = np.array(times_ms, np.int64)
    readings = Readings(sensors, np.zeros(count, np.int32), np.arange(count), times, np.array(values))
    slots = np.array([sorted(set(sensors)).index(sensor) for sensor in sensors], np.int32)
    report = LateReport()
    report.add(readings, append(new_records(8, 4, 2, 1), slots, readings, 1000).lateness)
    return report


def test_one_metric_per_message_is_named_with_the_cure() -> None:
    report = report_of(["a"] * 4, [1000, 1000, 2000, 2000], [(1, NAN), (NAN, 2), (1, NAN), (NAN, 2)])

    assert "Set STREAM_DETECTOR_INPUT__ASSEMBLE_SECONDS to the time between two readings" in report.describe()
    assert report.describe().startswith("of a; 0 s late. They have the time of another reading")
    assert report.are_of_other_features


def test_readings_of_one_time_with_other_values_are_named_with_the_cure() -> None:
    report = report_of(["a", "b"] * 4, [1000] * 6 + [2000] * 2, [(number, 2) for number in range(8)])

    assert report.describe().startswith("of a, b; 0 s late. They have the time of another reading and other values")
    assert "Send finer times (milliseconds), or join the readings of one time" in report.describe()
    assert report.can_be_mended


def test_an_hour_that_comes_twice_is_not_taken_for_times_cut_to_seconds() -> None:
    report = report_of(["a"] * 6, [1000, 2000, 3000, 1000, 2000, 2500], [(number, 2) for number in range(6)])

    assert report.describe().startswith("of a; 0.5 s to 2 s late; most are newer than the late one before")


def test_repetitions_are_called_so() -> None:
    report = report_of(["a"] * 3, [1000, 1000, 1000], [(1, 2)] * 3)

    assert report.describe().startswith("of a: repetitions")
    assert not report.can_be_mended


def test_late_readings_name_sensors_and_order() -> None:
    times = [9_000, 1_000, 2_000, 3_000]
    report = report_of(["a"] * 4 + ["b"] * 4, times * 2, [(1, 2)] * 8)

    assert report.describe().startswith("of a, b; 6 s to 8 s late; most are newer than the late one before")
    assert report.are_orderly
    assert LateReport().describe() == ""


def test_readings_in_no_order_and_far_too_late_are_said_in_years() -> None:
    day_ms = 86_400_000
    report = report_of(["a"] * 4, [40_000 * day_ms, 3 * day_ms, 2 * day_ms, day_ms], [(1, 2)] * 4)

    assert report.describe().startswith("of a; 110 years late; in no order")
    assert not report.are_orderly


def test_messages_that_miss_their_bucket_name_it() -> None:
    states = np.zeros(1, bucket_dtype(2))
    clear_buckets(states)
    times_ms = np.array([12_000, 21_000, 19_500, 31_000, 18_000], np.int64)
    messages = Readings(["a"] * 5, np.zeros(5, np.int32), np.arange(5), times_ms, np.ones((5, 2)))
    report = LateReport()
    report.add_to_buckets(assemble(states, np.zeros(5, np.int32), messages, Assembly(10_000, 60_000), 4))

    assert report.describe() == (
        "of a; 0.5 s to 12 s late: the bucket from 1970-01-01 00:00:10Z to 1970-01-01 00:00:20Z of a was complete, for "
        "example. Where they are the newest, their values count from now on. If there are many, raise "
        "STREAM_DETECTOR_INPUT__ASSEMBLE_SECONDS"
    )
