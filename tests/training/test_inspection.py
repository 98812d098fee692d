"""What `train` recognises in the columns of a history, what it does about it and says, and what it leaves alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from stream_detector.errors import InputDataError
from stream_detector.readings import Float64Array
from stream_detector.tables.dataset import Dataset
from stream_detector.training.inspection import Choices, Inspection, inspect

NAN = math.nan
ROWS = 1500
RNG = np.random.default_rng(1)
TEMPERATURE = np.round(40 + 5 * np.sin(np.arange(2 * ROWS) / 50) + RNG.normal(0, 0.3, 2 * ROWS), 2)
COUNT = np.arange(2 * ROWS) % ROWS  # position within its sensor
USUAL = Choices()


def table(**columns: Float64Array) -> Dataset:
    """Return two sensors' readings, a minute apart, with a temperature and these columns."""
    values = {"temperature": TEMPERATURE, **columns}
    return Dataset(
        features=tuple(values),
        sensors=("a", "b"),
        codes=np.repeat(np.arange(2, dtype=np.int32), ROWS),
        times_ms=60_000 * COUNT.astype(np.int64),
        values=np.column_stack(list(values.values())),
        rows=np.arange(2 * ROWS, dtype=np.int64),
    )


def inspected(choices: Choices = USUAL, **columns: Float64Array) -> Inspection:
    return inspect(table(**columns), choices)


def temperature_with(errors: Mapping[int, float]) -> Float64Array:
    values = TEMPERATURE.copy()
    values[list(errors)] = list(errors.values())
    return values


def missing(inspection: Inspection) -> list[int]:
    return np.flatnonzero(np.isnan(inspection.dataset.column("temperature"))).tolist()


@pytest.mark.parametrize("code", [-9999.0, 999.0, 9999.9, 65535.0, 32767.0, -32768.0, 3276.7, -8888.0, -273.15, 1e30])
def test_an_error_code_is_missing_in_training_and_for_the_model(code: float) -> None:
    where = [7, 500, 501, 502, 900, 2900]

    found = inspected(temperature=temperature_with(dict.fromkeys(where, code)))

    assert found.codes == {"temperature": (code,)}
    assert missing(found) == where
    assert len(found.notes) == 1
    assert f"column temperature: {code:.10g} 6 times (0.2 % of the readings) looks like an error code" in found.notes[0]
    assert "--missing-values ''" in found.notes[0]


def test_an_error_code_may_last_for_an_hour_and_stand_beside_others() -> None:
    errors = dict.fromkeys(range(100, 160), -9999.0) | dict.fromkeys((1, 2000, 2500), 65535.0)

    assert inspected(temperature=temperature_with(errors)).codes == {"temperature": (-9999.0, 65535.0)}


def test_what_was_taken_out_is_remembered_in_the_order_of_the_features() -> None:
    errors = dict.fromkeys(range(100, 160), -9999.0)
    found = (
        inspected(temperature=temperature_with(errors), flow=TEMPERATURE)
        .dataset.select(["flow", "temperature"])
        .take(np.arange(50, 150))
    )

    assert found.removed is not None
    assert found.removed.nonzero()[0].tolist() == list(range(50, 100))
    assert set(found.removed.nonzero()[1]) == {1}


def test_single_values_that_jump_away_and_back_are_left_out_of_the_training_and_named() -> None:
    rng = np.random.default_rng(5)
    at = np.flatnonzero(rng.random(2 * ROWS) < 0.015)
    sizes = np.exp(rng.uniform(np.log(5.0), np.log(60.0), len(at))) * rng.choice([-1, 1], len(at))
    values = TEMPERATURE.copy()
    values[at] += sizes

    found = inspected(temperature=values)

    assert len(set(missing(found)) & set(at.tolist())) >= 0.95 * len(at)
    assert found.codes == {}
    assert "jump away from those around them and back. Left out of the training, so an alarm" in found.notes[-1]


