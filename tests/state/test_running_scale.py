"""Running scales: NumPy's own mean and standard deviation of the readings seen, for any batches; and when they freeze."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.readings import Float32Array, Readings
from stream_detector.state.known_sensors import UNKNOWN, SensorTable
from stream_detector.state.record_layout import Records, new_records
from stream_detector.state.running_scale import ScaleConfig, Scales, learn
from stream_detector.state.windows import append

LENGTH, FEATURES, MEMBERS = 3, 2, 1
NAN = float("nan")
TABLE = SensorTable(
    rows={"known": 0, "other": 1},
    location=np.array([[10.0, 20.0], [30.0, 40.0]], np.float32),
    deviation=np.array([[1.0, 2.0], [3.0, 4.0]], np.float32),
    levels=np.zeros((2, MEMBERS)),
    counts=np.zeros(2),
)
RULES = ScaleConfig(TABLE, fallback=np.array([5.0, 7.0], np.float32), learned_count=1000)


def records_of(sensors: int) -> Records:
    return new_records(sensors, LENGTH, FEATURES, MEMBERS)


def learn_from(
    records: Records,
    slots: list[int],
    values: list[tuple[float, float]],
    rules: ScaleConfig = RULES,
    *,
    table_rows: tuple[int, ...] = (UNKNOWN,) * 3,
    first: int = 0,
) -> tuple[list[int], Scales]:
    """Append readings a second apart and learn from them; return their positions in the batch, by sensor, and their scales."""
    count = len(slots)
    offsets = np.arange(first, first + count, dtype=np.int64)
    of_readings = np.array(values, np.float32).reshape(count, FEATURES)
    batch = Readings([str(slot) for slot in slots], np.zeros(count, np.int32), offsets, offsets * 1000, of_readings)
    appended = append(records, np.array(slots, np.int32), batch, max_gap_ms=10**9)
    rows = np.array(table_rows, np.int32)[appended.slot]
    scales = learn(records, appended, of_readings[appended.reading], rows, rules)
    return appended.reading.tolist(), scales


def of_one(values: list[tuple[float, float]], rules: ScaleConfig = RULES) -> Scales:
    """Return the scales of one unknown sensor as of each reading."""
    return learn_from(records_of(1), [0] * len(values), values, rules)[1]


def test_the_scale_of_a_reading_includes_all_readings_up_to_and_including_it() -> None:
    scales = of_one([(1.0, 8.0), (3.0, 8.0), (8.0, 2.0)])

    # Means 1, 2, 4; squares about them 0, 1 + 1, 9 + 1 + 16 of 3. And 8, 8, 6; 0, 0, 4 + 4 + 16 of 3.
    assert scales.location.tolist() == [[1.0, 8.0], [2.0, 8.0], [4.0, 6.0]]
    assert scales.deviation[:, 0] == pytest.approx([5.0, 1.0, (26 / 3) ** 0.5])  # nothing varied at first: the fallback
    assert scales.deviation[:, 1] == pytest.approx([7.0, 7.0, 8**0.5])


def test_a_missing_value_does_not_count() -> None:
    scales = of_one([(1.0, NAN), (NAN, NAN), (3.0, 6.0), (NAN, 8.0)])

    assert scales.location[1:].tolist() == [[1.0, 0.0], [2.0, 6.0], [2.0, 7.0]]
    assert scales.deviation.tolist() == [[5.0, 7.0], [5.0, 7.0], [1.0, 7.0], [1.0, 1.0]]


def test_the_scale_of_a_feature_that_has_settled_freezes_after_the_learned_count() -> None:
    records, rules = records_of(1), replace(RULES, learned_count=4)
    even = [(1.0, NAN), (3.0, 4.0), (1.0, 4.0), (3.0, 8.0), (1000.0, 8.0), (1000.0, 1000.0)]

    _, scales = learn_from(records, [0] * len(even), even, rules)

    # The first feature has mean 2 and deviation 1 after two values, and after four; the second has 4, 0 and then 6, 2.
    assert scales.location[3:, 0].tolist() == [2.0] * 3
    assert scales.deviation[3:, 0].tolist() == [1.0] * 3
    assert records["moments"]["count"].tolist() == [[4, 5]]
    assert scales.location[4:, 1].tolist() == [6.0, pytest.approx(1024 / 5)]


def test_the_scale_of_a_feature_that_never_settles_freezes_in_the_end() -> None:
    records = records_of(1)

    _, scales = learn_from(records, [0] * 100, [(float(row), 0.0) for row in range(100)], replace(RULES, learned_count=4))

    assert records["moments"]["count"].tolist() == [[4 * 16, 4]]
    assert scales.are_settling is not None
    assert scales.are_settling.tolist() == [True] * 63 + [False] * 37


def test_a_slow_cycle_is_learned_until_the_scale_has_settled() -> None:
    """The cycle has 400 readings; a scale of the first 100 would have a third of its deviation."""
    cycle = np.cos(2 * np.pi * np.arange(1600) / 400)

    scales = of_one([(float(value), 0.0) for value in cycle], replace(RULES, learned_count=100))

    assert scales.deviation[99, 0] < 0.36
    assert scales.deviation[-1, 0] == pytest.approx(np.sqrt(0.5), rel=0.05)
    assert scales.are_settling is not None
    assert np.flatnonzero(~scales.are_settling).tolist() == list(range(399, 1600))


def test_a_feature_that_is_not_scored_need_not_settle() -> None:
    rules = replace(RULES, learned_count=4, scored=np.array([True, False]))

    scales = of_one([(float(row % 2), float(row)) for row in range(8)], rules)

    assert scales.are_settling is not None
    assert scales.are_settling.tolist() == [True] * 3 + [False] * 5


@pytest.mark.parametrize("level", [0.0, 1e-3, -5.0, 3.3e7])
def test_a_constant_feature_has_the_fallback_as_its_deviation(level: float) -> None:
    scales = of_one([(level, level)] * 50)

    assert scales.deviation.tolist() == [[5.0, 7.0]] * 50
    assert scales.location == pytest.approx(np.full((50, 2), np.float32(level)))


def test_variation_within_the_rounding_of_large_values_is_none() -> None:
    """A deviation counts from 1e-6 of the mean on: 0.05 around 100,000 does not, 0.5 does."""
    assert of_one([(100_000.05, 100_000.5), (99_999.95, 99_999.5)]).deviation[1] == pytest.approx([5.0, 0.5], rel=1e-3)


def test_the_largest_float32_values_have_a_finite_scale() -> None:
    largest = float(np.finfo(np.float32).max)

    scales = of_one([(largest, -largest), (-largest, largest)])

    assert np.isfinite(scales.location).all()
    assert scales.deviation[1] == pytest.approx([largest, largest])


def test_a_sensor_that_the_model_knows_has_the_models_scale_and_learns_nothing() -> None:
    records = records_of(3)

    places, scales = learn_from(records, [0, 2, 1, 0], [(1.0, 2.0)] * 4, table_rows=(1, 0, UNKNOWN))

    by_reading = dict(zip(places, zip(scales.location.tolist(), scales.deviation.tolist(), strict=True), strict=True))
    assert by_reading[0] == by_reading[3] == ([30.0, 40.0], [3.0, 4.0])
    assert by_reading[2] == ([10.0, 20.0], [1.0, 2.0])
    assert by_reading[1] == ([1.0, 2.0], [5.0, 7.0])
    assert records["moments"]["count"].tolist() == [[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]


def test_a_batch_without_readings_has_no_scales_and_changes_nothing() -> None:
    records = records_of(2)
    learn_from(records, [0, 1], [(1.0, 2.0), (3.0, 4.0)])
    before = records.tobytes()

    _, scales = learn_from(records, [], [])

    assert (scales.location.shape, scales.deviation.shape) == ((0, 2), (0, 2))
    assert records.tobytes() == before


def test_scales_are_taken_by_position_or_by_mask() -> None:
    scales = of_one([(1.0, 2.0), (3.0, 4.0), (5.0, 6.0)])

    by_place, by_truth = scales.take(np.array([2, 0])), scales.take(np.array([True, False, False]))

    assert by_place.location.tolist() == [[3.0, 4.0], [1.0, 2.0]]
    assert by_place.deviation.tolist() == [scales.deviation[2].tolist(), scales.deviation[0].tolist()]
    assert by_truth.location.tolist() == [[1.0, 2.0]]


# -- values that are not of the process


WINDOW = 40


def of_window(values: Float32Array) -> Scales:
    """Return the scales of one unknown sensor with windows of WINDOW readings, at each of its readings [N, F]."""
    records = new_records(1, WINDOW, FEATURES, MEMBERS)
    pairs = [(float(first), float(second)) for first, second in values]
    rules = replace(RULES, fallback=np.array([2.0, 2.0], np.float32))
    return learn_from(records, [0] * len(values), pairs, rules)[1]


def healthy(count: int) -> Float32Array:
    return (50 + 2 * np.random.default_rng(4).normal(size=(count, FEATURES))).astype(np.float32)


@pytest.mark.parametrize("at", [[0], [3, 17, 39], [100], [200, 450, 700]])
def test_failed_reads_hardly_widen_the_scale(at: list[int]) -> None:
    values = healthy(900)
    values[at, 0] = -9999.0

    scales = of_window(values)

    assert scales.location[-1] == pytest.approx([50.0, 50.0], abs=0.5)
    assert scales.deviation[-1] == pytest.approx([2.0, 2.0], rel=0.3)
    assert scales.deviation[WINDOW - 1] == pytest.approx([2.0, 2.0], rel=0.3)


def test_a_scale_without_far_values_is_the_plain_one() -> None:
    values = healthy(300)

    scales = of_window(values)

    wide = values.astype(np.float64)
    assert scales.location[-1] == pytest.approx(wide.mean(axis=0), rel=1e-6)
    assert scales.deviation[-1] == pytest.approx(wide.std(axis=0), rel=1e-5)


def test_a_sensor_that_starts_to_work_widens_its_scale() -> None:
    values = healthy(600)
    values[:300] = np.where(np.arange(300) % 2, 0.01, 0.0)[:, np.newaxis]  # off
    values[300:, 1] *= 1000

    scales = of_window(values)

    assert scales.deviation[350, 0] == pytest.approx(14.0, rel=0.4)
    assert scales.deviation[420, 1] == pytest.approx(16_000.0, rel=0.5)


# -- against NumPy, and for any batches

_value = st.one_of(st.just(NAN), st.integers(-9, 9).map(float), st.floats(-1e6, 1e6, width=32))
_readings = st.lists(st.tuples(st.integers(0, 2), st.tuples(_value, _value)), max_size=31)  # too few to tell what is far


def seen(readings: list[tuple[int, tuple[float, float]]], sensor: int, upto: int, feature: int) -> Float32Array:
    """Return the values of one feature of a sensor, up to a reading."""
    values = np.array([values[feature] for slot, values in readings[: upto + 1] if slot == sensor], np.float32)
    return values[~np.isnan(values)]


@settings(deadline=None)
@given(readings=_readings)
def test_location_and_deviation_equal_numpys_of_the_values_seen(readings: list[tuple[int, tuple[float, float]]]) -> None:
    slots, values = [slot for slot, _ in readings], [of_reading for _, of_reading in readings]

    places, scales = learn_from(records_of(3), slots, values)

    for at, place in enumerate(places):
        for feature in range(FEATURES):
            known = seen(readings, slots[place], place, feature).astype(np.float64)
            mean, deviation = (known.mean(), known.std()) if len(known) else (0.0, 0.0)
            assert scales.location[at, feature] == pytest.approx(mean, rel=1e-6, abs=1e-6)
            if deviation > 2e-6 * abs(mean) + 1e-6:  # well above where a feature counts as constant
                assert scales.deviation[at, feature] == pytest.approx(deviation, rel=1e-5)
            elif deviation < 0.5e-6 * abs(mean) or not deviation:
                assert scales.deviation[at, feature] == RULES.fallback[feature]


@settings(deadline=None)
@given(readings=_readings, learned_count=st.sampled_from([1, 4, 1000]), data=st.data())
def test_any_division_into_batches_learns_the_same_bits(
    readings: list[tuple[int, tuple[float, float]]], learned_count: int, data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(readings)), max_size=8).map(sorted))
    rules = replace(RULES, learned_count=learned_count)
    slots, values = [slot for slot, _ in readings], [of_reading for _, of_reading in readings]

    outcomes = []
    for bounds in ([0, *cuts, len(readings)], list(range(len(readings) + 1))):
        records = records_of(3)
        by_reading: dict[int, bytes] = {}
        for first, stop in itertools.pairwise(bounds):
            places, scales = learn_from(
                records, slots[first:stop], values[first:stop], rules, table_rows=(UNKNOWN, 1, UNKNOWN), first=first
            )
            assert scales.settling is not None
            both = np.concatenate([scales.location, scales.deviation, scales.settling], axis=1)
            by_reading |= {first + place: row.tobytes() for place, row in zip(places, both, strict=True)}
        outcomes.append((records.tobytes(), by_reading))

    assert outcomes[0] == outcomes[1]
