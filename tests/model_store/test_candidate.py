from __future__ import annotations

from pathlib import Path

import pytest

from stream_detector.errors import ModelError
from stream_detector.model_store.candidate import CandidatePlace, PutOff, is_learned


@pytest.fixture
def place(tmp_path: Path) -> CandidatePlace:
    return CandidatePlace(tmp_path / "models" / "plant")


def write(directory: Path, report: str = '{"learned_by_run": true}') -> None:
    directory.mkdir(parents=True)
    (directory / "report.json").write_text(report)


def test_a_candidate_takes_the_place_of_no_model_and_of_an_empty_directory(place: CandidatePlace) -> None:
    with place.locked() as lock:
        assert lock is not None
        place.model.mkdir()
        write(place.candidate)
        place.promote()

    assert is_learned(place.model)
    assert not place.candidate.exists()


def test_a_candidate_takes_the_place_of_nothing_else(place: CandidatePlace) -> None:
    write(place.model, "{}")
    with place.locked():
        write(place.candidate)
        with pytest.raises(ModelError, match="there is another model"):
            place.promote()

    assert not is_learned(place.model)


def test_one_holds_the_lock_and_removes_what_a_killed_training_left(place: CandidatePlace) -> None:
    write(place.candidate)
    write(place.workplace / ".candidate.12345678.new")
    with place.locked() as first, place.locked() as second:
        assert first is not None
        assert second is None
        assert [path.name for path in place.workplace.iterdir()] == ["lock"]

    with place.locked() as third:
        assert third is not None


def test_word_of_a_training_that_gave_no_model_is_left_for_other_replicas(place: CandidatePlace) -> None:
    found = PutOff(1.5, 2.5, "it was too short", 10_000)
    with place.locked():
        assert place.last_put_off() is None
        place.put_off(found)
    with place.locked():
        assert place.last_put_off() == found
        (place.workplace / "put-off").write_text("half")
        assert place.last_put_off() is None


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")

    with (
        pytest.raises(ModelError, match="`run` needs to write in"),
        CandidatePlace(tmp_path / "models" / "plant").locked(),
    ):
        pass


def test_a_model_that_was_not_good_enough_is_kept_but_replaces_nothing_else(place: CandidatePlace) -> None:
    with place.locked():
        write(place.candidate)
        assert place.reject() == place.rejected
        write(place.candidate)
        assert place.reject() == place.candidate  # what is there does not look like a model


@pytest.mark.parametrize("report", ["", "[]", "{}", '{"learned_by_run": 1}', "nonsense"])
def test_a_model_of_somebody_elses_is_not_learned(report: str, tmp_path: Path) -> None:
    write(tmp_path / "model", report)

    assert not is_learned(tmp_path / "model")
    assert not is_learned(tmp_path / "none")
