"""Files and directories that are replaced atomically."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_detector import files
from stream_detector.errors import InputDataError
from stream_detector.files import is_writable, replace_directory, replaced_file, write_texts


def write(path: Path, text: str, error: BaseException | None = None) -> None:
    """Write through `replaced_file`; raise the error, if any, after the text."""
    with replaced_file(path) as unfinished:
        unfinished.write_text(text)
        if error:
            raise error


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_replaced_when_the_block_ends_and_until_then_the_old_one_is_there(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    with replaced_file(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert names(tmp_path) == ["out.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_in_the_block_passes_and_leaves_the_old_file_alone(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    with pytest.raises(error):
        write(path, "half", error())

    assert path.read_text() == "old"
    assert names(tmp_path) == ["out.csv"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "Error writing to file"), "No space left on device"),
        (OSError("first line\nsecond line"), "first line"),
        (OSError(), "the file system refused it"),
    ],
)
def test_an_error_of_the_file_system_names_the_file_and_the_reason(tmp_path: Path, error: OSError, reason: str) -> None:
    with pytest.raises(InputDataError) as raised:
        write(tmp_path / "out.csv", "half", error)

    assert str(raised.value) == f"{tmp_path}/out.csv: cannot be written: {reason}"
    assert names(tmp_path) == []


def test_a_file_below_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InputDataError, match=r"file/out\.csv: cannot be written: Not a directory"):
        write(tmp_path / "file" / "out.csv", "")


def test_texts_are_written_into_a_directory_that_is_created(tmp_path: Path) -> None:
    write_texts(tmp_path / "a" / "b", {"one": "1", "two": "ü"})
    write_texts(tmp_path / "a" / "b", {"one": "3"})

    assert names(tmp_path / "a" / "b") == ["one", "two"]
    assert (tmp_path / "a" / "b" / "one").read_text() == "3"
    assert (tmp_path / "a" / "b" / "two").read_bytes() == "ü".encode()


def test_a_directory_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InputDataError, match="file/report: cannot be created: Not a directory"):
        write_texts(tmp_path / "file" / "report", {"one": "1"})


def test_trying_whether_a_directory_is_writable_leaves_nothing_behind(tmp_path: Path) -> None:
    assert is_writable(tmp_path)
    assert names(tmp_path) == []
    assert not is_writable(tmp_path / "absent")
    assert not is_writable(Path("/proc"))


def holds_a(directory: Path) -> bool:
    """Return whether a directory is one of those that the tests below replace."""
    return (directory / "a").exists()


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_replaced_directory_is_kept_as_the_previous_one_if_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:  # as on a file system without that step
        monkeypatch.setattr(files, "_exchange", lambda *_: False)
    target, previous = tmp_path / "target", tmp_path / "target.previous"

    for text in (b"1", b"2", b"3"):
        replace_directory(target, {"a": text}, holds_a, previous)

    assert ((target / "a").read_bytes(), (previous / "a").read_bytes()) == (b"3", b"2")
    assert names(tmp_path) == ["target", "target.previous"]

    replace_directory(target, {"a": b"4"}, holds_a)

    assert (previous / "a").read_bytes() == b"2"
    assert names(tmp_path) == ["target", "target.previous"]


def test_directories_change_places_in_one_step(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for directory in (one, other):
        directory.mkdir()
        (directory / "name").write_text(directory.name)

    if not files._exchange(one, other):
        pytest.skip("this system cannot")

    assert (one / "name").read_text() == "other"
    assert files._exchange(one, tmp_path / "absent") is False


def test_an_empty_directory_that_is_replaced_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()

    replace_directory(tmp_path / "target", {"a": b"1"}, holds_a, tmp_path / "previous")

    assert names(tmp_path) == ["target"]
