"""What the list of a scored file says of the past, from the file's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from stream_detector.detection.rules.changes import RuleChange
from stream_detector.evaluation.incident_past import FileRows, Stretch, in_past
from stream_detector.evaluation.offline_scoring import ScoredRows
from stream_detector.readings import Float64Array
from stream_detector.tables.dataset import Dataset
from tests.detection.rules.rule_cases import Rules, healthy_of, noise

MINUTE_MS = 60_000


def file_rows(values: Float64Array, anomalous: Sequence[int] = (), counters: Sequence[str] = ()) -> FileRows:
    """Return readings [N, F] of pump-1, a minute apart, between those of another sensor."""
    count = 2 * len(values)
    both = np.repeat(values, 2, axis=0)
    both[1::2] = 1.0
    flags = np.zeros(count, np.bool_)
    is_anomaly = flags.copy()
    is_anomaly[[2 * row for row in anomalous]] = True
    dataset = Dataset(
        features=tuple("abc"[: values.shape[1]]),
        sensors=("pump-1", "pump-2"),
        codes=np.arange(count, dtype=np.int32) % 2,
        times_ms=MINUTE_MS * (np.arange(count, dtype=np.int64) // 2),
        values=both,
        rows=np.arange(count),
    )
    return FileRows(dataset, ScoredRows(np.zeros(count), np.ones(count), is_anomaly, is_anomaly, flags, flags), counters)


def stretch(kind: str, opened: int, closed: int | None, features: Sequence[str] = ()) -> Stretch:
    """Return an incident of pump-1 between two of its readings."""
    return Stretch("pump-1", kind, 2 * opened, None if closed is None else 2 * closed, features)


def wandering(rows: int, features: int = 2) -> Float64Array:
    return np.cumsum(np.ones((rows, features)), axis=0)


def test_a_frozen_feature_has_the_whole_length_and_not_that_at_its_last_event() -> None:
    values = wandering(300)
    values[100:220, 0] = 7.0

    what = file_rows(values).what(stretch("frozen", 120, 250, ["a"]))

    assert what == "a did not change for 2 h (120 readings)"


def test_a_missing_value_has_the_whole_length_and_the_rest_of_the_file_if_it_does_not_end() -> None:
    values = wandering(300)
    values[100:280, 0] = values[200:, 1] = np.nan
    rows = file_rows(values)

    assert rows.what(stretch("missing_feature", 120, 290, ["a"])) == "a gave no value for 3 h (180 readings)"
    assert rows.what(stretch("missing_feature", 220, None, ["b"])) == "b gave no value for 99 min (100 readings)"


def test_a_flag_that_is_still_for_ever_is_not_told_as_frozen_with_the_machine() -> None:
    values = wandering(300, 3)
    values[100:160] = values[100]
    values[:, 2] = 1.0

    what = file_rows(values).what(stretch("frozen", 108, 170, ["a", "b", "c"]))

    assert what == "a and b did not change for 60 min (60 readings)"


def test_features_that_stood_still_for_different_times_are_told_apart() -> None:
    values = wandering(300)
    values[100:200, 0], values[150:190, 1] = 7.0, 8.0

    what = file_rows(values).what(stretch("frozen", 120, 220, ["a", "b"]))

    assert what == "a did not change for 100 min (100 readings); b did not change for 40 min (40 readings)"


def test_a_value_that_moves_once_is_not_said_to_have_stood_still_all_the_time() -> None:
    values = wandering(300)
    values[100:200, 0] = 7.0
    values[149, 0] = 8.0

    assert file_rows(values).what(stretch("frozen", 120, 220, ["a"])) == "a did not change for 50 min (50 readings)"


def test_a_counter_is_compared_in_double_precision() -> None:
    values = 18_228_934.25 + 0.001 * wandering(300)
    values[100:140, 0] = values[100, 0]

    what = file_rows(values, counters=["a"]).what(stretch("frozen", 120, 160, ["a"]))

    assert what == "a did not change for 40 min (40 readings)"


def test_a_silence_has_the_time_between_its_readings() -> None:
    rows = file_rows(wandering(300))

    assert rows.what(stretch("silent", 100, 161)) == "it sent no reading for 61 min"
    assert rows.what(stretch("silent", 299, None)) == "it sent no reading after 1970-01-01 04:59:00Z"


def test_the_last_anomalous_reading_is_that_of_the_incident() -> None:
    rows = file_rows(wandering(300), anomalous=[20, 100, 104, 108, 200])

    assert rows.last_anomalous_ms(stretch("anomaly", 100, 156)) == 108 * MINUTE_MS
    assert rows.last_anomalous_ms(stretch("anomaly", 240, 250)) is None


def test_a_rule_last_applied_before_the_calm_readings_that_closed_it() -> None:
    rows = file_rows(wandering(300))
    closed = RuleChange("out_of_range", "closed", "pump-1", 0, 0, 280, 0, 200, 0, "", reason="quiet", calm=32)
    switched_off = replace(closed, reason="off", incident_offset=240)
    rows = replace(rows, scored=replace(rows.scored, changes=(switched_off, closed)))

    assert rows.last_anomalous_ms(stretch("out_of_range", 100, 140)) == 108 * MINUTE_MS
    assert rows.last_anomalous_ms(stretch("out_of_range", 120, 140)) is None


def test_a_value_that_vanishes_after_it_stood_still_did_not_go_on_standing_still() -> None:
    values = wandering(300)
    values[100:130, 0], values[130:160, 0] = 7.0, np.nan

    assert file_rows(values).what(stretch("frozen", 120, 190, ["a"])) == "a did not change for 30 min (30 readings)"


@pytest.mark.parametrize("kind", ["frozen", "missing_feature", "out_of_range", "flapping", "clock"])
def test_what_each_rule_says_of_a_moment_has_a_past(kind: str) -> None:
    values = noise(400, seed=1)
    values[100:150, 0] = values[100, 0]
    values[200:250, 1] = np.nan
    values[300:310, 0] = 900.0
    values[330:390:2, 1], values[331:390:2, 1] = 3.0, -3.0
    said = [one.what for one in Rules(healthy_of(noise(2000))).read(values) if one.type == kind and one.status == "opened"]
    said = said or ["The clock of pump-1 is 60 min ahead of what it was"]

    for what in said:
        beginning = in_past(what).split(";")[0]
        assert beginning != what.split(";")[0]
        assert not {"is", "has", "have", "goes"} & set(beginning.split())
