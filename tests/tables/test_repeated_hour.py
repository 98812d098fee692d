"""The hour that summer time repeats: the tags of a machine are in the same pass of it, whatever each of them shows alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.ingest.parsing import Parsing
from stream_detector.tables.foreign.options import FileOptions
from stream_detector.tables.foreign.read import ReadFiles, read_files
from stream_detector.tables.repeated_hour import FIRST, SECOND
from tests.tables.foreign.files import notes

#: 02:00 in summer time; minutes count from here: 0 to 59 is the first pass, 60 to 119 the second.
AUTUMN = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
#: Of these tags, one is read each minute, one every 7 minutes, one every 50.
PACES = {"fast": 1, "slow": 7, "rare": 50}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("autumn")


def rows_of(paces: dict[str, int] = PACES, first: int = -120, last: int = 300) -> list[tuple[int, str]]:
    """Return the minute and tag of each value, in order of time; the value is the minute."""
    return sorted((minute, tag) for tag, every in paces.items() for minute in range(first, last, every))


def written(path: Path, rows: Sequence[tuple[int, str]], hour: str | None = None) -> ReadFiles:
    """Write a long table of local times without a zone, whose values are their true minutes, and read it."""
    lines = ["time,tag,value"]
    for minute, tag in rows:
        local = (AUTUMN + timedelta(minutes=minute)).astimezone(BERLIN)
        machine, _, name = tag.rpartition("/")
        lines.append(f"{local:%Y-%m-%d %H:%M:%S},{name},{minute}" + (f",{machine}" if machine else ""))
    lines[0] += ",machine" if "/" in rows[0][1] else ""
    path.write_text("\n".join(lines) + "\n")
    each = FileOptions(every_ms=60_000, hold_ms=60_000)
    return read_files([path], parsing=Parsing(zone=BERLIN, repeated_hour=hour), options=each)


def errors(read: ReadFiles, tag: str) -> set[int]:
    """Return by how many minutes the values of a tag are misplaced."""
    dataset = read.dataset
    minutes = (dataset.times_ms - int(AUTUMN.timestamp() * 1000)) // 60_000
    values = dataset.column(tag)
    true, first = np.unique(values, return_index=True)  # it is held in the next row, too
    has_value = ~np.isnan(true)
    return set((minutes[first] - true)[has_value].astype(int).tolist())


def by_tag(rows: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return sorted(rows, key=lambda row: (row[1], row[0]))


def test_in_a_file_in_order_of_time_rare_tags_follow_the_others(folder: Path) -> None:
    found = written(folder / "in_order.csv", rows_of())

    assert [errors(found, tag) for tag in PACES] == [{0}, {0}, {0}]
    assert "are in the second pass of the hour that Europe/Berlin repeats, by order" in notes(found)


def test_newest_first_is_told_as_well(folder: Path) -> None:
    found = written(folder / "newest_first.csv", rows_of()[::-1])

    assert [errors(found, tag) for tag in PACES] == [{0}, {0}, {0}]


def test_tags_that_follow_each_other_tell_by_themselves_and_what_does_not_is_said(folder: Path) -> None:
    found = written(folder / "in_turn.csv", by_tag(rows_of()))

    assert errors(found, "fast") == errors(found, "slow") == {0}
    assert errors(found, "rare") <= {0, -60}
    assert "values of which nothing tells the pass, as of tags that report rarely: taken as in the first" in notes(found)


@pytest.mark.parametrize(("kept", "wrong"), [(range(60), {0}), (range(60, 120), {0, -60})])
def test_an_hour_that_is_in_the_file_once_is_one_pass_of_all_tags_and_is_said(
    folder: Path, kept: range, wrong: set[int]
) -> None:
    rows = [row for row in rows_of() if not 0 <= row[0] < 120 or row[0] in kept]
    for arranged in (rows, by_tag(rows)):
        found = written(folder / "once.csv", arranged)

        # Nothing tells which of the two was dropped: one of them is chosen, for all tags alike.
        assert {frozenset(errors(found, tag) - {0}) for tag in PACES if errors(found, tag)} <= {
            frozenset(wrong - {0}),
            frozenset(),
        }
        assert "is in the file once: taken as its first pass, so that an hour is missing after it" in notes(found)
        said = written(folder / "once.csv", arranged, FIRST if 0 in kept else SECOND)
        assert [errors(said, tag) for tag in PACES] == [{0}, {0}, {0}]
        assert "in the file once" not in notes(said)


def test_a_file_that_is_sorted_by_local_time_has_each_time_twice(folder: Path) -> None:
    rows = sorted(rows_of({"fast": 1, "slow": 10}), key=lambda row: (row[0] - 60 if row[0] >= 60 else row[0], row[0] >= 60))

    found = written(folder / "sorted.csv", rows)

    assert errors(found, "fast") == errors(found, "slow") == {0}


def test_machines_that_follow_each_other_are_each_told_by_their_own_rows(folder: Path) -> None:
    rows = [(minute, f"{machine}/{tag}") for machine in ("M1", "M2") for minute, tag in rows_of()]

    found = written(folder / "machines.csv", rows)

    assert found.dataset.sensors == ("M1", "M2")
    assert [errors(found, tag) for tag in PACES] == [{0}, {0}, {0}]
    assert "nothing tells the pass" not in notes(found)


@given(
    paces=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 90), min_size=1, max_size=5),
    first=st.integers(-200, -91),
    dropped=st.sampled_from([None, range(60), range(60, 120)]),
)
@settings(max_examples=40, deadline=None)
def test_in_a_file_in_order_of_time_no_two_tags_are_put_an_hour_apart(
    folder: Path, paces: dict[str, int], first: int, dropped: range | None
) -> None:
    rows = [row for row in rows_of({"minute": 1, **paces}, first) if dropped is None or row[0] not in dropped]

    found = written(folder / "any.csv", rows)

    wrong = {error for tag in paces for error in errors(found, tag)}
    assert wrong <= ({0} if dropped is None else {0, 60, -60})
    if dropped is not None:
        in_hour = {frozenset(errors(found, tag) - {0}) for tag in paces}
        assert in_hour <= {frozenset(), frozenset({-60})}
