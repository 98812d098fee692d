"""The built-in model as a scorer: any features, the same result in any company, and a reason for each score."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.assembly import build_detector
from stream_detector.built_in.members import LENGTH, NAMES
from stream_detector.built_in.model import PLACE, built_in_model
from stream_detector.built_in.scorer import BuiltIn
from stream_detector.detection.detector import Detector
from stream_detector.readings import Float32Array, Readings
from stream_detector.settings.schema import AlertSettings, RuleSettings, StateSettings
from stream_detector.state.record_layout import MEMBER_SLOTS, WindowShape, raw
from stream_detector.state.running_scale import Scales
from tests.examples import examples

NAMES_OF_TWO = ("pressure", "temperature")
SENSORS = ("a", "b")
COUNT, FAULT = 900, 700


def windows_of(count: int, features: int, seed: int = 0) -> tuple[Float32Array, Scales]:
    """Return windows with missing values and rows, on scales of different units."""
    random = np.random.default_rng(seed)
    scales = Scales(
        random.normal(0.0, 100.0, (count, features)).astype(np.float32),
        random.lognormal(0.0, 2.0, (count, features)).astype(np.float32),
    )
    scaled = random.standard_t(2.0, (count, LENGTH, features)).astype(np.float32)
    windows = scales.location[:, np.newaxis] + scales.deviation[:, np.newaxis] * scaled
    windows[random.random(windows.shape) < 0.1] = np.nan
    windows[::2, LENGTH // 2] = np.nan
    return windows, scales


def scorer(features: int) -> BuiltIn:
    return BuiltIn(WindowShape(tuple(f"f{number}" for number in range(features)), LENGTH))


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(1, 9), st.lists(st.integers(0, 599), min_size=1, max_size=40), st.integers(0, 5))
def test_a_windows_errors_are_the_same_bit_for_bit_in_any_company(features: int, chosen: list[int], seed: int) -> None:
    windows, scales = windows_of(600, features, seed)
    at = np.array(chosen, np.int64)

    together = scorer(features).start(windows, scales)()
    some = scorer(features).start(windows[at], scales.take(at))()

    assert some.tobytes() == together[at].tobytes()


def test_windows_without_a_newest_value_have_no_error_and_all_others_a_finite_one() -> None:
    windows, scales = windows_of(200, 3)
    windows[7, -1] = np.nan

    errors = scorer(3).start(windows, scales)()

    known = np.array([not np.isnan(newest).all() for newest in windows[:, -1]])
    assert not known[7]
    assert np.isfinite(errors[known]).all()
    assert np.isnan(errors[~known]).all()


def test_no_windows_have_no_errors() -> None:
    windows, scales = windows_of(4, 2)

    assert scorer(2).start(windows[:0], scales.take(slice(0)))().shape == (0, len(NAMES))
    assert scorer(2).explain(windows[:0], scales.take(slice(0))) == []


def test_an_explanation_blames_the_feature_and_the_rows_that_left_and_expects_what_is_usual() -> None:
    random = np.random.default_rng(1)
    windows = (10.0 + random.normal(0.0, 0.1, (1, LENGTH, 5))).astype(np.float32)
    windows[0, -4:, 3] = 12.0
    scales = Scales(np.full((1, 5), 10.0, np.float32), np.full((1, 5), 0.1, np.float32))

    (found,) = scorer(5).explain(windows, scales)

    assert found.feature_share.sum(axis=1) == pytest.approx(np.ones(len(NAMES)), abs=1e-5)
    assert found.step_share.sum(axis=1) == pytest.approx(np.ones(len(NAMES)), abs=1e-5)
    assert (found.feature_share[:, 3] > 0.9).all()
    assert (found.step_share[:, -4:].sum(axis=1) > 0.7).all()
    assert found.expected[-1] == pytest.approx(np.full(5, 10.0), abs=0.3)
    assert not found.imputed.any()
    assert len(found.attention) == 0


def test_context_is_not_scored() -> None:
    windows, scales = windows_of(50, 2)
    windows = np.nan_to_num(windows)  # a row without any value would be filled in another way
    both = BuiltIn(WindowShape(NAMES_OF_TWO, LENGTH), context=("temperature",))
    one = BuiltIn(WindowShape(NAMES_OF_TWO[:1], LENGTH))

    of_one = one.start(windows[:, :, :1], Scales(scales.location[:, :1], scales.deviation[:, :1]))()

    assert both.start(windows, scales)().tobytes() == of_one.tobytes()


def test_the_model_is_small_and_says_from_what_it_was_made() -> None:
    found = json.loads(PLACE.read_text())

    assert PLACE.stat().st_size < 20_000
    assert set(found["recipe"]) == {"series", "readings", "seed"}
    assert built_in_model().version == built_in_model().version
    assert 2 * len(NAMES) + 2 <= MEMBER_SLOTS


def detector() -> Detector:
    built = build_detector(BuiltIn(WindowShape(NAMES_OF_TWO, LENGTH)), StateSettings(), AlertSettings(), RuleSettings())
    built.admit_new(0, SENSORS)
    return built


def stream() -> Readings:
    """Return readings of two machines a minute apart; the pressure of b leaves by five deviations for 30 readings."""
    at = np.arange(2 * COUNT)
    values = np.random.default_rng(5).normal(10.0, 1.0, (2 * COUNT, 2))
    row = at // 2
    values[(at % 2 == 1) & (row >= FAULT) & (row < FAULT + 30), 0] += 5.0
    names = [SENSORS[one % 2] for one in at.tolist()]
    return Readings(names, np.zeros(len(at), np.int32), at.astype(np.int64), 1_700_000_000_000 + 60_000 * row, values)


def events_of(built: Detector, cuts: list[int]) -> list[dict[str, Any]]:
    found, readings = [], stream()
    for start, stop in pairwise([0, *sorted(cuts), len(readings)]):
        at = np.arange(len(readings))
        batch = readings.take((at >= start) & (at < stop))
        detected = built.detect(batch)
        found += [json.loads(message.value or b"") for message in built.alerts(batch, detected, "in", "out")]
    return found


def test_a_fault_of_a_machine_that_nobody_trained_on_is_one_incident_that_names_it() -> None:
    found = events_of(detector(), [])

    assert [(one["type"], one["status"], one["sensor_id"]) for one in found if one["status"] != "updated"] == [
        ("anomaly", "opened", "b"),
        ("anomaly", "closed", "b"),
    ]
    assert found[0]["model"] == {"name": "built-in", "version": built_in_model().version}
    assert found[0]["features"][0]["name"] == "pressure"
    assert found[0]["timestamp"] <= "2023-11-15T10:05:00"  # FAULT minutes after the start are 09:53:20
    assert found[0]["timestamp"] >= "2023-11-15T09:53:20"


@settings(max_examples=examples(10), deadline=None)
@given(st.lists(st.integers(1, 2 * COUNT - 1), unique=True, max_size=8))
def test_events_and_state_do_not_depend_on_how_the_log_was_cut(cuts: list[int]) -> None:
    whole, cut = detector(), detector()

    assert events_of(cut, cuts) == events_of(whole, [])
    assert raw(cut.arena.records)[:2].tobytes() == raw(whole.arena.records)[:2].tobytes()
