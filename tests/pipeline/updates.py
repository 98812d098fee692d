"""What tests write to a store."""

from __future__ import annotations

from stream_detector.ports import SensorUpdate, Updates


def whole(sensor: str, record: bytes) -> tuple[str, bytes]:
    """Write a sensor's record whole."""
    return sensor, record


def together(*parts: tuple[str, bytes] | SensorUpdate) -> Updates:
    """Write all of these at once."""
    return Updates(
        whole=dict(part for part in parts if isinstance(part, tuple)),
        changed=[part for part in parts if isinstance(part, SensorUpdate)],
    )
