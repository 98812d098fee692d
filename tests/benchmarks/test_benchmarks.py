"""The reports of `make bench`: the table, the goals, the comparison with the last commit, the page. Also its load."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.readings import Decoded, Record
from tests.benchmarks.performance import pages, report
from tests.benchmarks.performance.figures import LESS, MORE, NEITHER, Figure
from tests.benchmarks.performance.listening import time_of_reading
from tests.benchmarks.performance.load import FAR_OFF, KnownFleet
from tests.benchmarks.performance.machine import Machine
from tests.benchmarks.performance.models import KNOWN_SENSORS, READINGS, START_MS, feature_names, known_sensors
from tests.benchmarks.performance.picture import draw

MACHINE = Machine("processor X", 2, 8, "Linux 6", "3.12", "2.21", "4.3.1", "17", "Valkey 9.1", "abc")
SPEED = Figure("end to end", "one replica", 20_000.0, "readings/s", "readings_per_second_two_cores", (">=", 16_700.0))
COST = Figure("end to end", "detector", 80.0, "us of CPU a reading")


def run(*figures: Figure, failures: tuple[report.Failure, ...] = ()) -> report.Run:
    return report.Run(MACHINE, figures, failures)


def saved(*figures: Figure) -> dict[str, Any]:
    """Return a run after a round trip through a file."""
    found: dict[str, Any] = json.loads(json.dumps(report.as_json(run(*figures))))
    return found


def changed(figure: Figure, factor: float) -> Figure:
    return Figure(figure.part, figure.name, figure.value * factor, figure.unit, figure.key, figure.goal, figure.better)


@pytest.mark.parametrize(("value", "is_reached"), [(3.0, True), (3.1, False), (2.9, True)])
def test_a_goal_is_reached_up_to_its_bound(value: float, is_reached: bool) -> None:
    most = Figure("latency", "p99", value, "ratio", goal=("<=", 3.0))

    assert most.is_reached is is_reached
    assert report.goal(most).endswith("reached" if is_reached else "MISSED")


def test_a_figure_without_a_goal_says_nothing_of_one() -> None:
    assert COST.is_reached is None
    assert report.goal(COST) == ""


@pytest.mark.parametrize(
    ("figure", "direction"),
    [
        (SPEED, MORE),
        (COST, LESS),
        (Figure("scale", "Redis over the window", 1.2, "ratio", goal=("<=", 1.3)), LESS),
        (Figure("training", "over fit", 0.9, "ratio"), MORE),
        (Figure("latency", "load", 100.0, "readings/s", better=NEITHER), NEITHER),
    ],
)
def test_a_figure_knows_which_way_is_better(figure: Figure, direction: str) -> None:
    assert figure.direction == direction


@pytest.mark.parametrize(
    ("figure", "factor", "is_worse"),
    [
        (SPEED, 0.74, True),
        (SPEED, 0.76, False),
        (SPEED, 2.0, False),
        (COST, 1.26, True),
        (COST, 1.24, False),
        (COST, 0.1, False),
    ],
)
def test_what_is_worse_by_more_than_a_quarter_is_named(figure: Figure, factor: float, is_worse: bool) -> None:
    worse = report.compare(saved(SPEED, COST), [changed(figure, factor)])

    assert [one.name for one in worse] == ([figure.name] if is_worse else [])


def test_a_figure_that_describes_the_measurement_is_never_worse() -> None:
    load = Figure("latency", "load", 100.0, "readings/s", better=NEITHER)

    assert report.compare(saved(load), [changed(load, 0.1)]) == []


def test_figures_that_only_one_run_has_are_not_compared() -> None:
    assert report.compare(saved(SPEED), [COST]) == []


def test_figures_of_another_machine_are_not_comparable() -> None:
    assert report.is_comparable(saved(SPEED), MACHINE)
    assert not report.is_comparable(saved(SPEED), Machine("processor Y", *(MACHINE.hardware[1:]), *(["?"] * 7)))


def test_the_json_has_every_key_and_null_for_what_was_not_measured() -> None:
    found = saved(SPEED, COST)

    assert found.keys() >= set(report.KEYS)
    assert found["readings_per_second_two_cores"] == 20_000.0
    assert found["training_over_plain_fit"] is None


def test_a_key_that_nobody_reads_is_refused() -> None:
    with pytest.raises(ValueError, match="speed_of_light"):
        report.as_json(run(Figure("engine", "c", 1.0, "m/s", key="speed_of_light")))


def test_the_table_names_figures_goals_and_parts_that_failed() -> None:
    shown = report.table(run(SPEED, COST, failures=(report.Failure("scale", "OSError: no space"),)))

    assert "20,000 readings/s" in shown
    assert ">= 16,700: reached" in shown
    assert "FAILED scale: OSError: no space" in shown


def test_a_run_of_failures_only_has_a_table() -> None:
    assert "FAILED engine" in report.table(run(failures=(report.Failure("engine", "no model"),)))


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.01234, "0.0123"), (12.34, "12.3"), (99.96, "100"), (1234.5, "1,234"), (5e6, "5,000,000")]
)
def test_numbers_are_written_with_the_digits_that_count(value: float, text: str) -> None:
    assert report.number(value) == text


def test_the_section_of_the_page_is_replaced_and_the_rest_stays() -> None:
    page = f"# Title\n\n{pages.BEGIN}\nold\n{pages.END}\n\n## After\n"

    written = pages.with_section(page, pages.section(run(SPEED, COST)))

    assert "old" not in written
    assert "| one replica | 20,000 readings/s | >= 16,700: reached |" in written
    assert written.startswith("# Title\n")
    assert written.endswith("## After\n")
    assert pages.with_section(written, pages.section(run(SPEED, COST))) == written


def test_a_page_without_the_section_is_refused() -> None:
    with pytest.raises(ValueError, match="no section"):
        pages.with_section("# Title\n", "text")


@pytest.mark.parametrize("page", [pages.PAGE, pages.TABLE_PAGE], ids=lambda page: page.name)
def test_the_pages_of_this_project_have_the_section(page: Path) -> None:
    assert "anything" in pages.with_section(page.read_text(), "anything")


def test_the_pages_of_this_project_have_the_figures_that_are_committed() -> None:
    committed = json.loads((report.PROJECT / report.COMMITTED).read_text())
    figures = [Figure(**{**one, "goal": one["goal"] and tuple(one["goal"])}) for one in committed["figures"]]
    measured = report.Run(Machine(**committed["machine"]), figures, ())

    for page, text in ((pages.PAGE, pages.headlines(measured)), (pages.TABLE_PAGE, pages.section(measured))):
        assert pages.with_section(page.read_text(), text) == page.read_text()
    assert "not measured" not in pages.PAGE.read_text()


def test_figures_of_one_measure_are_a_row_with_a_column_for_each_condition() -> None:
    figures = [
        Figure("latency", "load at 25%", 100.0, "readings/s"),
        Figure("latency", "reading to event, p99, at 25%", 4.0, "ms"),
        Figure("latency", "reading to event, p99, at 50%", 5.0, "ms", goal=("<=", 3.0)),
        Figure("latency", "a batch", 8.0, "ms"),
    ]

    assert pages.section(run(*figures)).splitlines()[2:] == [
        "### Latency",
        "",
        "| figure | unit | at 25% | at 50% |",
        "| --- | --- | --- | --- |",
        "| load | readings/s | 100 |  |",
        "| reading to event, p99 | ms | 4 | 5 (<= 3: MISSED) |",
        "",
        "| figure | value | goal |",
        "| --- | --- | --- |",
        "| a batch | 8 ms |  |",
    ]


def test_the_cpu_time_of_a_stage_is_in_brackets_after_its_elapsed_time() -> None:
    figures = [
        Figure("stages alone", "decode, univariate, window 32", 1.45, "us a reading"),
        Figure("stages alone", "decode, univariate, window 32, CPU", 1.44, "us of CPU a reading"),
        Figure("scale", "in memory, 1,000 sensors, CPU", 54.2, "us of CPU a reading"),
    ]

    written = pages.section(run(*figures))

    assert "| decode | µs/reading (CPU) | 1.45 (1.44) |" in written
    assert "decode, CPU" not in written
    assert "| in memory, CPU | µs CPU/reading | 54.2 |" in written


def test_figures_that_only_describe_a_run_are_left_to_the_json() -> None:
    described = Figure("latency", "pacing late by at most, at 25%", 9.74, "ms", better=NEITHER)

    assert "pacing" not in pages.section(run(SPEED, described))
    assert "pacing late by at most, at 25%" in {one["name"] for one in saved(SPEED, described)["figures"]}


def test_the_headlines_name_the_goals_that_are_missed() -> None:
    slow = changed(SPEED, 0.5)

    assert pages.headlines(run(SPEED, COST)).endswith("Goals reached: 1 of 1.")
    assert pages.headlines(run(slow, COST)).endswith("Goals reached: 0 of 1.\n\n- one replica: 10,000 (>= 16,700: MISSED)")


def test_the_picture_is_drawn_from_stages_and_scale_and_is_the_same_again() -> None:
    names = ("consume", "admit, append", "sum of the stages", "the whole")
    stages = [Figure("stages alone", f"{name}, window 32, 1 feature", 10.0, "us a reading") for name in names]
    scale = [Figure("scale", f"in memory, {count:,} sensors", 10_000.0, "readings/s") for count in (1000, 1_000_000)]
    drawn = draw([*stages, *scale])

    assert b"<svg" in drawn
    assert drawn == draw([*stages, *scale])
    assert drawn != draw([*stages, changed(scale[0], 0.5), scale[1]])
    assert drawn != draw([changed(stages[0], 2.0), *stages[1:], *scale])


def decoded(lines: list[bytes]) -> Decoded:
    """Decode lines `key|value` as the service does."""
    records: list[Record] = [_Line(number, line) for number, line in enumerate(lines)]
    return JsonDecoder(feature_names(8), InputLimits()).decode(records)


class _Line:
    """The record made from a line."""

    topic, partition, timestamp, headers = "readings", 0, -1, ()

    def __init__(self, offset: int, line: bytes) -> None:
        self.offset = offset
        self.key, _, self.value = line.partition(b"|")


def test_the_load_is_readings_of_all_known_sensors_turn_by_turn_after_the_training() -> None:
    lines = list(KnownFleet(8).lines(2, 4))
    found = decoded(lines)

    assert found.rejected == []
    assert found.readings.sensors == 2 * known_sensors()
    second = START_MS + 1000 * (READINGS + 3)
    assert found.readings.times_ms.tolist() == KNOWN_SENSORS * [second - 1000] + KNOWN_SENSORS * [second]
    assert np.abs(found.readings.values).max() < FAR_OFF
    assert time_of_reading(lines[-1].partition(b"|")[2]) == second


def test_sensors_that_are_far_off_are_so_at_every_turn_and_are_marked() -> None:
    pieces = list(itertools.islice(KnownFleet(8, far_off=3).pieces(), 2 * KNOWN_SENSORS))
    values = decoded([before + b"%d" % START_MS + after for before, after, _ in pieces]).readings.values

    marked = [is_far_off for _, _, is_far_off in pieces]
    assert marked == 2 * ([True] * 3 + [False] * (KNOWN_SENSORS - 3))
    assert (np.abs(values) == FAR_OFF).all(axis=1).tolist() == marked
