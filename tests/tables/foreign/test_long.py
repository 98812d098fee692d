"""Long tables: tags become features, those of a machine are joined into rows, and what was held is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_detector.errors import InputDataError
from stream_detector.tables.foreign.joining import Reports, join
from stream_detector.tables.foreign.options import FileOptions, LongColumns
from stream_detector.tables.foreign.read import read_files
from tests.tables.foreign.files import notes, read

START = 1_795_860_000  # 2026-11-28T10:00:00Z


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "long.csv"


def table(rows: Sequence[tuple[object, ...]], header: str = "timestamp,tag,value") -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def test_tags_that_share_their_times_are_rows_of_one_machine(path: Path) -> None:
    found = read(path, table([(START, "T", 1), (START, "F", 2), (START + 1, "T", 3), (START + 1, "F", "Bad")]))

    assert (found.dataset.features, found.dataset.sensors) == (("T", "F"), ("sensor",))
    np.testing.assert_array_equal(found.dataset.values, [[1, 2], [3, np.nan]])
    said = notes(found)
    assert "long: tag names what value holds" in said
    assert "at the times of the file, which the tags share" in said
    assert "one, for nothing says otherwise; --sensor-from" in said


@pytest.mark.parametrize("pattern", ["{sensor}.{feature}", r"(?P<sensor>P\d)\.(?P<feature>.+)"])
def test_a_pattern_says_which_machine_a_tag_is_of(path: Path, pattern: str) -> None:
    rows = [(START + second, tag, second) for second in (0, 1) for tag in ("P1.T", "P1.F", "P2.T", "P2.F")]

    dataset = read(path, table(rows), sensor_from=pattern).dataset

    assert (dataset.sensors, dataset.features) == (("P1", "P2"), ("T", "F"))
    assert dataset.values.tolist() == [[0.0, 0.0], [1.0, 1.0]] * 2


def test_columns_that_split_into_machines_are_read_for_the_features_of_a_model(path: Path) -> None:
    path.write_text(f"timestamp,P1 T,P1 F,P2 T,P2 F\n{START},1,2,3,4\n{START + 1},5,6,7,8\n", "utf-8")
    options = FileOptions(sensor_from="{sensor} {feature}", every_ms=1000)

    dataset = read_files([path], ("F",), options=options).dataset

    assert (dataset.sensors, dataset.features) == (("P1", "P2"), ("F",))
    assert dataset.values.tolist() == [[2.0], [6.0], [4.0], [8.0]]


def test_tags_that_a_pattern_does_not_fit_are_left_out_and_said(path: Path) -> None:
    rows = [(START + second, tag, second) for second in (0, 1) for tag in ("P1.T", "ambient")]

    assert "1 tags that --sensor-from does not fit (ambient)" in notes(
        read(path, table(rows), sensor_from="{sensor}.{feature}")
    )
    with pytest.raises(InputDataError, match=r"fits no tag \(tags: P1\.T, ambient\)"):
        read(path, table(rows), sensor_from="{sensor}/{feature}")
    with pytest.raises(InputDataError, match="needs both parts"):
        read(path, table(rows), sensor_from="(?P<sensor>.*)")


def test_columns_are_named_by_the_user_where_their_names_say_nothing(path: Path) -> None:
    content = "a;b;c;d;e\n28.11.2026 10:00:00;T;1,5;M1;192\n28.11.2026 10:00:00;F;2,5;M1;0\n28.11.2026 10:00:00;T;3,5;M2;192\n"
    content += "28.11.2026 10:00:00;F;4,5;M2;192\n"

    found = read(path, content, long=LongColumns("a", "b", "c", "d", "e"))

    assert found.dataset.sensors == ("M1", "M2")
    np.testing.assert_array_equal(found.dataset.values, [[1.5, np.nan], [3.5, 4.5]])
    assert "1 values of bad quality are missing" in notes(found)
    with pytest.raises(InputDataError, match="no column x, which --long names"):
        read(path, content, long=LongColumns("a", "b", "x"))


def test_tags_with_times_of_their_own_become_rows_at_a_stated_interval(path: Path) -> None:
    rows = [
        (f"{START + second}.{offset}", tag, 10 * second) for second in range(5) for offset, tag in (("100", "A"), ("700", "B"))
    ]

    found = read(path, table(rows))

    assert found.dataset.times_ms.tolist() == [1000 * (START + 1 + second) for second in range(5)]
    assert found.dataset.values.tolist() == [[10 * second, 10 * second] for second in range(5)]
    said = notes(found)
    assert "one every 1 s (chosen from the data; --every names another)" in said
    assert "a value counts for 10 s (chosen from the data; --hold names another)" in said
    assert "held: 0% of the values" in said


def test_a_value_is_held_for_the_stated_time_and_then_missing(path: Path) -> None:
    rows = [(START + second, "A", second) for second in range(0, 60, 10)] + [(START, "rare", 7), (START + 50, "rare", 8)]

    found = read(path, table(rows), every_ms=10_000, hold_ms=20_000)

    nan = np.nan
    np.testing.assert_array_equal(found.dataset.values, [[0, 7], [10, 7], [20, 7], [30, nan], [40, nan], [50, 8]])
    said = notes(found)
    assert "held: 20% of the values" in said  # 2 of 10
    assert "RARER THAN THE HOLD: rare (every 50 s): mostly missing" in said


def test_a_value_of_bad_quality_ends_the_one_before_it(path: Path) -> None:
    rows = [
        (START, "A", 1, 192),
        (START, "B", 1, 192),
        (START + 10, "A", 9, 0),
        (START + 20, "B", 2, 192),
        (START + 30, "A", 3, 192),
    ]

    dataset = read(path, table(rows, "time,tag,value,quality"), every_ms=10_000, hold_ms=60_000).dataset

    nan = np.nan
    np.testing.assert_array_equal(dataset.values, [[1, 1], [nan, 1], [nan, 2], [3, 2]])


def test_tags_of_text_are_left_out_and_said(path: Path) -> None:
    rows = [
        (START + second, tag, value) for second in (0, 1) for tag, value in (("A", second), ("state", "RUN"), ("empty", "Bad"))
    ]

    found = read(path, table(rows))

    assert found.dataset.features == ("A",)
    assert "left out: 1 tags that hold text and not numbers (state)" in notes(found)
    assert "left out: 1 tags without any value (empty)" in notes(found)


def test_words_that_became_missing_are_said_by_tag_with_their_number_and_first_row(path: Path) -> None:
    words = {3: "Bad", 4: "I/O Timeout", 6: "Bad", 8: "slow"}
    rows = [(START + second, tag, words.get(second, 1) if tag == "T" else 2) for second in range(10) for tag in ("T", "F")]

    said = read(path, table(rows)).dataset.notes

    assert said == (
        "taken as missing: T of sensor: 'Bad' 2 times, 'I/O Timeout' 1 time, 'Bad' first in data row 7 of long.csv",
        "taken as missing: T of sensor: 'slow' 1 time (not a number), first in data row 17 of long.csv",
    )


def test_what_became_missing_is_said_of_a_wide_table_that_is_joined(path: Path) -> None:
    content = "timestamp,A\n" + "".join(f"{START + second},{'Bad' if second == 5 else second}\n" for second in range(10))

    said = read(path, content, every_ms=2000).dataset.notes

    assert said == ("taken as missing: A of sensor: 'Bad' 1 time, first in data row 6 of long.csv",)


def test_several_long_files_are_joined_together(tmp_path: Path) -> None:
    from stream_detector.tables.foreign.read import read_files

    (tmp_path / "a.csv").write_text(table([(START, "A", 1), (START + 1, "A", 2)]))
    (tmp_path / "b.csv").write_text(table([(START, "B", 3), (START + 1, "B", 4)]))

    dataset = read_files([tmp_path]).dataset

    assert (dataset.features, dataset.values.tolist()) == (("A", "B"), [[1.0, 3.0], [2.0, 4.0]])


def test_a_wide_table_with_few_filled_cells_is_joined_if_an_interval_is_named(path: Path) -> None:
    content = "timestamp,A,B\n" + "".join(
        f"{START + second}.{ms},{'' if ms == 700 else second},{second if ms == 700 else ''}\n"
        for second in range(3)
        for ms in (100, 300, 700)
    )
    assert "joins them into rows" not in notes(read(path, content))

    found = read(path, content, every_ms=1000)

    assert found.dataset.values.tolist() == [[0, 0], [1, 1], [2, 2]]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50_000), st.integers(-5, 5)), min_size=1, max_size=40),
    st.sampled_from([500, 1000, 7000]),
    st.sampled_from([7000, 20_000]),
)
def test_each_joined_cell_is_the_last_report_that_is_not_too_old(
    found: list[tuple[int, int, int]], every_ms: int, hold_ms: int
) -> None:
    tags, times, values = (np.array(column) for column in zip(*found, strict=True))
    reports = Reports(
        ("m",), ("a", "b", "c", "d"), np.zeros(len(tags), np.int32), tags.astype(np.int32), times, values.astype(float)
    )

    joined = join(reports, every_ms, hold_ms)

    for row, time in enumerate(joined.times_ms.tolist()):
        assert time % every_ms == 0
        for code, name in enumerate(reports.features):
            before = [(at, place) for place, (tag, at, _) in enumerate(found) if tag == code and at <= time]
            last = max(before, default=(-hold_ms - 1, -1))
            expected = found[last[1]][2] if before and time - last[0] <= hold_ms else None
            cell = joined.columns[name][row]
            assert np.isnan(cell) if expected is None else cell == expected
