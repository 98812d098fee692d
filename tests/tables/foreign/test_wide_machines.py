"""Wide tables whose columns are of several machines: `--sensor-from` splits their names, with and without an interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_detector.errors import InputDataError
from stream_detector.tables.foreign.options import FileOptions
from stream_detector.tables.foreign.read import ReadFiles, read_files
from tests.tables.foreign.files import notes

HEADER = "Zeit;P1 Druck [bar];P1 Strom [A];P2 Druck [bar];P2 Strom [A];Bemerkung"
ROWS = ["28.11.2026 10:00:00;1,5;11;2,5;21;1", "28.11.2026 10:00:07;1,6;;2,6;22;2", "28.11.2026 10:00:20;;;2,7;23;3"]
START_MS = 1_795_860_000_000  # 2026-11-28T10:00:00Z
SPLIT = "{sensor} {feature}"
FEATURES = ("Druck [bar]", "Strom [A]")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "wide.csv"
    path.write_text("\n".join([HEADER, *ROWS]))
    return path


def by_features(path: Path, features: tuple[str, ...] | None, every_ms: int | None = None) -> ReadFiles:
    return read_files([path], features, options=FileOptions(sensor_from=SPLIT, every_ms=every_ms))


def test_without_an_interval_the_rows_of_each_machine_have_the_times_of_the_file(path: Path) -> None:
    found = by_features(path, None)

    assert (found.dataset.sensors, found.dataset.features) == (("P1", "P2"), FEATURES)
    times = [START_MS, START_MS + 7_000, START_MS, START_MS + 7_000, START_MS + 20_000]  # P1 has no value at the last one
    assert found.dataset.times_ms.tolist() == times
    expected = [[1.5, 11], [1.6, np.nan], [2.5, 21], [2.6, 22], [2.7, 23]]
    np.testing.assert_array_equal(found.dataset.values, expected)
    assert "at the times of the file\n" in notes(found)
    assert "1 tags that --sensor-from does not fit (Bemerkung)" in notes(found)
    assert found.joined is not None
    assert found.joined.options == {}


@pytest.mark.parametrize("every_ms", [None, 10_000])
def test_the_features_of_a_model_are_read_as_those_of_its_training(path: Path, every_ms: int | None) -> None:
    trained, judged = by_features(path, None, every_ms).dataset, by_features(path, FEATURES[::-1], every_ms).dataset

    assert judged.features == FEATURES[::-1]
    assert judged.sensors == trained.sensors
    assert judged.times_ms.tolist() == trained.times_ms.tolist()
    np.testing.assert_array_equal(judged.values, trained.values[:, ::-1])


def test_a_feature_of_a_model_that_has_no_value_is_missing(path: Path) -> None:
    path.write_text("\n".join([HEADER, "28.11.2026 10:00:00;1,5;;2,5;;1", "28.11.2026 10:00:07;1,6;;2,6;;2"]))

    np.testing.assert_array_equal(by_features(path, FEATURES).dataset.values[:, 1], [np.nan] * 4)


def test_a_column_is_ignored_by_its_name_or_by_its_feature(path: Path) -> None:
    for ignored, features in (("Strom [A]", FEATURES[:1]), ("Bemerkung", FEATURES)):
        found = read_files([path], None, [ignored], options=FileOptions(sensor_from=SPLIT))

        assert found.dataset.features == features


def test_what_does_not_fit_is_refused_with_the_option(path: Path) -> None:
    with pytest.raises(InputDataError, match="no column is of a feature of Temp, Weg"):
        by_features(path, ("Temp", "Weg"))
    with pytest.raises(InputDataError, match="no tag has a value"):
        read_files([path], ("Temp",), options=FileOptions(every_ms=10_000))
    path.write_text("timestamp,sensor_id,P1 T,P2 T\n1795860000,a,1,2\n1795860000,b,1,2\n")
    with pytest.raises(InputDataError, match=r"names the machines already \(a, b\), so --sensor-from cannot: leave it out"):
        by_features(path, None)
