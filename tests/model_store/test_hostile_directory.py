"""Model directories of strangers: refused with one clear error before anything in them runs, waits, or takes memory."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import shutil
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.errors import ModelError
from stream_detector.gate.promotion import promotion_warning
from stream_detector.model_store import model_directory
from stream_detector.model_store.model_directory import FILES, MANIFEST, is_model, load_artifact
from stream_detector.model_store.serialization import CALIBRATION, REPORT, SCORING, SENSORS, SPEC, WEIGHTS
from tests.examples import examples
from tests.model_store.damage import INCONSISTENT, Arrays, change_arrays, reseal

Array = NDArray[Any]
#: More than any of these files needs, and far less than what they claim.
FEW_BYTES = 32 * 1024 * 1024


def refusal(directory: Path) -> str:
    """Return why a directory is refused; it must be, and with little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(ModelError) as raised:
            load_artifact(directory)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < FEW_BYTES
    assert len(str(raised.value)) < 1000
    return str(raised.value)


# -- what lies in a file's place


def link_out(path: Path) -> None:
    """Let the file be a link to the same content elsewhere."""
    shutil.move(path, path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def replaced_by(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link out of the directory": (link_out, "is a link out of the directory"),
    "a link to a device that never ends": (replaced_by(lambda path: path.symlink_to("/dev/zero")), "is a link out of"),
    "a link to itself": (replaced_by(lambda path: path.symlink_to(path.name)), "cannot be read"),
    "a pipe": (replaced_by(os.mkfifo), "is not a regular file"),
    "a directory": (replaced_by(Path.mkdir), "is not a regular file"),
    "a file of a terabyte": (lambda path: os.truncate(path, 1 << 40), "has 1099511627776 bytes, more than"),
}


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
@pytest.mark.parametrize("place", PLACES)
def test_what_is_not_a_file_of_the_directory_is_refused_unread(directory: Path, name: str, place: str) -> None:
    change, reason = PLACES[place]
    change(directory / name)

    said = refusal(directory)

    assert name in said
    assert reason in said
    if name == MANIFEST:
        assert not is_model(directory)


def test_links_within_the_directory_and_to_it_are_fine(directory: Path) -> None:
    (directory / "..data").mkdir()
    for name in FILES:
        (directory / name).rename(directory / "..data" / name)
        (directory / name).symlink_to(Path("..data") / name)  # as Kubernetes mounts a volume of files
    (directory.parent / "current").symlink_to(directory)

    assert load_artifact(directory.parent / "current").spec.name == "tiny"


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"kind":' * 50_000, b"1" * 10_000, b'{"kind": "stream-detector model"}'])
def test_a_manifest_made_to_break_the_parser_is_a_damaged_one(directory: Path, content: bytes) -> None:
    (directory / MANIFEST).write_bytes(content)

    assert "manifest.json is damaged or not of a model" in refusal(directory)


@pytest.mark.parametrize("version", [1, 2, 99, "3", None, [], {"a": 1}, 2.5])
def test_another_schema_version_is_refused_whatever_it_is(directory: Path, version: object) -> None:
    manifest = json.loads((directory / MANIFEST).read_bytes())
    (directory / MANIFEST).write_text(json.dumps({**manifest, "schema_version": version}))

    assert "has schema version" in refusal(directory)


# -- files of arrays


def safetensors(header: object, data: bytes = b"") -> bytes:
    """Return a file of this header (JSON, or bytes as they are) and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(*shape: int, dtype: str = "F32", begin: int = 0, end: int = 4) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def zipped(**arrays: Array) -> bytes:
    content = io.BytesIO()
    np.savez(content, allow_pickle=True, **arrays)
    return content.getvalue()


class Harm:
    """Unpickling it would leave a trace."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harm-was-done",)


FOUR = bytes(4)
ARRAY_FILES: dict[str, bytes] = {
    "a pickle": pickle.dumps(Harm()),
    "an npz with a pickle in it": zipped(weights=np.array([Harm()], object)),
    "an npz of numbers": zipped(weights=np.zeros(3, np.float32)),
    "a pickle for a header": safetensors(pickle.dumps(Harm())),
    "a shape of a trillion": safetensors({"a": tensor(10**12, end=4 * 10**12)}),
    "a shape that overflows": safetensors({"a": tensor(2**32, 2**32)}, FOUR),
    "an empty shape that overflows": safetensors({"a": tensor(2**62, 0, end=0)}),
    "a negative shape": safetensors({"a": tensor(-1, -1)}, FOUR),
    "a shape of too many axes": safetensors({"a": tensor(*[1] * 100)}, FOUR),
    "a shape smaller than its data": safetensors({"a": tensor(1, end=8)}, 2 * FOUR),
    "data outside the file": safetensors({"a": tensor(1, begin=1 << 40, end=(1 << 40) + 4)}, FOUR),
    "data that ends before it begins": safetensors({"a": tensor(1, begin=4, end=0)}, FOUR),
    "two arrays in one place": safetensors({"a": tensor(1), "b": tensor(1)}, FOUR),
    "bytes of no array": safetensors({"a": tensor(1)}, 2 * FOUR),
    "a type that is none": safetensors({"a": tensor(1, dtype="code")}, FOUR),
    "a type that NumPy lacks": safetensors({"a": tensor(2, dtype="BF16")}, FOUR),
    "a header that is code": safetensors(b"__import__('os').mkdir('harm-was-done')"),
    "a header too deep": safetensors(b"[" * 100_000),
    "a header too long": struct.pack("<Q", 1 << 62) + b"{}",
    "a name of a megabyte": safetensors({"a" * 1_000_000: tensor(1, begin=8, end=12)}, FOUR),
    "a name that leads out": safetensors({"../../harm": tensor(1)}, FOUR),
    "no arrays": safetensors({}),
    "text": b"weights",
    "nothing": b"",
}


