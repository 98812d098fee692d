"""Columns that say whether values are good: by words, by codes of OPC, by flags; bad values are missing, and counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_detector.errors import InputDataError
from tests.tables.foreign.files import notes, read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "quality.csv"


@pytest.mark.parametrize(
    ("good", "bad", "more"),
    [
        ("192", "0", "64"),
        ("216", "24", "20"),
        ("Good", "Bad", "Bad, Not Connected"),
        ("Good, Local Override", "Uncertain", "Questionable"),
        ("Gut", "Schlecht", "Fehler"),
        ("1", "0", "0"),
        ("true", "false", "false"),
        ("0", "2147483648", "2156527616"),  # OPC UA
        ("192.0", "0.0", "24.0"),  # as pandas writes a column with empty cells
    ],
)
def test_values_of_bad_quality_are_missing(path: Path, good: str, bad: str, more: str) -> None:
    rows = [f'{1_800_000_000 + row},{row},"{quality}"' for row, quality in enumerate([good, bad, more, good])]

    found = read(path, "\n".join(["timestamp,Temp [°C],Temp Quality", *rows]))

    assert found.dataset.features == ("Temp [°C]",)
    np.testing.assert_array_equal(found.dataset.values[:, 0], [0, np.nan, np.nan, 3])
    assert "column Temp Quality is of Temp [°C]" in notes(found)
    assert "2 values of bad quality are missing" in notes(found)


def test_one_quality_may_be_of_all_features_and_each_feature_may_have_its_own(path: Path) -> None:
    one = read(path, "timestamp,a,b,quality\n1800000001,1,2,192\n1800000002,3,4,0\n")
    np.testing.assert_array_equal(one.dataset.values, [[1, 2], [np.nan, np.nan]])

    each = read(path, "timestamp,a.Value,a.Quality,b.Value,b.Quality\n1800000001,1,192,2,0\n1800000002,3,192,4,192\n")
    assert each.dataset.features == ("a.Value", "b.Value")
    np.testing.assert_array_equal(each.dataset.values, [[1, np.nan], [3, 4]])


def test_what_is_good_may_be_said_by_the_user(path: Path) -> None:
    found = read(path, "timestamp,a,quality\n1800000001,1,A1\n1800000002,3,B7\n", good_quality=("A1",))

    np.testing.assert_array_equal(found.dataset.values, [[1], [np.nan]])


def test_a_measurement_that_is_named_like_a_quality_stays_one(path: Path) -> None:
    found = read(path, "timestamp,a,water quality\n1800000001,1,7.25\n1800000002,3,6.5\n")

    assert found.dataset.features == ("a", "water quality")


def test_a_quality_of_a_long_table_that_is_not_understood_is_asked_for(path: Path) -> None:
    content = "time,tag,value,quality\n1800000001,a,1,X\n1800000002,a,3,Y\n"

    with pytest.raises(InputDataError, match="does not look like a quality: say which values are good, as --good-quality"):
        read(path, content)
