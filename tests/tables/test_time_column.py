"""The ways in which a file may write its times."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_detector.tables.dataset import read_dataset


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "readings.csv"


@pytest.mark.parametrize(
    ("written", "time_ms"),
    [
        ("1767225600", 1_767_225_600_000),
        ("1767225600.25", 1_767_225_600_250),
        ("1767225600250", 1_767_225_600_250),
        ("2026-01-01T00:00:00Z", 1_767_225_600_000),
        ("2026-01-01T01:00:00.250+01:00", 1_767_225_600_250),
        ("2026-01-01 00:00:00.123456789", 1_767_225_600_123),
        ("2026-01-01 00:00", 1_767_225_600_000),
        ("2026-01-01", 1_767_225_600_000),
    ],
)
def test_ways_to_write_a_time(path: Path, written: str, time_ms: int) -> None:
    path.write_text(f"timestamp,x\n{written},1\n")

    assert read_dataset([path]).times_ms.tolist() == [time_ms]


def test_times_with_and_without_a_zone_may_be_mixed(path: Path) -> None:
    path.write_text("timestamp,x\n2026-01-01T02:00:00+02:00,1\n2026-01-01T00:00:01,2\n")

    assert read_dataset([path]).times_ms.tolist() == [1_767_225_600_000, 1_767_225_601_000]
