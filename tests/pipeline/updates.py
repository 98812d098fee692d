"""Builds the updates that tests write to a store."""

from __future__ import annotations

from stream_detector.ports import SensorUpdate, Updates


def whole(sensor: str, record: bytes) -> tuple[str, bytes]:
    """Return an update that writes a sensor's entire record."""
    return sensor, record


def together(*parts: tuple[str, bytes] | SensorUpdate) -> Updates:
    """Return one set of updates with all of these parts."""
    return Updates(
        whole=dict(part for part in parts if isinstance(part, tuple)),
        changed=[part for part in parts if isinstance(part, SensorUpdate)],
    )
