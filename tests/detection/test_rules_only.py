"""The detector without a model: it scores nothing, and its rules are a pure fold over the log."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.assembly import build_detector, decision_rules, restore_config
from stream_detector.detection.detector import Detector
from stream_detector.detection.rules_only import RulesOnly
from stream_detector.errors import SettingsError
from stream_detector.readings import Readings
from stream_detector.settings.schema import AlertSettings, RuleSettings, Settings, StateSettings
from stream_detector.state.record_layout import WindowShape, raw
from tests.examples import examples

SHAPE = WindowShape(("flow", "temperature"), 8)
COUNT, SENSORS = 240, ("a", "b", "c")


def detector(shape: WindowShape = SHAPE) -> Detector:
    rules = RuleSettings(limits={"temperature": (0.0, 90.0)}, quiet_readings=4)
    built = build_detector(RulesOnly(shape), StateSettings(), AlertSettings(), rules)
    built.admit_new(0, SENSORS)
    return built


def readings() -> Readings:
    """Return readings a second apart: b is too hot for a while, and c is silent for two minutes and runs ahead."""
    random = np.random.default_rng(3)
    at = np.arange(COUNT)
    names = [SENSORS[one % 3] for one in at.tolist()]
    is_b, is_c = at % 3 == 1, at % 3 == 2
    values = np.column_stack([random.normal(2.0, 0.1, COUNT), random.normal(60.0, 1.0, COUNT)])
    values[is_b & (at > 90) & (at < 150), 1] += 50.0
    times_ms = 1_700_000_000_000 + 1000 * at
    stamps_ms = times_ms.copy()
    times_ms = times_ms + np.where(is_c & (at > 120), 3_000_000, 0)
    keep = ~(is_c & (at > 30) & (at < 60))
    names = [name for name, kept in zip(names, keep.tolist(), strict=True) if kept]
    return Readings(
        names,
        np.zeros(int(keep.sum()), np.int32),
        np.arange(int(keep.sum()), dtype=np.int64),
        times_ms[keep],
        values[keep],
        stamps_ms[keep],
    )


def events_of(built: Detector, stream: Readings, cuts: list[int]) -> list[dict[str, Any]]:
    found = []
    bounds = [0, *sorted(cuts), len(stream)]
    for start, stop in pairwise(bounds):
        at = np.arange(len(stream))
        batch = stream.take((at >= start) & (at < stop))
        detected = built.detect(batch)
        found += [json.loads(message.value or b"") for message in built.alerts(batch, detected, "in", "out")]
        assert detected.scored == 0
    return found


def test_rules_open_and_close_and_nothing_is_scored() -> None:
    found = events_of(detector(), readings(), [])

    assert [(one["type"], one["status"], one["sensor_id"]) for one in found] == [
        ("out_of_range", "opened", "b"),
        ("clock", "opened", "c"),
        ("out_of_range", "closed", "b"),
    ]
    assert {one["model"]["name"] for one in found} == {"none"}
    assert {one["score"] for one in found} == {None}


@settings(max_examples=examples(20), deadline=None)
@given(st.lists(st.integers(1, COUNT - 20), unique=True, max_size=8))
def test_events_and_state_do_not_depend_on_how_the_log_was_cut(cuts: list[int]) -> None:
    whole, cut = detector(), detector()

    assert events_of(cut, readings(), cuts) == events_of(whole, readings(), [])
    assert raw(cut.arena.records)[:3].tobytes() == raw(whole.arena.records)[:3].tobytes()


def test_each_sensors_interval_is_its_own_from_its_first_readings_on() -> None:
    built = detector()
    count = 40
    times_ms = 1_700_000_000_000 + 600_000 * np.arange(count, dtype=np.int64)
    batch = Readings(
        ["a"] * count, np.zeros(count, np.int32), np.arange(count), times_ms, np.random.default_rng(1).normal(size=(count, 2))
    )

    detected = built.detect(batch)

    assert detected.appended.restarted == 0
    assert built.arena.records["header"]["interval_ms"][built.arena.slot(0, "a")] == pytest.approx(600_000)


def test_a_limit_of_a_feature_that_windows_do_not_hold_is_refused() -> None:
    with pytest.raises(SettingsError, match="temperature"):
        detector(WindowShape(("flow",), 8))


def test_windows_are_filled_from_an_hour_of_history_where_no_interval_is_known() -> None:
    built = detector()

    restore = restore_config(built.model, Settings(), built.slowest_interval_ms)

    assert restore.lookback_ms == 3_600_000
    scorer = RulesOnly(SHAPE)
    rules = decision_rules(scorer.spec, scorer.calibration, StateSettings(), AlertSettings())
    assert rules.budget_per_sensor_day == pytest.approx(0.1)
    assert rules.resolution is None


def stuck() -> Readings:
    """Return readings a second apart of a and b: the flow of a stands still for long, and b as a whole, later."""
    count = 480
    at = np.arange(count)
    values = np.random.default_rng(5).normal(10.0, 1.0, (count, 2))
    values[(at % 2 == 0) & (at >= 200) & (at < 440), 0] = 7.0
    values[(at % 2 == 1) & (at >= 240) & (at < 420)] = 8.0
    names = [SENSORS[one % 2] for one in at.tolist()]
    return Readings(names, np.zeros(count, np.int32), at.astype(np.int64), 1_700_000_000_000 + 1000 * at, values)


@settings(max_examples=examples(10), deadline=None)
@given(st.lists(st.integers(1, 479), unique=True, max_size=8))
def test_values_that_stand_still_are_found_without_a_model_however_the_log_was_cut(cuts: list[int]) -> None:
    shape = WindowShape(SHAPE.features, 64)
    whole, cut = detector(shape), detector(shape)

    found = events_of(whole, stuck(), [])

    assert events_of(cut, stuck(), cuts) == found
    changes = [(one["sensor_id"], one["status"], one["window"]["last_offset"]) for one in found if one["type"] == "frozen"]
    assert changes == [("a", "opened", 240), ("b", "opened", 257), ("b", "closed", 427), ("a", "closed", 446)]
    assert raw(cut.arena.records)[:2].tobytes() == raw(whole.arena.records)[:2].tobytes()
    slots = np.arange(2, dtype=np.int32)
    assert cut.arena.rules.read(slots).tobytes() == whole.arena.rules.read(slots).tobytes()
