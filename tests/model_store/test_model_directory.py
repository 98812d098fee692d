from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.errors import ModelError
from stream_detector.model.artifact import Artifact
from stream_detector.model_store.model_directory import MANIFEST, load_artifact, load_metadata, save_artifact
from stream_detector.model_store.serialization import CALIBRATION, SCORING, SENSORS, SPEC, WEIGHTS, with_version

PICTURE = b"\x89PNG"
FILES = {
    "calibration.json",
    "manifest.json",
    "report.json",
    "scoring.json",
    "sensors.npz",
    "spec.json",
    "training.png",
    "weights.npz",
}
NOT_FITTING = r"its content does not fit together \(.*\); train the model anew"
Arrays = dict[str, NDArray[Any]]


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


def change_json(directory: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((directory / name).read_bytes())
    change(content)
    reseal(directory, name, json.dumps(content).encode())


def change_arrays(directory: Path, name: str, change: Callable[[Arrays], object]) -> None:
    with np.load(directory / name) as archive:
        arrays = dict(archive)
    change(arrays)
    content = io.BytesIO()
    np.savez(content, allow_pickle=True, **arrays)
    reseal(directory, name, content.getvalue())


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
    assert as_bytes(load_metadata(tmp_path / "again").calibration) == as_bytes(artifact.calibration)


def test_what_was_trained_comes_back_as_well(tiny_artifact: Artifact, artifact: Artifact) -> None:
    assert as_bytes(replace(artifact, report={})) == as_bytes(replace(tiny_artifact, report={}))


def test_sensors_come_back_by_any_name(artifact: Artifact, tmp_path: Path) -> None:
    names = ("Prüfstand 1", "泵/二号")
    table = replace(artifact.calibration.sensors, rows={names[1]: 1, names[0]: 0})

    save_artifact(replace(artifact, calibration=replace(artifact.calibration, sensors=table)), tmp_path / "named", PICTURE)

    again = load_metadata(tmp_path / "named").calibration.sensors
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


def test_metadata_needs_no_tensorflow(tiny_model_directory: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from stream_detector.model_store.model_directory import load_metadata;"
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
    (directory / MANIFEST).write_text(json.dumps({**manifest, "schema_version": 3, "files": {"new.bin": "?"}}))

    with pytest.raises(ModelError, match="written as schema version 3, this program reads 2; train the model anew"):
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
    change_json(directory, SPEC, lambda spec: spec["network"].update(units=17))

    with pytest.raises(ModelError, match="its weights do not fit its architecture"):
        KerasScorer(directory)


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec["network"].update(code="print()"),
        lambda spec: spec.update(features=["temperature"]),
        lambda spec: spec.update(features=["temperature", "temperature"]),
        lambda spec: spec.update(window_length=4),  # a member reads 8
        lambda spec: spec.update(window_length="long"),
        lambda spec: spec.update(sampling_interval_seconds=0.0),
        lambda spec: spec["members"].append("oracle"),
        lambda spec: spec["members"].reverse(),  # not those of the calibration
        lambda spec: spec["linear"].pop(),
        lambda spec: spec["linear"][0].update(kind="code"),
        lambda spec: spec["linear"][0].update(says=-1),
        lambda spec: spec["linear"].append(spec["linear"][0]),
    ],
)
def test_a_spec_that_does_not_fit_the_other_files_is_refused(
    directory: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    change_json(directory, SPEC, change)

    with pytest.raises(ModelError, match=NOT_FITTING):
        load_artifact(directory)


@pytest.mark.parametrize("part", ["input_mean", "output_mean", "0", "1"])
@pytest.mark.parametrize(
    "change",
    [
        lambda array: array[:-1],
        lambda array: array[np.newaxis],
        lambda array: np.full_like(array, np.nan),
        lambda array: np.full(array.shape, "code"),
    ],
    ids=["shorter", "deeper", "not a number", "text"],
)
def test_arrays_of_a_linear_member_that_do_not_fit_are_refused(
    directory: Path, part: str, change: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    name = f"linear/pca-8/{part}"
    change_arrays(directory, WEIGHTS, lambda arrays: arrays.update({name: change(arrays[name])}))

    with pytest.raises(ModelError, match=NOT_FITTING):
        load_artifact(directory)


def test_a_linear_member_without_its_matrices_is_refused(directory: Path) -> None:
    change_arrays(directory, WEIGHTS, lambda arrays: [arrays.pop(f"linear/pca-8/{number}") for number in range(2)])

    with pytest.raises(ModelError, match=NOT_FITTING):
        load_artifact(directory)


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.update(names=arrays["names"][:-1]),
        lambda arrays: arrays.update(names=np.full_like(arrays["names"], 0xFF)),  # no UTF-8
        lambda arrays: arrays.update(names=np.frombuffer(b"pump-0pump-0", np.uint8)),  # one name twice
        lambda arrays: arrays.update(name_lengths=np.array([13, -1])),
        lambda arrays: arrays.update(name_lengths=np.array([6, 3, 3])),
        lambda arrays: arrays.update(location=arrays["location"].T[:1]),
        lambda arrays: arrays.update(location=arrays["location"] * np.nan),
        lambda arrays: arrays.update(deviation=arrays["deviation"] * 0.0),
        lambda arrays: arrays.update(levels=arrays["levels"][:, :-1]),
        lambda arrays: arrays.update(counts=arrays["counts"] - 1e9),
        lambda arrays: arrays.update(counts=np.array({"a": 1}, object)),
        lambda arrays: arrays.pop("levels"),
    ],
)
def test_a_table_of_sensors_that_does_not_fit_is_refused(directory: Path, change: Callable[[Arrays], object]) -> None:
    change_arrays(directory, SENSORS, change)

    for load in (load_artifact, load_metadata):
        with pytest.raises(ModelError, match=NOT_FITTING):
            load(directory)


