from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.errors import ModelError
from stream_detector.model.artifact import Artifact
from stream_detector.model_store.model_directory import MANIFEST, is_absent, load_artifact, save_artifact
from stream_detector.model_store.serialization import SENSORS, SPEC, with_version
from tests.model_store.damage import change_arrays, change_json

PICTURE = b"\x89PNG"
FILES = {
    "calibration.json",
    "manifest.json",
    "report.json",
    "scoring.json",
    "sensors.safetensors",
    "spec.json",
    "training.png",
    "weights.safetensors",
}


@pytest.fixture
def artifact(tiny_model_directory: Path) -> Artifact:
    return load_artifact(tiny_model_directory)


def as_bytes(content: object) -> object:
    """Return content with its arrays as what they are bit for bit."""
    if isinstance(content, np.ndarray):
        return content.dtype.str, content.shape, content.tobytes()
    if isinstance(content, Mapping):
        return {name: as_bytes(value) for name, value in content.items()}
    if isinstance(content, tuple):
        return tuple(as_bytes(value) for value in content)
    if hasattr(content, "__dataclass_fields__"):
        return {name: as_bytes(getattr(content, name)) for name in content.__dataclass_fields__}
    return content


def test_a_model_comes_back_bit_for_bit_as_it_was_saved(artifact: Artifact, tmp_path: Path) -> None:
    save_artifact(artifact, tmp_path / "again", PICTURE)
    again = load_artifact(tmp_path / "again")

    assert {path.name for path in (tmp_path / "again").iterdir()} == FILES
    assert as_bytes(again) == as_bytes(artifact)


def test_what_was_trained_comes_back_as_well(tiny_artifact: Artifact, artifact: Artifact) -> None:
    assert as_bytes(replace(artifact, report={})) == as_bytes(replace(tiny_artifact, report={}))


def test_the_usual_attention_comes_back_and_a_directory_from_before_it_was_kept_is_read(
    artifact: Artifact, tmp_path: Path
) -> None:
    attention = np.full((2, 8), 0.125, np.float32)
    table = replace(artifact.calibration.sensors, attention=attention)
    save_artifact(replace(artifact, calibration=replace(artifact.calibration, sensors=table)), tmp_path / "new", PICTURE)
    save_artifact(artifact, tmp_path / "old", PICTURE)
    change_arrays(tmp_path / "old", SENSORS, lambda arrays: arrays.pop("attention"))

    assert load_artifact(tmp_path / "new").calibration.sensors.attention.tolist() == attention.tolist()
    assert load_artifact(tmp_path / "old").calibration.sensors.attention.size == 0


def test_a_directory_of_schema_version_6_is_read_and_its_attention_has_no_offsets(artifact: Artifact, tmp_path: Path) -> None:
    without = {name: array for name, array in artifact.weights.items() if name != "attention/p"}
    plain = replace(artifact, network=replace(artifact.network, attention_offsets=False), weights=without)
    save_artifact(plain, tmp_path / "new", PICTURE)
    save_artifact(plain, tmp_path / "old", PICTURE)
    change_json(tmp_path / "old", SPEC, lambda spec: (spec.update(schema_version=6), spec["network"].pop("attention_offsets")))
    manifest = json.loads((tmp_path / "old" / MANIFEST).read_bytes())
    (tmp_path / "old" / MANIFEST).write_text(json.dumps({**manifest, "schema_version": 6}))

    assert "attention/p" in artifact.weights
    assert as_bytes(load_artifact(tmp_path / "old")) == as_bytes(load_artifact(tmp_path / "new"))


def test_sensors_come_back_by_any_name(artifact: Artifact, tmp_path: Path) -> None:
    names = ("Prüfstand 1", "泵/二号")
    table = replace(artifact.calibration.sensors, rows={names[1]: 1, names[0]: 0})

    save_artifact(replace(artifact, calibration=replace(artifact.calibration, sensors=table)), tmp_path / "named", PICTURE)

    again = load_artifact(tmp_path / "named").calibration.sensors
    assert dict(again.rows) == {names[0]: 0, names[1]: 1}
    assert again.find(["pump-0", names[1], names[0]]).tolist() == [-1, 1, 0]
    assert again.location.tobytes() == artifact.calibration.sensors.location.tobytes()


