from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.errors import ModelError
from stream_detector.model.artifact import (
    MANIFEST,
    SPEC,
    WEIGHTS,
    Artifact,
    load_artifact,
    load_metadata,
    save_artifact,
    with_version,
)

PICTURE = b"\x89PNG"
FILES = {"calibration.json", "manifest.json", "report.json", "scoring.json", "spec.json", "training.png", "weights.npz"}


@pytest.fixture
def directory(tiny_model_directory: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_model_directory, tmp_path / "model"))


@pytest.fixture
def artifact(tiny_model_directory: Path) -> Artifact:
    return load_artifact(tiny_model_directory)


def reseal(directory: Path, name: str, content: bytes) -> None:
    """Write a file and its checksum, as somebody who edits a model by hand would."""
    (directory / name).write_bytes(content)
    manifest = json.loads((directory / MANIFEST).read_bytes())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (directory / MANIFEST).write_text(json.dumps(manifest))


def test_a_model_comes_back_as_it_was_saved(artifact: Artifact, tmp_path: Path) -> None:
    save_artifact(artifact, tmp_path / "again", PICTURE)
    again = load_artifact(tmp_path / "again")

    assert {path.name for path in (tmp_path / "again").iterdir()} == FILES
    assert again.spec == artifact.spec
    assert again.network == artifact.network
    assert again.calibration == artifact.calibration
    assert again.report == artifact.report
    for before, after in (
        (artifact.scaler.mean, again.scaler.mean),
        (artifact.scaler.deviation, again.scaler.deviation),
        (artifact.whitening.baseline, again.whitening.baseline),
        (artifact.whitening.scored, again.whitening.scored),
        *((artifact.weights[name], again.weights[name]) for name in artifact.weights),
    ):
        assert before.tobytes() == after.tobytes()


def test_equal_models_are_equal_files_and_versions(artifact: Artifact, tmp_path: Path) -> None:
    save_artifact(artifact, tmp_path / "first", PICTURE)
    save_artifact(artifact, tmp_path / "second", PICTURE)

    assert with_version(artifact).spec.version == artifact.spec.version
    for name in FILES:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_the_version_follows_what_decides_results_and_nothing_else(artifact: Artifact) -> None:
    other_weights = {name: weight + np.float32(1e-3) for name, weight in artifact.weights.items()}
    other_calibration = replace(artifact.calibration, tail_scale=9.0)

    version = artifact.spec.version
    assert with_version(replace(artifact, weights=other_weights)).spec.version != version
    assert with_version(replace(artifact, calibration=other_calibration)).spec.version != version
    assert with_version(replace(artifact, spec=replace(artifact.spec, window_length=9))).spec.version != version
    assert with_version(replace(artifact, report={})).spec.version == version
    assert with_version(replace(artifact, spec=replace(artifact.spec, name="other"))).spec.version == version


def test_metadata_needs_no_tensorflow(tiny_model_directory: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from stream_detector.model.artifact import load_metadata;"
        "print(load_metadata(Path(sys.argv[1])).spec.name, 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tiny_model_directory)]

    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said.split() == ["tiny", "False", "False"]


@pytest.mark.parametrize("name", sorted(FILES - {MANIFEST}))
def test_a_changed_file_is_refused_by_name(directory: Path, name: str) -> None:
    content = bytearray((directory / name).read_bytes())
    content[len(content) // 2] ^= 1
    (directory / name).write_bytes(content)

    with pytest.raises(ModelError, match=rf"{name} is not as it was written"):
        load_artifact(directory)
    with pytest.raises(ModelError, match=name):
        load_metadata(directory)


@pytest.mark.parametrize("name", sorted(FILES - {MANIFEST}))
def test_a_truncated_or_missing_file_is_refused_by_name(directory: Path, name: str) -> None:
    content = (directory / name).read_bytes()

    (directory / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=name):
        load_artifact(directory)
    (directory / name).unlink()
    with pytest.raises(ModelError, match=rf"{name} cannot be read"):
        load_artifact(directory)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\x00", b'{"kind": "something else", "files": {}}'])
def test_a_damaged_manifest_is_refused(directory: Path, content: bytes) -> None:
    (directory / MANIFEST).write_bytes(content)

    with pytest.raises(ModelError, match=r"manifest\.json is damaged or not of a model"):
        load_artifact(directory)


def test_another_schema_version_is_refused_before_anything_else(directory: Path) -> None:
    manifest = json.loads((directory / MANIFEST).read_bytes())
    (directory / MANIFEST).write_text(json.dumps({**manifest, "schema_version": 2, "files": {"new.bin": "?"}}))

    with pytest.raises(ModelError, match="written as schema version 2, this program reads 1; train the model anew"):
        load_artifact(directory)


def test_a_foreign_or_absent_directory_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a model")

    with pytest.raises(ModelError, match=r"not a model directory .*train one with `stream-detector train --output"):
        load_artifact(tmp_path)
    with pytest.raises(ModelError, match=r"no such directory; train one with"):
        load_artifact(tmp_path / "absent")


def test_pickled_weights_are_never_loaded(directory: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "pickled.npz", weights=np.array([{"a": 1}], object))
    reseal(directory, WEIGHTS, (tmp_path / "pickled.npz").read_bytes())

    with pytest.raises(ModelError, match="allow_pickle"):
        load_artifact(directory)


def test_a_spec_that_does_not_fit_the_weights_is_refused(directory: Path) -> None:
    spec = json.loads((directory / SPEC).read_bytes())
    spec["network"]["units"] = 17
    reseal(directory, SPEC, json.dumps(spec).encode())

    with pytest.raises(ModelError, match="its weights do not fit its architecture"):
        KerasScorer(directory)


def test_an_unknown_entry_in_the_spec_is_refused(directory: Path) -> None:
    spec = json.loads((directory / SPEC).read_bytes())
    spec["network"]["code"] = "print()"
    reseal(directory, SPEC, json.dumps(spec).encode())

    with pytest.raises(ModelError, match="does not fit together"):
        load_artifact(directory)


def test_a_model_is_replaced_whole(artifact: Artifact, directory: Path) -> None:
    (directory / "left-over.txt").write_text("of an older version")

    save_artifact(replace(artifact, report={"new": True}), directory, PICTURE)

    assert load_artifact(directory).report == {"new": True}
    assert {path.name for path in directory.iterdir()} == FILES
    assert [path.name for path in directory.parent.iterdir()] == ["model"]


def test_what_is_not_a_model_is_not_overwritten(artifact: Artifact, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("precious")
    (tmp_path / "file").write_text("precious")

    with pytest.raises(ModelError, match="holds something that is not a model"):
        save_artifact(artifact, tmp_path / "thesis", PICTURE)
    with pytest.raises(ModelError, match="there is a file of this name"):
        save_artifact(artifact, tmp_path / "file", PICTURE)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "precious"
    assert (tmp_path / "file").read_text() == "precious"


def test_a_model_that_cannot_be_moved_into_place_leaves_the_old_one(
    artifact: Artifact, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def rename_fails(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_fails)

    with pytest.raises(ModelError, match="No space left on device"):
        save_artifact(replace(artifact, report={}), directory, PICTURE)

    assert load_artifact(directory).report == artifact.report
    assert [path.name for path in directory.parent.iterdir()] == ["model"]
