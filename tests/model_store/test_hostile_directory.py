"""Model directories of strangers: refused with one clear error before anything in them runs, waits, or takes memory."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import struct
import tracemalloc
import zipfile
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
from stream_detector.gate.promotion import warning_of
from stream_detector.model_store import model_directory
from stream_detector.model_store.model_directory import MANIFEST, PICTURE, is_model, load_artifact, load_metadata
from stream_detector.model_store.serialization import CALIBRATION, REPORT, SCORING, SENSORS, SPEC, WEIGHTS

Array = NDArray[Any]
FILES = (SPEC, WEIGHTS, SCORING, CALIBRATION, SENSORS, REPORT, PICTURE)
NOT_FITTING = r"its content does not fit together"
#: More than any of these files needs, and far less than what they claim.
FEW_BYTES = 32 * 1024 * 1024


@pytest.fixture
def directory(tiny_model_directory: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_model_directory, tmp_path / "model"))


def reseal(directory: Path, name: str, content: bytes) -> None:
    """Write a file and its checksum, as somebody who means harm would."""
    (directory / name).write_bytes(content)
    manifest = json.loads((directory / MANIFEST).read_bytes())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (directory / MANIFEST).write_text(json.dumps(manifest))


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
    with pytest.raises(ModelError, match=name):
        load_metadata(directory)
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


@pytest.mark.parametrize("version", [1, 99, "2", None, [], {"a": 1}, 2.5])
def test_another_schema_version_is_refused_whatever_it_is(directory: Path, version: object) -> None:
    manifest = json.loads((directory / MANIFEST).read_bytes())
    (directory / MANIFEST).write_text(json.dumps({**manifest, "schema_version": version}))

    assert "written as schema version" in refusal(directory)


# -- archives


def npy(header: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header.encode() + b"\n" + data


def archive(*entries: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        for name, data in entries:
            file.writestr(name, data)
    return content.getvalue()


def overlapping(copies: int) -> bytes:
    """Return an archive whose index lists one entry many times."""
    whole = archive(("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (25000,)}", bytes(100_000))))
    at = whole.index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    index = whole[at:end] * copies
    return whole[:at] + index + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, copies, copies, len(index), at, 0)


class Harm:
    """Unpickling it would leave a trace."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harm-was-done",)


def saved(**arrays: Array) -> bytes:
    content = io.BytesIO()
    np.savez(content, allow_pickle=True, **arrays)
    return content.getvalue()


def compressed(**arrays: Array) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]  # as above
    return content.getvalue()


HUGE = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"
ARCHIVES: dict[str, bytes] = {
    "a pickle": pickle.dumps(Harm()),
    "an array of objects": saved(weights=np.array([Harm()], object)),
    "an array with objects in it": saved(weights=np.array([(1, Harm())], [("a", int), ("b", object)])),
    "a pickle in an archive": archive(("weights.npy", pickle.dumps(Harm()))),
    "one array, not an archive": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", bytes(4)),
    "a bomb": compressed(weights=np.zeros(100_000_000, np.int8)),
    "an index that lists one entry ten thousand times": overlapping(10_000),
    "a shape of a trillion": archive(("weights.npy", npy(HUGE))),
    "a shape that overflows": archive(
        ("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}"))
    ),
    "a negative shape": archive(("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1)}", bytes(4)))),
    "a type of a terabyte": archive(("a.npy", npy("{'descr': '|S1099511627776', 'fortran_order': False, 'shape': (0,)}"))),
    "a header that is code": archive(("a.npy", npy("__import__('os').mkdir('harm-was-done')"))),
    "a header too deep": archive(("a.npy", npy("(" * 9000))),
    "a header too long": archive(("a.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 30) + b" " * 20_000)),
    "names that lead out": archive(
        ("../../harm.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", bytes(4)))
    ),
    "nothing in it": archive(),
    "text": b"weights",
    "nothing": b"",
}


@pytest.mark.parametrize("name", [WEIGHTS, SENSORS])
@pytest.mark.parametrize("content", ARCHIVES.values(), ids=ARCHIVES)
def test_a_foreign_archive_is_refused_and_nothing_in_it_runs(
    directory: Path, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    reseal(directory, name, content)
    monkeypatch.chdir(directory)

    assert NOT_FITTING in refusal(directory)
    assert not (directory / "harm-was-done").exists()
    assert not (directory.parent.parent / "harm.npy").exists()


# -- what the files say


@pytest.mark.parametrize("name", [SPEC, SCORING, CALIBRATION, REPORT])
@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 50_000, b"null", b"[]", b"17", b"1" * 10_000, b"\xff", b"", b'"text"']
)
def test_json_that_is_not_what_it_should_be_is_refused(directory: Path, name: str, content: bytes) -> None:
    reseal(directory, name, content)

    assert NOT_FITTING in refusal(directory)


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

    assert NOT_FITTING in refusal(directory)


@pytest.mark.parametrize("decoder", ["os.system", 7, None, ["both"]])
def test_an_unknown_decoder_is_refused(directory: Path, decoder: object) -> None:
    spec = json.loads((directory / SPEC).read_bytes())
    spec["network"]["decoder"] = decoder
    reseal(directory, SPEC, json.dumps(spec).encode())

    with pytest.raises(ModelError, match="decoder must be one of"):
        KerasScorer(directory)


@pytest.mark.parametrize(
    "change", [lambda array: array * np.nan, lambda array: array.astype(np.float64), lambda array: array.astype("U8")]
)
def test_weights_that_are_no_numbers_of_the_network_are_refused(directory: Path, change: Callable[[Array], Array]) -> None:
    with np.load(directory / WEIGHTS) as loaded:
        arrays = dict(loaded)
    name = next(name for name in arrays if "lstm" in name or "encoder" in name)
    arrays[name] = change(arrays[name])
    reseal(directory, WEIGHTS, saved(**arrays))

    assert NOT_FITTING in refusal(directory)


@pytest.mark.parametrize(
    "gate", ["yes", 1, {"promoted": False}, {"promoted": False, "overall": []}, {"promoted": False, "overall": {"model": {}}}]
)
def test_a_verdict_that_cannot_be_understood_is_an_error_and_no_promotion(gate: object) -> None:
    with pytest.raises(ModelError, match=r"the verdict in report\.json"):
        warning_of({"gate": gate}, refuse=False)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
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

    for load in (load_artifact, load_metadata):
        with suppress(ModelError):
            load(directory)
    reseal(directory, name, (tiny_model_directory / name).read_bytes())


def test_the_limits_leave_room_for_a_real_model(directory: Path) -> None:
    sizes = {name: (directory / name).stat().st_size for name in FILES}

    assert all(size * 100 < model_directory.MAXIMUM_JSON_BYTES for name, size in sizes.items() if name.endswith(".json"))
    assert all(size * 100 < model_directory.MAXIMUM_BYTES for size in sizes.values())
