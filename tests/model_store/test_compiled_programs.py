from __future__ import annotations

import os
from pathlib import Path

import pytest

from stream_detector.model_store.compiled_programs import MOST_FILES, prepare, remember

NOW_S = 1_800_000_000.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def programs(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.pb"))


def with_program(root: Path, content: bytes = b"code") -> Path:
    """Return a directory in which a model's start has left a program."""
    directory = prepare(root, "cpu", NOW_S)
    (directory / "one.pb").write_bytes(content)
    remember(directory)
    return directory


def test_what_a_start_has_noted_is_there_at_the_next(root: Path) -> None:
    directory = with_program(root)

    assert prepare(root, "cpu", NOW_S) == directory
    assert programs(directory) == ["one.pb"]


@pytest.mark.parametrize("content", [b"cod", b"", b"other"], ids=["cut short", "empty", "changed"])
def test_a_program_that_is_not_what_was_noted_is_removed(root: Path, content: bytes) -> None:
    directory = with_program(root)
    (directory / "one.pb").write_bytes(content)

    prepare(root, "cpu", NOW_S)

    assert programs(directory) == []


@pytest.mark.parametrize("digests", [None, "", "[]", '{"one.pb": 1}', '{"one.pb"'])
def test_without_a_list_that_can_be_read_all_programs_are_removed(root: Path, digests: str | None) -> None:
    directory = with_program(root)
    (directory / "sha256.json").unlink() if digests is None else (directory / "sha256.json").write_text(digests)

    prepare(root, "cpu", NOW_S)

    assert programs(directory) == []


def test_a_program_that_no_start_has_noted_is_removed(root: Path) -> None:
    directory = with_program(root)
    (directory / "two.pb").write_bytes(b"of a start that was killed")

    prepare(root, "cpu", NOW_S)

    assert programs(directory) == ["one.pb"]


def test_each_machine_has_its_own(root: Path) -> None:
    assert prepare(root, "cpu with avx512", NOW_S) != with_program(root)


def test_what_another_process_still_writes_stays_and_what_a_killed_one_left_goes(root: Path) -> None:
    directory = prepare(root, "cpu", NOW_S)
    for name, age_s in (("new.tmp", 60), ("old.tmp", 7200)):
        (directory / name).touch()
        os.utime(directory / name, (NOW_S - age_s, NOW_S - age_s))

    prepare(root, "cpu", NOW_S)

    assert [path.name for path in directory.iterdir()] == ["new.tmp"]


def test_the_oldest_programs_are_removed_where_there_are_many(root: Path) -> None:
    directory = prepare(root, "cpu", NOW_S)
    for number in range(MOST_FILES + 2):
        path = directory / f"{number:03}.pb"
        path.write_bytes(b"code")
        os.utime(path, (NOW_S + number, NOW_S + number))
    remember(directory)

    prepare(root, "cpu", NOW_S)

    assert programs(directory)[0] == "002.pb"
    assert len(programs(directory)) == MOST_FILES


def test_a_directory_that_others_can_write_is_refused(root: Path) -> None:
    with_program(root).chmod(0o770)

    with pytest.raises(PermissionError, match="others can write there"):
        prepare(root, "cpu", NOW_S)


def test_a_directory_is_its_user_s_alone(root: Path) -> None:
    assert with_program(root).stat().st_mode & 0o777 == 0o700


def test_a_full_disk_is_refused(root: Path) -> None:
    with pytest.raises(OSError, match="less than 1,099,511,627,776 MB are free"):
        prepare(root, "cpu", NOW_S, least_free_bytes=1 << 60)


def test_a_file_in_the_way_is_an_error(root: Path) -> None:
    root.write_text("a file")

    with pytest.raises(OSError, match="cache"):
        prepare(root, "cpu", NOW_S)