@pytest.mark.parametrize("name", [WEIGHTS, SENSORS])
@pytest.mark.parametrize("content", ARRAY_FILES.values(), ids=ARRAY_FILES)
def test_a_foreign_file_of_arrays_is_refused_and_nothing_in_it_runs(
    directory: Path, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    reseal(directory, name, content)
    monkeypatch.chdir(directory)

    assert re.search(INCONSISTENT, refusal(directory), re.DOTALL)
    assert not (directory / "harm-was-done").exists()
    assert not (directory.parent.parent / "harm").exists()


# -- what the files say


@pytest.mark.parametrize("name", [SPEC, SCORING, CALIBRATION, REPORT])
@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 50_000, b"null", b"[]", b"17", b"1" * 10_000, b"\xff", b"", b'"text"']
)
def test_json_that_is_not_what_it_should_be_is_refused(directory: Path, name: str, content: bytes) -> None:
    reseal(directory, name, content)

    assert re.search(INCONSISTENT, refusal(directory), re.DOTALL)


SPECS: dict[str, Callable[[dict[str, Any]], object]] = {
    "units of a billion": lambda spec: spec["network"].update(units=1_000_000_000),
    "units below zero": lambda spec: spec["network"].update(units=-1),
    "units in text": lambda spec: spec["network"].update(units="16"),
    "units of a fraction": lambda spec: spec["network"].update(units=16.5),
    "attention units of a billion": lambda spec: spec["network"].update(attention_units=1_000_000_000),
    "a bottleneck of a billion": lambda spec: spec["network"].update(bottleneck=1_000_000_000),
    "a dropout of 2": lambda spec: spec["network"].update(dropout=2.0),
    "attention that is neither": lambda spec: spec["network"].update(uniform_attention="no"),
    "a window of a billion": lambda spec: spec.update(window_length=1_000_000_000),
    "an endless window": lambda spec: spec.update(window_length=float("inf")),
    "an endless interval": lambda spec: spec.update(sampling_interval_seconds=float("inf")),
    "no interval": lambda spec: spec.update(sampling_interval_seconds=float("nan")),
}


@pytest.mark.parametrize("change", SPECS.values(), ids=SPECS)
def test_a_network_or_window_that_is_out_of_proportion_is_refused_before_it_is_built(
    directory: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    spec = json.loads((directory / SPEC).read_bytes())
    change(spec)
    reseal(directory, SPEC, json.dumps(spec).encode())

    assert re.search(INCONSISTENT, refusal(directory), re.DOTALL)


@pytest.mark.parametrize("decoder", ["os.system", 7, None, ["both"]])
def test_an_unknown_decoder_is_refused(directory: Path, decoder: object) -> None:
    spec = json.loads((directory / SPEC).read_bytes())
    spec["network"]["decoder"] = decoder
    reseal(directory, SPEC, json.dumps(spec).encode())

    with pytest.raises(ModelError, match="decoder must be one of"):
        KerasScorer(directory)


@pytest.mark.parametrize(
    "change", [lambda array: array * np.nan, lambda array: array.astype(np.float64), lambda array: array.astype(np.int64)]
)
def test_weights_that_are_no_numbers_of_the_network_are_refused(directory: Path, change: Callable[[Array], Array]) -> None:
    def change_one(arrays: Arrays) -> None:
        name = next(name for name in arrays if "lstm" in name or "encoder" in name)
        arrays[name] = change(arrays[name])

    change_arrays(directory, WEIGHTS, change_one)

    assert re.search(INCONSISTENT, refusal(directory), re.DOTALL)


@pytest.mark.parametrize(
    "gate", ["yes", 1, {"promoted": False}, {"promoted": False, "overall": []}, {"promoted": False, "overall": {"model": {}}}]
)
def test_a_verdict_that_cannot_be_understood_is_an_error_and_no_promotion(gate: object) -> None:
    with pytest.raises(ModelError, match=r"the gate's result in report\.json"):
        promotion_warning({"gate": gate}, refuse=False)


@settings(deadline=None, max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(FILES),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4), st.binary(max_size=4)), min_size=1, max_size=4),
)
def test_whatever_is_changed_a_model_is_read_or_refused_with_one_error(
    directory: Path, tiny_model_directory: Path, name: str, edits: list[tuple[float, int, bytes]]
) -> None:
    content = (tiny_model_directory / name).read_bytes()
    for place, length, other in edits:
        at = int(place * len(content))
        content = content[:at] + other + content[at + length :]
    reseal(directory, name, content)

    with suppress(ModelError):
        load_artifact(directory)
    reseal(directory, name, (tiny_model_directory / name).read_bytes())


def test_the_limits_leave_room_for_a_real_model(directory: Path) -> None:
    sizes = {name: (directory / name).stat().st_size for name in FILES}

    assert all(size * 100 < model_directory.MAXIMUM_JSON_BYTES for name, size in sizes.items() if name.endswith(".json"))
    assert all(size * 100 < model_directory.MAXIMUM_BYTES for size in sizes.values())