@pytest.mark.parametrize("name", [WEIGHTS, SENSORS])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"text"])
def test_what_is_no_archive_is_refused(directory: Path, name: str, content: bytes) -> None:
    reseal(directory, name, content)

    with pytest.raises(ModelError, match=NOT_FITTING):
        load_artifact(directory)
    if name == SENSORS:
        with pytest.raises(ModelError, match=NOT_FITTING):
            load_metadata(directory)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("typical"),
        lambda data: data.update(typical=float("nan")),
        lambda data: data.update(tail_scale=0.0),
        lambda data: data.update(code="print()"),
        lambda data: data["members"].pop(),
        lambda data: data["weights"].pop(),
        lambda data: data["pooled_level"].append(1.0),
        lambda data: data["tails"]["knots"].pop(),
        lambda data: data["tails"]["knots"][0].reverse(),
        lambda data: data["tails"]["surprises"].pop(),
        lambda data: data["tails"].update(scales=[0.0] * len(data["members"])),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    change_json(directory, CALIBRATION, change)

    for load in (load_artifact, load_metadata):
        with pytest.raises(ModelError, match=NOT_FITTING):
            load(directory)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["usual_error"].pop(),
        lambda data: data.update(usual_error=[[0.0] * 2 for _ in data["usual_error"]]),
        lambda data: data.update(scored=[False, False]),
        lambda data: data.update(scored=[True]),
        lambda data: data["fleet"].pop("location"),
        lambda data: data["fleet"].update(location=[1.0]),
        lambda data: data["fleet"].update(spread=[1.0, 0.0]),
        lambda data: data["fleet"].update(deviation=[1.0, -1.0]),
    ],
)
def test_usual_errors_that_do_not_fit_are_refused(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    change_json(directory, SCORING, change)

    with pytest.raises(ModelError, match=NOT_FITTING):
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

    with pytest.raises(ModelError, match="No space left on device"):
        save_artifact(replace(artifact, report={}), directory, PICTURE)

    assert load_artifact(directory).report == artifact.report
    assert [path.name for path in directory.parent.iterdir()] == ["model"]