def test_an_error_code_among_levels_and_in_a_counter() -> None:
    valve = np.where(COUNT % 400 < 200, 50.0, 60.0)
    valve[[30, 31, 32]] = -9999
    meter = 18e6 + np.cumsum(np.abs(TEMPERATURE))
    meter[ROWS:] -= meter[ROWS] - 17e6
    meter[[40, 41, 42]] = -9999

    found = inspected(valve=valve, energy_kwh=meter)

    assert found.codes == {"valve": (-9999.0,), "energy_kwh": (-9999.0,)}
    assert found.counters == ("energy_kwh",)


def test_an_error_code_may_be_most_of_what_was_read() -> None:
    values = np.where(RNG.random(2 * ROWS) < 0.6, -9999.0, TEMPERATURE)

    assert inspected(temperature=values).codes == {"temperature": (-9999.0,)}


def test_a_failed_read_that_is_not_far_is_told_by_its_steps() -> None:
    flow = 24 + 13 * np.sin(np.arange(2 * ROWS) / 50) + RNG.normal(0, 0.3, 2 * ROWS)  # 11 to 37
    flow[RNG.random(2 * ROWS) < 0.005] = 0.0
    stops = np.where(COUNT % 200 < 4, 0.0, 24 + 13 * np.sin(np.arange(2 * ROWS) / 3))  # for four readings at a time

    found = inspected(flow=flow, stops=stops)

    assert np.isnan(found.dataset.column("flow")).sum() == (flow == 0).sum() > 0
    assert not np.isnan(found.dataset.column("stops")).any()
    assert len(found.notes) == 1


@pytest.mark.parametrize("value", [-127.0, 850.0, 7999.0])
def test_any_other_value_that_repeats_far_away_is_left_out_of_the_training_only(value: float) -> None:
    found = inspected(temperature=temperature_with(dict.fromkeys((7, 500, 900, 901), value)))

    assert found.codes == {}
    assert missing(found) == [7, 500, 900, 901]
    assert "Left out of the training, so an alarm when it comes again" in found.notes[0]
    assert f"--missing-values temperature={value:g}" in found.notes[0]


def test_single_values_far_away_are_left_out_of_the_training() -> None:
    found = inspected(temperature=temperature_with({3: -8127.3, 444: 20_311.7, 1800: 5020.1}))

    assert missing(found) == [3, 444, 1800]
    assert "column temperature: 3 values from -8127.3 to 20311.7 far from the rest" in found.notes[0]


def test_reads_that_failed_with_0_are_left_out_and_a_machine_that_is_off_is_kept() -> None:
    failed = inspected(temperature=temperature_with(dict.fromkeys((7, 500, 900, 1901), 0.0)))
    off = inspected(temperature=temperature_with(dict.fromkeys(range(400, 500), 0.0)))

    assert missing(failed) == [7, 500, 900, 1901]
    assert missing(off) == []
    assert "0 100 times (3.3 % of the readings), up to 100 in a row, far from the rest" in off.notes[0]
    assert "Kept as a measurement" in off.notes[0]


@pytest.mark.parametrize("digits", [3, 2])
def test_a_history_of_which_many_cells_were_multiplied_is_doubted_in_a_line_a_column(digits: int) -> None:
    random = np.random.default_rng(5)
    spoilt = np.where(random.random(2 * ROWS) < 0.3, random.choice([1.0, 3.0, -1.0], 2 * ROWS), 1.0)
    pressure = np.round((6.0 + random.normal(0, 0.2, 2 * ROWS)) * spoilt, digits)
    flow = np.round((40.0 + random.normal(0, 1.0, 2 * ROWS)) * spoilt, digits)

    found = inspected(pressure=pressure, flow=flow)

    assert not np.isnan(found.dataset.values).any()
    assert [note.split(":")[0] for note in found.notes] == ["column pressure", "column flow"]
    changed = np.count_nonzero(spoilt != 1.0)
    assert (
        f"column pressure: {changed:,} times ({changed / 30:.2g} % of the readings) a value jumps far from the rest"
        in (found.notes[0])
    )
    assert "Is this history sound?" in found.notes[0]


