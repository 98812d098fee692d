"""Converts a calibration to JSON, and its sensor table, which grows with the fleet, to arrays; and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_detector.detection.calibration import Calibration, SurpriseTail, Tails
from stream_detector.detection.partial_windows import PartialLevels
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.readings import Float32Array
from stream_detector.state.known_sensors import SensorTable

_HEALTHY = "healthy/"
#: Of models from before it was kept.
_NO_ATTENTION = np.zeros((0, 0), np.float32)


def calibration_to_json(calibration: Calibration) -> dict[str, Any]:
    """Return the calibration without its table of sensors."""
    apart = ("sensors", "tails", "partial", "sustained")
    content = {name: getattr(calibration, name) for name in Calibration.__slots__ if name not in apart}
    tails = {name: getattr(calibration.tails, name).tolist() for name in Tails.__slots__}
    arrays = {"weights": calibration.weights.tolist(), "pooled_level": calibration.pooled_level.tolist()}
    partial = calibration.partial and {name: getattr(calibration.partial, name).tolist() for name in PartialLevels.__slots__}
    parts = {"tails": tails, "partial": partial, "sustained": calibration.sustained and asdict(calibration.sustained)}
    return {**content, **arrays, "members": list(calibration.members), **parts}


def parse_calibration(data: Mapping[str, Any], sensors: SensorTable) -> Calibration:
    """Rebuild a calibration from the output of calibration_to_json; raise KeyError or TypeError for other data."""
    arrays = {name: np.array(data[name], np.float64) for name in ("weights", "pooled_level")}
    tails = Tails(**{name: np.array(values, np.float64) for name, values in data["tails"].items()})
    partial = data["partial"] and PartialLevels(
        rows=np.array(data["partial"]["rows"], np.int64),
        **{name: np.array(data["partial"][name], np.float64) for name in ("shift", "share")},
    )
    sustained = data["sustained"] and SurpriseTail(**{name: float(value) for name, value in data["sustained"].items()})
    parts = {"tails": tails, "partial": partial, "sustained": sustained, "members": tuple(data["members"]), "sensors": sensors}
    return Calibration(**{**data, **arrays, **parts})


def sensor_arrays(table: SensorTable) -> dict[str, NDArray[Any]]:
    """Return the table as arrays; names are UTF-8 bytes, because safetensors has no arrays of text."""
    names = [name.encode() for name, _ in sorted(table.rows.items(), key=lambda item: item[1])]
    return {
        "names": np.frombuffer(b"".join(names), np.uint8),
        "name_lengths": np.array([len(name) for name in names], np.int64),
        "location": table.location,
        "deviation": table.deviation,
        "levels": table.levels,
        "counts": table.counts,
        "interval_ms": table.interval_ms,
        "pause_ms": table.pause_ms,
        "attention": table.attention.astype(np.float16),
    }


def parse_sensors(arrays: Mapping[str, NDArray[Any]]) -> SensorTable:
    """Rebuild a table from the output of sensor_arrays; raise KeyError, or ValueError for inconsistent names."""
    lengths, names = arrays["name_lengths"], arrays["names"].tobytes()
    ends = np.cumsum(lengths).tolist()
    rows = {names[first:last].decode(): row for row, (first, last) in enumerate(pairwise([0, *ends]))}
    if (lengths < 0).any() or lengths.sum() != len(names) or len(rows) != len(lengths):
        msg = "sensors: names do not match their lengths, or occur twice"
        raise ValueError(msg)
    return SensorTable(
        rows=rows,
        location=as_float32(arrays["location"]),
        deviation=as_float32(arrays["deviation"]),
        levels=arrays["levels"].astype(np.float64),
        counts=arrays["counts"].astype(np.float64),
        interval_ms=as_float32(arrays["interval_ms"]),
        pause_ms=as_float32(arrays["pause_ms"]),
        attention=as_float32(arrays.get("attention", _NO_ATTENTION)),
    )


def healthy_arrays(healthy: HealthyData) -> dict[str, NDArray[Any]]:
    """Return the healthy data as arrays, under names of their own."""
    return {f"{_HEALTHY}{name}": getattr(healthy, name) for name in HealthyData.__slots__}


def parse_healthy(arrays: Mapping[str, NDArray[Any]]) -> HealthyData:
    """Rebuild healthy data from the output of healthy_arrays; raise KeyError for other arrays."""
    return HealthyData(**{name: arrays[f"{_HEALTHY}{name}"] for name in HealthyData.__slots__})


def as_float32(array: NDArray[Any]) -> Float32Array:
    """Return the array in single precision."""
    return array.astype(np.float32)
