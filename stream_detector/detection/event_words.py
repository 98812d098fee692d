"""Says in words what an event tells of its sensor and its limit, for people who read incidents in a terminal."""

from __future__ import annotations

from itertools import pairwise

from stream_detector.detection.events import IDLE_SENSOR, PROVISIONAL, READY, RELEARNING, WARMING, Event
from stream_detector.detection.governor import LEAST
from stream_detector.detection.transition import ACCEPTED

_STATES = {
    READY: "",
    WARMING: "its window is filling",
    PROVISIONAL: "still being learned",
    RELEARNING: "being learned again",
    IDLE_SENSOR: "",
}
#: Changes of the margin by a smaller share are not told.
LEAST_MOVE = 0.05
#: A smaller share of the attention that is elsewhere than usual is no shift.
LEAST_SHIFT = 0.1
#: Below this factor of the margin small deviations had lasted: a sensor's own incidents, or their absence, lower it less.
LASTING_BELOW = LEAST - 0.01


def is_accepted(event: Event) -> bool:
    """Return whether an incident closed because its state counts as the new normal."""
    return event.incident.accepted or event.incident.reason == ACCEPTED


def state_in_words(sensor_state: str) -> str:
    """Say what the state of a sensor means for its alarms; empty if it is ready, and the state itself if it is not known."""
    return _STATES.get(sensor_state, sensor_state)


def attention_in_words(event: Event) -> str:
    """Say where the network attends to more than it usually does for this sensor; empty if that is not known."""
    attention, usual = event.attention, event.usual_attention
    if not attention or len(attention) != len(usual) or event.sensor_state == WARMING:
        return ""  # of a window that fills, it is elsewhere for that
    more = [max(0.0, now - before) for now, before in zip(attention, usual, strict=True)]
    moved = sum(more)
    if moved < LEAST_SHIFT:
        return "attention is where it usually is"
    bounds = [third * len(more) // 3 for third in range(4)]
    parts = [sum(more[first:last]) for first, last in pairwise(bounds)]
    where = ("oldest", "middle", "newest")[parts.index(max(parts))]
    return f"{100.0 * moved:.0f} % of the attention is elsewhere than usual, mostly on the {where} third of the readings"


def is_lowered_as_lasting(margin_factor: float | None) -> bool:
    """Return whether small deviations that last have lowered the limit: then not all is as usual, also below it."""
    return margin_factor is not None and margin_factor < LASTING_BELOW


def limit_in_words(margin_factor: float | None) -> str:
    """Say that the sensor's own incidents, or deviations that lasted, have moved its limit; empty if they have not."""
    if margin_factor is None or abs(margin_factor - 1.0) < LEAST_MOVE:
        return ""
    why = "lowered, as alarms were few"
    if margin_factor > 1.0:
        why = "raised by its own alarms"
    elif margin_factor < LASTING_BELOW:
        why = "lowered: small, but lasting"
    return f"limit {why} (margin {margin_factor:.3g} x)"
