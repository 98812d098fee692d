"""A stored window that the built-in model scored: `show` scores it as the detector did."""

from __future__ import annotations

import numpy as np
import pytest

from stream_detector.assembly import build_detector
from stream_detector.built_in.members import LENGTH
from stream_detector.built_in.scorer import BuiltIn
from stream_detector.commands.built_in_start import start_built_in
from stream_detector.commands.inspected import built_in_model_of
from stream_detector.inspection.judge import Judge
from stream_detector.inspection.scored_window import Scored, score_window
from stream_detector.inspection.window import stored_window
from stream_detector.readings import Float32Array, Readings
from stream_detector.settings.schema import Settings
from stream_detector.state.record_layout import WindowShape

SHAPE = WindowShape(("pressure", "temperature"), LENGTH)
MINUTE_MS = 60_000


def values(count: int, fault_from: int) -> Float32Array:
    """Return readings of a machine whose pressure leaves by twelve deviations."""
    found = np.random.default_rng(3).normal([5.0, 60.0], [0.1, 2.0], (count, 2))
    found[fault_from:, 0] += 1.2
    return found.astype(np.float32)


def scored(of: Float32Array) -> tuple[Scored | None, float, float]:
    """Return the score of the stored window, and score and threshold of the detector's last decision."""
    settings, count = Settings(), len(of)
    scorer = BuiltIn(SHAPE)
    detector = build_detector(scorer, settings.state, settings.alerts, settings.rules)
    detector.admit_new(0, ["press-1"])
    times_ms, offsets = MINUTE_MS * np.arange(count, dtype=np.int64), np.arange(count, dtype=np.int64)
    detected = detector.detect(Readings(["press-1"] * count, np.zeros(count, np.int32), offsets, times_ms, of))
    records = detector.arena.copy_records(detector.arena.held(0))
    model = built_in_model_of(scorer, settings)
    judge, table_rows = Judge.of(model.layout, model, None), model.sensors.find(["press-1"])
    assert judge is not None
    found = score_window(scorer, model, judge.as_of_model(records, table_rows), table_rows, stored_window(records))
    assert detected.decisions is not None
    return found, float(detected.decisions.scores[-1]), float(detected.decisions.thresholds[-1])


@pytest.mark.parametrize("count", [LENGTH, 300, 700])
def test_its_score_is_that_of_the_newest_reading(count: int) -> None:
    found, score, threshold = scored(values(count, count))

    assert found is not None
    assert [found.score, found.threshold] == pytest.approx([score, threshold], rel=0.05)
    assert not found.is_anomalous


def test_a_fault_is_anomalous_its_feature_is_blamed_and_what_was_usual_is_expected() -> None:
    found, score, _ = scored(values(704, 700))

    assert found is not None
    assert found.score == pytest.approx(score, rel=0.05)
    assert found.is_anomalous
    assert found.feature_share[0] > 0.8
    assert found.expected[-1] == pytest.approx([5.3, 60.0], abs=1.0)


def test_a_window_that_is_not_full_has_no_score() -> None:
    assert scored(values(LENGTH - 1, LENGTH))[0] is None


def test_it_reads_no_windows_of_another_length_and_none_if_the_settings_want_none() -> None:
    other = WindowShape(SHAPE.features, LENGTH // 2)

    assert start_built_in(Settings(), SHAPE) is not None
    assert start_built_in(Settings(), other) is None
    assert start_built_in(Settings.model_validate({"model": {"built_in": False}}), SHAPE) is None


def test_a_condition_of_the_settings_holds_for_it_where_its_features_tell() -> None:
    of_pressure = Settings.model_validate({"learning": {"only_while": "pressure > 1"}})
    of_another = Settings.model_validate({"learning": {"only_while": "running == 1"}})
    conditions = [made.spec.only_while for one in (of_pressure, of_another) if (made := start_built_in(one, SHAPE))]

    assert conditions == ["pressure > 1", ""]
