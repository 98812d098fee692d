"""Models whose files are intact but do not fit each other: refused with one error, before the network is built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.errors import ModelError
from stream_detector.model_store.model_directory import load_artifact
from stream_detector.model_store.serialization import CALIBRATION, SCORING, SENSORS, SPEC, WEIGHTS
from tests.model_store.damage import INCONSISTENT, Arrays, change_arrays, change_json, reseal


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
        lambda spec: spec["linear"][0].update(rows_predicted=-1),
        lambda spec: spec["linear"].append(spec["linear"][0]),
    ],
)
def test_a_spec_that_does_not_fit_the_other_files_is_refused(
    directory: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    change_json(directory, SPEC, change)

    with pytest.raises(ModelError, match=INCONSISTENT):
        load_artifact(directory)


@pytest.mark.parametrize("part", ["input_mean", "output_mean", "0", "1"])
@pytest.mark.parametrize(
    "change",
    [
        lambda array: array[:-1],
        lambda array: array[np.newaxis],
        lambda array: array.reshape(-1)[0].reshape(()),
        lambda array: np.full_like(array, np.nan),
        lambda array: np.full_like(array, np.inf),
    ],
    ids=["shorter", "deeper", "a single number", "not a number", "infinite"],
)
def test_arrays_of_a_linear_member_that_do_not_fit_are_refused(
    directory: Path, part: str, change: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    name = f"linear/pca-8/{part}"
    change_arrays(directory, WEIGHTS, lambda arrays: arrays.update({name: change(arrays[name])}))

    with pytest.raises(ModelError, match=INCONSISTENT):
        load_artifact(directory)


def test_a_linear_member_without_its_matrices_is_refused(directory: Path) -> None:
    change_arrays(directory, WEIGHTS, lambda arrays: [arrays.pop(f"linear/pca-8/{number}") for number in range(2)])

    with pytest.raises(ModelError, match=INCONSISTENT):
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
        lambda arrays: arrays.update(counts=arrays["counts"] * np.inf),
        lambda arrays: arrays.pop("levels"),
        lambda arrays: arrays.update(attention=np.full((2, 3), 0.25, np.float16)),
        lambda arrays: arrays.update(attention=np.full((2, 8), -0.25, np.float16)),
        lambda arrays: arrays.update(attention=np.full((2, 8), np.nan, np.float16)),
    ],
)
def test_a_table_of_sensors_that_does_not_fit_is_refused(directory: Path, change: Callable[[Arrays], object]) -> None:
    change_arrays(directory, SENSORS, change)

    with pytest.raises(ModelError, match=INCONSISTENT):
        load_artifact(directory)


@pytest.mark.parametrize("name", [WEIGHTS, SENSORS])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 an archive", b"text"])
def test_a_file_that_holds_no_arrays_is_refused(directory: Path, name: str, content: bytes) -> None:
    reseal(directory, name, content)

    with pytest.raises(ModelError, match=INCONSISTENT):
        load_artifact(directory)


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

    with pytest.raises(ModelError, match=INCONSISTENT):
        load_artifact(directory)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["usual_errors"].pop(),
        lambda data: data.update(usual_errors=[[0.0] * 2 for _ in data["usual_errors"]]),
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

    with pytest.raises(ModelError, match=INCONSISTENT):
        load_artifact(directory)
