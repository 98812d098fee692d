"""Decimal marks: a whole column decides, the file helps where a column cannot, and nothing is guessed in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_detector.errors import InputDataError
from tests.tables.foreign.files import read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "numbers.csv"


def column(path: Path, cells: list[str], other: list[str] | None = None, **options: Any) -> list[float]:  # noqa: ANN401 - fields
    """Read a column of cells, beside another one."""
    beside = other or ["1"] * len(cells)
    rows = [f"28.11.2026 10:00:{second:02};{a};{b}" for second, (a, b) in enumerate(zip(cells, beside, strict=True))]
    values: list[float] = read(path, "\n".join(["Zeit;x;y", *rows]) + "\n", **options).dataset.values[:, 0].tolist()
    return values


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["61,2", "1,234"], [61.2, 1.234]),  # a column with one sure comma
        (["0,234", "12345,678"], [0.234, 12345.678]),
        (["1.234,5", "1.234.567"], [1234.5, 1_234_567.0]),
        (["1,234.5", "1,234"], [1234.5, 1234.0]),
        (["1.234", "2.5"], [1.234, 2.5]),
        (["1.234", "2.345"], [1.234, 2.345]),  # three decimals with a point, as ever
        (["-1,5e3", "+2,5"], [-1500.0, 2.5]),
        (["1 234,5", "1\u202f234,25"], [1234.5, 1234.25]),
        (["1'234.5", "7"], [1234.5, 7.0]),
        (["7", "12"], [7.0, 12.0]),
    ],
)
def test_the_whole_column_decides_the_mark(path: Path, cells: list[str], expected: list[float]) -> None:
    assert column(path, cells) == expected


def test_the_other_columns_decide_for_one_that_cannot(path: Path) -> None:
    assert column(path, ["1,234", "2,345"], ["0,5", "1,5"]) == [1.234, 2.345]
    assert column(path, ["1.234", "2.345"], ["0,5", "1,5"]) == [1234.0, 2345.0]
    assert column(path, ["1,234", "2,345"], ["0.5", "1.5"]) == [1234.0, 2345.0]


def test_numbers_that_may_be_read_in_two_ways_are_refused_until_the_user_decides(path: Path) -> None:
    with pytest.raises(InputDataError, match=r"data row 1, column x: '1,234' may have .* --decimal comma or --decimal point"):
        column(path, ["1,234", "2,345"])

    assert column(path, ["1,234", "2,345"], decimal=",") == [1.234, 2.345]
    assert column(path, ["1,234", "2,345"], decimal=".") == [1234.0, 2345.0]


def test_a_column_with_both_marks_is_refused_and_both_rows_are_named(path: Path) -> None:
    with pytest.raises(InputDataError, match=r"column x has decimal commas and decimal points: '1,5' in data row 1, '2\.5' in"):
        column(path, ["1,5", "2.5"])


def test_words_for_missing_stay_missing_beside_decimal_commas(path: Path) -> None:
    np.testing.assert_array_equal(column(path, ["1,5", "Bad", "", "2,25"]), [1.5, np.nan, np.nan, 2.25])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    values=st.lists(st.lists(st.integers(-10_000_000, 10_000_000), min_size=3, max_size=3), min_size=2, max_size=12),
    delimiter=st.sampled_from([";", "\t", "|"]),
    comma=st.booleans(),
    thousands=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    dates=st.sampled_from(["%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d-%b-%Y %H:%M:%S"]),
)
def test_what_is_written_in_any_dialect_is_read_as_the_same_numbers(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    values: list[list[int]],
    delimiter: str,
    comma: bool,
    thousands: bool,
    encoding: str,
    dates: str,
) -> None:
    from datetime import UTC, datetime, timedelta

    def text(number: int) -> str:
        written = f"{number / 10_000:,.4f}" if thousands else f"{number / 10_000:.4f}"
        return written.translate(str.maketrans(",.", ".,")) if comma else written

    start = datetime(2026, 11, 28, 10, tzinfo=UTC)
    times = [start + timedelta(seconds=row) for row in range(len(values))]
    rows = [delimiter.join([time.strftime(dates), *map(text, row)]) for time, row in zip(times, values, strict=True)]
    content = "\r\n".join([delimiter.join(["Zeit", "ä [°C]", "b", "c"]), *rows]).encode(encoding)

    dataset = read(tmp_path_factory.mktemp("dialect") / "in.csv", content).dataset

    np.testing.assert_array_equal(
        dataset.values, np.array([[f"{number / 10_000:.4f}" for number in row] for row in values], float)
    )
    assert dataset.times_ms.tolist() == [int(time.timestamp() * 1000) for time in times]
