"""Tells that nothing arrives in any partition, and when readings are back."""

from __future__ import annotations

from stream_detector.detection.alert_events import event_rules
from stream_detector.detection.detector import Detector
from stream_detector.detection.events import Event
from stream_detector.detection.input_silence import PARTITION, InputSilence, input_event


def announce_input(detector: Detector, total: int, position: int, limit_s: float, input_topic: str) -> Event | None:
    """Say that nothing arrives in any partition, unless there was never a reading; `total` is the sum of their ends."""
    newest_ms = detector.silences.newest_ms()
    if newest_ms < 0:
        return None
    silence = InputSilence(position, total, newest_ms, newest_ms + round(1000 * limit_s))
    detector.silences.of(PARTITION).input = silence
    return input_event(silence, input_topic, detector.model, event_rules(detector.rules), back_ms=None)


def close_input(detector: Detector, input_topic: str) -> Event | None:
    """Say that readings are back, if it was said that none arrive: at the time of the newest message.

    The first reading that is assembled after a silence is of before it.
    """
    watched = detector.silences.of(PARTITION)
    silence, watched.input = watched.input, None
    if silence is None:
        return None
    back_ms = max(silence.opened_ms, detector.silences.newest_ms(), detector.silences.newest_message_ms())
    return input_event(silence, input_topic, detector.model, event_rules(detector.rules), back_ms=back_ms)