def test_a_value_is_compared_with_the_rest_of_its_own_sensor_and_a_column_has_few_lines() -> None:
    low = np.where(COUNT < 2 * ROWS, TEMPERATURE, 0.0)
    low[ROWS:] -= 5000.0  # the second sensor runs where values are far for the first
    low[[7, 80, 90, 101, 300]] = -4990.5
    low[[8, 81, 91, 102, 301]] = 7000.0
    low[[9, 82, 92, 103, 302]] = 7100.0
    low[[10, 83, 93, 104, 303]] = 7200.0
    low[[11, 84, 94, 105, 304]] = 7300.0

    notes = inspected(temperature=low).notes

    assert len(notes) == 4
    assert notes[0].startswith("column temperature: -4990.5 5 times (0.17 % of the readings) is far from the rest")
    assert "(all else of its sensor is from 3" in notes[0]
    assert notes[3] == (
        "column temperature: 2 more such values, from 7200 to 7300, 10 times (0.33 % of the readings), treated alike"
    )


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(RNG.standard_cauchy(2 * ROWS), id="a long tail"),
        pytest.param(np.exp(3 * RNG.normal(size=2 * ROWS)), id="a skewed tail"),
        pytest.param(np.where(COUNT % 300 < 30, 100, 0) + RNG.normal(0, 0.1, 2 * ROWS), id="two modes"),
        pytest.param(np.where(RNG.random(2 * ROWS) < 0.01, 1.0, 0.0), id="a rare flag"),
        pytest.param(np.where(RNG.random(2 * ROWS) < 0.01, 7.0, 0.0), id="rare counts"),
        pytest.param(np.minimum(np.abs(RNG.normal(90, 20, 2 * ROWS)), 100), id="a range with an end"),
        pytest.param(np.full(2 * ROWS, 7.5), id="a constant"),
        pytest.param(np.full(2 * ROWS, NAN), id="nothing"),
        pytest.param(999 + RNG.normal(0, 5, 2 * ROWS).round(), id="999 in the middle"),
        pytest.param(np.cumsum(RNG.normal(size=2 * ROWS)), id="a random walk"),
        pytest.param(1000 * np.sin(np.arange(2 * ROWS)).round(2), id="a wave"),
    ],
)
def test_what_is_measured_is_left_alone(values: Float64Array) -> None:
    dataset = table(signal=values)

    found = inspect(dataset, USUAL)

    assert (found.counters, found.context, found.codes, found.notes) == ((), (), {}, [])
    np.testing.assert_array_equal(found.dataset.values, dataset.values)


FEW_FAULTS = (COUNT > ROWS - 20).astype(float)
GOOD = np.where(COUNT % 100 == 3, 0.0, 192.0)


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("label", FEW_FAULTS, "looks like a label, which would show the model the answer"),
        ("is_anomaly", FEW_FAULTS, "looks like a label"),
        ("Machine_Failure", FEW_FAULTS, "looks like a label"),
        ("target", FEW_FAULTS, "looks like a label"),
        ("class", COUNT % 3.0, "looks like a label"),
        ("temperature_quality", GOOD, "looks like a quality code"),
        ("t.q", np.full(2 * ROWS, 192.0), "looks like a quality code"),
        ("x", GOOD, "looks like a quality code"),
        ("status", np.where(COUNT % 100 == 3, 2_150_891_520.0, 0.0), "looks like a quality code"),
        ("asset_id", np.repeat([17.0, 23.0], ROWS), "looks like an identifier"),
        ("machineId", np.full(2 * ROWS, 4711.0), "looks like an identifier"),
        ("message_id", RNG.permutation(2 * ROWS) + 10_000.0, "looks like an identifier"),
        ("row", np.arange(2.0 * ROWS), "numbers the rows"),
        ("n", COUNT + 5.0, "numbers the rows"),
        ("seconds", 60.0 * COUNT + 1.7e9, "only tells the time"),
    ],
)
def test_what_is_no_measurement_is_left_out(name: str, values: Float64Array, reason: str) -> None:
    found = inspect(table(**{name: values}), USUAL)

    assert found.dataset.features == ("temperature",)
    assert len(found.notes) == 1
    assert found.notes[0].startswith(f"column {name} {reason}")
    assert f"--keep-columns {name}" in found.notes[0]
    assert inspect(table(**{name: values}), Choices(keep=(name,))).dataset.features == ("temperature", name)


