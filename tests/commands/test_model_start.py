"""What TensorFlow compiled is kept between starts, and nothing that is wrong with it stops one. Each start is a process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.test_score import write_readings


class Starts:
    """Starts of `score` that keep what they compile in one place."""

    def __init__(self, model: Path, directory: Path) -> None:
        write_readings(directory / "in.csv", 20)
        self.place = directory / "cache"
        self._model, self._directory = model, directory

    def scores(self, place: str = "") -> str:
        """Run `score`; return a digest of what it wrote."""
        output = self._directory / "out.csv"
        command = [sys.executable, "-m", "stream_detector", "score", "--model", str(self._model), "--output", str(output)]
        environment = {name: value for name, value in os.environ.items() if name != "TF_XLA_FLAGS"}
        environment["STREAM_DETECTOR_MODEL__COMPILED_DIRECTORY"] = place or str(self.place)
        command += ["--input", str(self._directory / "in.csv")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert "SIGILL" not in done.stderr
        return hashlib.sha256(output.read_bytes()).hexdigest()

    def programs(self) -> dict[str, tuple[int, int]]:
        """Return when each program was written, and its size."""
        found = {path.name: path.stat() for path in self.place.glob("*/*.pb")}
        return {name: (stat.st_mtime_ns, stat.st_size) for name, stat in found.items()}


@pytest.fixture(scope="module")
def starts(tiny_model_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Starts:
    return Starts(tiny_model_directory, tmp_path_factory.mktemp("starts"))


@pytest.fixture(scope="module")
def scores(starts: Starts) -> str:
    """The scores of the first start, which compiles."""
    return starts.scores()


def test_a_second_start_compiles_nothing_and_scores_the_same(starts: Starts, scores: str) -> None:
    compiled = starts.programs()

    assert starts.scores() == scores
    assert starts.programs() == compiled
    assert compiled


def test_a_program_that_was_cut_short_is_compiled_again(starts: Starts, scores: str) -> None:
    sizes = {name: size for name, (_, size) in starts.programs().items()}
    for path in starts.place.glob("*/*.pb"):
        path.write_bytes(path.read_bytes()[:1000])

    assert starts.scores() == scores
    assert {name: size for name, (_, size) in starts.programs().items()} == sizes


def test_a_place_that_cannot_be_used_costs_a_start_nothing_but_time(starts: Starts, scores: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    assert starts.scores(place=str(tmp_path / "file")) == scores
