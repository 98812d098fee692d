"""Loads sensors' records from the store when they are needed."""

from __future__ import annotations

from collections.abc import Sequence

from stream_detector.detection.detector import Detector
from stream_detector.readings import BoolArray
from stream_detector.state.codec.decode import decode
from stream_detector.state.record_layout import Records


def decode_stored(detector: Detector, stored: Sequence[bytes | None]) -> tuple[Records, BoolArray]:
    """Return stored records as the detector holds them [N], and which are usable; the others are as never seen."""
    model = detector.model
    return decode(stored, model.window_length, len(model.features), len(model.members), detector.time_unit_ms)