def test_equal_models_are_equal_files_and_versions(artifact: Artifact, tmp_path: Path) -> None:
    save_artifact(artifact, tmp_path / "first", PICTURE)
    save_artifact(artifact, tmp_path / "second", PICTURE)

    assert with_version(artifact).spec.version == artifact.spec.version
    for name in FILES:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_the_version_follows_what_decides_results_and_nothing_else(artifact: Artifact) -> None:
    other_weights = {name: weight + np.float32(1e-3) for name, weight in artifact.weights.items()}
    other_calibration = replace(artifact.calibration, tail_scale=9.0)
    other_sensors = replace(artifact.calibration.sensors, counts=artifact.calibration.sensors.counts + 1.0)
    first, *rest = artifact.linear
    other_linear = (replace(first, output_mean=first.output_mean + np.float32(1e-3)), *rest)

    version = artifact.spec.version
    assert with_version(replace(artifact, weights=other_weights)).spec.version != version
    assert with_version(replace(artifact, calibration=other_calibration)).spec.version != version
    assert with_version(replace(artifact, linear=other_linear)).spec.version != version
    assert (
        with_version(
            replace(artifact, calibration=replace(artifact.calibration, sensors=other_sensors)),
        ).spec.version
        != version
    )
    assert with_version(replace(artifact, spec=replace(artifact.spec, window_length=9))).spec.version != version
    assert with_version(replace(artifact, report={})).spec.version == version
    assert with_version(replace(artifact, spec=replace(artifact.spec, name="other"))).spec.version == version


def test_reading_a_model_needs_no_tensorflow(tiny_model_directory: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from stream_detector.model_store.model_directory import load_artifact;"
        "print(load_artifact(Path(sys.argv[1])).spec.name, 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tiny_model_directory)]

    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said.split() == ["tiny", "False", "False"]


@pytest.mark.parametrize("name", sorted(FILES - {MANIFEST}))
def test_a_changed_file_is_refused_by_name(directory: Path, name: str) -> None:
    content = bytearray((directory / name).read_bytes())
    content[len(content) // 2] ^= 1
    (directory / name).write_bytes(content)

    with pytest.raises(ModelError, match=rf"{name} has changed since it was written"):
        load_artifact(directory)


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


@pytest.mark.parametrize("version", [5, 8])
def test_another_schema_version_is_refused_before_anything_else(directory: Path, version: int) -> None:
    manifest = json.loads((directory / MANIFEST).read_bytes())
    (directory / MANIFEST).write_text(json.dumps({**manifest, "schema_version": version, "files": {"other.bin": "?"}}))

    with pytest.raises(ModelError, match=f"has schema version {version}, this program reads 7; train the model again"):
        load_artifact(directory)


def test_a_foreign_or_absent_directory_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a model")

    with pytest.raises(ModelError, match=r"not a model directory .*train one with `stream-detector train --output"):
        load_artifact(tmp_path)
    with pytest.raises(ModelError, match=r"no such directory; train one with"):
        load_artifact(tmp_path / "absent")


def test_a_model_is_replaced_whole(artifact: Artifact, directory: Path) -> None:
    (directory / "left-over.txt").write_text("of an older version")

    save_artifact(replace(artifact, report={"new": True}), directory, PICTURE)

    assert load_artifact(directory).report == {"new": True}
    assert {path.name for path in directory.iterdir()} == FILES
    assert [path.name for path in directory.parent.iterdir()] == ["model"]


def test_a_model_that_could_not_be_read_again_is_not_written(artifact: Artifact, tmp_path: Path) -> None:
    broken = replace(artifact, healthy=HealthyData.none(7, len(artifact.spec.features)))

    with pytest.raises(ModelError, match="not written, because it could not be read again"):
        save_artifact(broken, tmp_path / "model", b"")

    assert not (tmp_path / "model").exists()


def test_what_is_not_a_model_is_not_overwritten(artifact: Artifact, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("precious")
    (tmp_path / "file").write_text("precious")

    with pytest.raises(ModelError, match="holds something other than a model"):
        save_artifact(artifact, tmp_path / "thesis", PICTURE)
    with pytest.raises(ModelError, match="is a file; choose another directory"):
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
    monkeypatch.setattr("stream_detector.files._exchange", lambda *_: False)  # as where directories cannot change places

    with pytest.raises(ModelError, match="No space left on device"):
        save_artifact(replace(artifact, report={}), directory, PICTURE)

    assert load_artifact(directory).report == artifact.report
    assert [path.name for path in directory.parent.iterdir()] == ["model"]


def test_no_directory_and_an_empty_one_are_no_model_and_all_else_may_be_a_broken_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "spec.json").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")

    assert [is_absent(tmp_path / name) for name in ("none", "empty", "half", "dangling")] == [True, True, False, False]
