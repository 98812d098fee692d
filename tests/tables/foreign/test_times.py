"""Dates as plants write them: the whole column decides the order of day and month, or the file is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from stream_detector.errors import InputDataError
from stream_detector.ingest.parsing import Parsing
from stream_detector.tables.foreign.read import read_files
from stream_detector.timestamps import iso_time
from tests.tables.foreign.files import read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "times.csv"


def times(path: Path, *texts: str, **options: Any) -> list[str]:  # noqa: ANN401 - fields of FileOptions
    """Read rows of these times, and return them in UTC."""
    rows = [f"{text};{row}" for row, text in enumerate(texts)]
    return [iso_time(int(ms)) for ms in read(path, "\n".join(["Zeit;x", *rows]), **options).dataset.times_ms]


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (("28.11.2026 10:00:00", "28.11.2026 10:00:01"), "2026-11-28T10:00:00.000Z"),
        (("01.02.2026 10:00", "01.02.2026 10:01"), "2026-02-01T10:00:00.000Z"),  # points: the day is first
        (("28.11.26 10:00:00,250", "28.11.26 10:00:01,250"), "2026-11-28T10:00:00.250Z"),
        (("11/28/2026 10:00 AM", "11/28/2026 1:00 PM"), "2026-11-28T10:00:00.000Z"),
        (("11/28/2026 12:00 AM", "11/28/2026 12:00 PM"), "2026-11-28T00:00:00.000Z"),
        (("28/11/2026 10:00:00", "29/11/2026 10:00:00"), "2026-11-28T10:00:00.000Z"),
        (("2026/11/28 10:00:00", "2026/11/28 10:00:01"), "2026-11-28T10:00:00.000Z"),
        (("28-Nov-2026 10:00:00", "29-Dez-2026 10:00:00"), "2026-11-28T10:00:00.000Z"),
        (("28 März 2026 10:00", "29 Mrz 2026 10:00"), "2026-03-28T10:00:00.000Z"),
        (("28.11.2026 10:00:00 +01:00", "28.11.2026 10:00:01 +01:00"), "2026-11-28T09:00:00.000Z"),
        (("28.11.2026 24:00:00", "29.11.2026 00:00:01"), "2026-11-29T00:00:00.000Z"),
        (("1795860000,25", "1795860001,25"), "2026-11-28T10:00:00.250Z"),
        (("1795860000000", "1795860001000"), "2026-11-28T10:00:00.000Z"),
        (("1795860000000000", "1795860001000000"), "2026-11-28T10:00:00.000Z"),
        (("1795860000000000000", "1795860001000000000"), "2026-11-28T10:00:00.000Z"),
    ],
)
def test_usual_forms_of_times_are_known(path: Path, texts: tuple[str, ...], first: str) -> None:
    assert times(path, *texts)[0] == first


def test_a_later_row_tells_whether_the_day_or_the_month_is_first(path: Path) -> None:
    assert times(path, "01/02/2026 10:00", "13/02/2026 10:00")[0] == "2026-02-01T10:00:00.000Z"
    assert times(path, "01/02/2026 10:00", "01/13/2026 10:00")[0] == "2026-01-02T10:00:00.000Z"


def test_the_course_of_the_times_tells_where_no_number_does(path: Path) -> None:
    texts = ("01/02/2026 23:59", "02/02/2026 00:00", "02/02/2026 00:01")

    assert times(path, *texts) == ["2026-02-01T23:59:00.000Z", "2026-02-02T00:00:00.000Z", "2026-02-02T00:01:00.000Z"]


def test_an_order_that_cannot_be_told_is_refused_with_what_to_say(path: Path) -> None:
    texts = ("01/02/2026 10:00:00", "01/02/2026 10:00:01")

    with pytest.raises(
        InputDataError, match=r"data row 1: '01/02/2026 10:00:00' may have the day or the month first.*--time-format"
    ):
        times(path, *texts)

    assert times(path, *texts, time_format="%d/%m/%Y %H:%M:%S")[0] == "2026-02-01T10:00:00.000Z"
    assert times(path, *texts, time_format="%m/%d/%Y %H:%M:%S")[0] == "2026-01-02T10:00:00.000Z"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (("13/01/2026 10:00", "01/13/2026 10:00"), "have day and month in different orders"),
        (("28.11.2026 10:00", "31.11.2026 10:00"), "data row 2: '31.11.2026 10:00' is not a time as day.month.year"),
        (("28.11.2026 10:00", "noon"), "data row 2: 'noon' is not a time"),
        (("noon", "night"), "data row 1: 'noon' is not a known form of time"),
        (("28.11.2026 10:00", ""), "data row 2 has no time"),
        (("28.11.2026 10:00Z", "28.11.2026 10:01"), "data row 2: time 28.11.2026 10:01 has no zone, others have one"),
    ],
)
def test_times_that_cannot_be_read_are_named_by_their_row(path: Path, texts: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputDataError) as caught:
        times(path, *texts)

    assert said in str(caught.value)


def test_numbers_of_a_unit_that_is_named_are_read_in_it(path: Path) -> None:
    assert times(path, "46083,5", "46083,75", time_format="excel")[0] == "2026-03-02T12:00:00.000Z"
    assert times(path, "1795860000", "1795860001", time_format="s")[0] == "2026-11-28T10:00:00.000Z"


@pytest.mark.parametrize(("text", "said"), [("%d.%m.%Q", "%Q is not known"), ("%H:%M", "has no day or no year")])
def test_a_format_that_cannot_be_used_is_refused(path: Path, text: str, said: str) -> None:
    with pytest.raises(InputDataError, match=said):
        times(path, "28.11.2026 10:00", time_format=text)


def test_local_times_are_in_the_zone_that_is_named_and_without_one_it_is_said(path: Path) -> None:
    found = read(path, "Zeit;x\n28.11.2026 10:00:00;1,5\n")
    assert "taken as UTC; --time-zone" in found.files[0].facts["zone"]

    dataset = read_files([path], parsing=Parsing(zone=ZoneInfo("Europe/Berlin"))).dataset

    assert iso_time(int(dataset.times_ms[0])) == "2026-11-28T09:00:00.000Z"


def test_the_time_column_is_named_by_the_user_if_nothing_shows_it(path: Path) -> None:
    content = "Nr;Stempel;x\n7;28.11.2026 11:00:00;1,5\n"

    found = read(path, content, time_columns=("Stempel",)).dataset

    assert iso_time(int(found.times_ms[0])) == "2026-11-28T11:00:00.000Z"