def test_the_note_says_what_labels_and_quality_codes_hold() -> None:
    notes = inspected(label=FEW_FAULTS, quality=GOOD).notes

    assert "38 rows are labelled 1: they should not be in a history to learn from" in notes[0]
    assert "0 30 times, 192 2,970 times; what was measured at bad quality stays in" in notes[1]


def metered(restart_every: int | None = None, rise: float = 2.0) -> Float64Array:
    rises = np.abs(RNG.normal(rise, rise / 4, 2 * ROWS))
    steps = rises.reshape(2, ROWS)
    if restart_every is None:
        return (18e6 + np.cumsum(steps, axis=1)).ravel()
    return np.concatenate(
        [np.cumsum(part) for one in steps for part in np.split(one, range(restart_every, ROWS, restart_every))]
    )


@pytest.mark.parametrize("values", [metered(), metered(500), np.floor(metered(500))], ids=["a meter", "restarts", "pieces"])
def test_a_counter_is_recognised_by_its_rise(values: Float64Array) -> None:
    found = inspected(x=values)

    assert found.counters == ("x",)
    assert "column x: only rising, as counters do. Watched by how fast they rise" in found.notes[0]
    assert inspected(Choices(counters=()), x=values).counters == ()


def test_a_failed_read_of_a_counter_is_no_restart() -> None:
    values = metered()
    values[[100, 2000]] = 0.0

    assert inspected(x=values).counters == ("x",)


def test_what_may_be_a_counter_is_asked_for() -> None:
    starts = np.floor(COUNT / 100)  # rises 14 times
    found = inspected(starts=starts, batch=metered(30))

    assert found.counters == ()
    assert found.notes[0].startswith("columns starts, batch: only rising")
    assert "--counter-columns starts,batch" in found.notes[0]
    assert inspected(Choices(counters=("starts",)), starts=starts).counters == ("starts",)


@pytest.mark.parametrize("name", ["zustand", "machineState", "line 1.Rezept", "betriebsart", "mode", "artikel", "programme_no"])
def test_a_state_of_few_whole_numbers_is_context_however_often_it_changes(name: str) -> None:
    states = np.where(COUNT % 7 < 2, 20.0, 30.0)

    assert inspected(USUAL, **{name: states}).context == (name,)
    assert inspected(x=states).context == inspected(USUAL, **{name: states + 0.5}).context == ()


def test_a_set_point_is_context_by_its_name_and_else_only_named() -> None:
    levels = np.choose(COUNT // 300 % 3, [40.0, 55.0, 70.0])
    named, unnamed = inspected(setpoint=levels), inspected(x=levels)

    assert (named.context, unnamed.context) == (("setpoint",), ())
    assert "Taken as context, never scored; to score them, --keep-columns setpoint" in named.notes[0]
    assert "Scored as measurements; if they are set points or commands" in unnamed.notes[0]
    assert inspected(Choices(context=()), setpoint=levels).context == ()


def test_variation_that_drowns_beside_the_value_is_named() -> None:
    found = inspected(position=18_228_934 + TEMPERATURE, pressure=101_325 + 0.1 * TEMPERATURE)

    assert len(found.notes) == 1
    assert found.notes[0].startswith("column position: varies by about 3.5")
    assert "--counter-columns position" in found.notes[0]


def test_the_user_decides_otherwise() -> None:
    values = temperature_with(dict.fromkeys((7, 500, 900), -9999.0))

    found = inspected(Choices(find_missing=False), temperature=values, label=FEW_FAULTS)

    assert (missing(found), found.codes) == ([], {})
    with pytest.raises(
        InputDataError, match=r"--counter-columns: meter is not a column of the input \(features: temperature\)"
    ):
        inspected(Choices(counters=("meter",)))


def test_without_a_measurement_there_is_nothing_to_train_on() -> None:
    dataset = table(label=FEW_FAULTS).select(["label"])

    with pytest.raises(InputDataError, match=r"no column is left to train on: label .*--keep-columns"):
        inspect(dataset, USUAL)
