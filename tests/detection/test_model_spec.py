"""What a model requires of the stream."""

from __future__ import annotations

from stream_detector.detection.model_spec import ModelSpec


def test_a_picture_names_the_rise_of_a_counter() -> None:
    spec = ModelSpec("pumps", "abc", ("flow", "energy", "hours"), 64, 60.0, counters=("energy", "hours"))

    assert spec.titles == ("flow", "energy, rise per hour", "hours, rise per hour")
    assert spec.counter_positions == (1, 2)
