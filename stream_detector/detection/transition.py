"""A change of an incident, as decisions report it and events publish it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.state.record_layout import RULE_TYPES

OPENED, UPDATED, CLOSED = "opened", "updated", "closed"
#: The types of events: of the model's scores, of rules about a sensor (state.record_layout.RULE_TYPES), and about the input.
ANOMALY, INPUT_SILENT = "anomaly", "input_silent"
FROZEN, MISSING_FEATURE, OUT_OF_RANGE, CLOCK, FLAPPING, SILENT = RULE_TYPES
EVENT_TYPES = (ANOMALY, *RULE_TYPES, INPUT_SILENT)
#: Why an incident closed: the sensor was quiet for long enough, or its state counts as the new normal one.
QUIET, ACCEPTED, FELL_SILENT, RETURNED = "quiet", "accepted", "silent", "returned"
#: Or the machine is in a state in which nothing is judged (state/idle.py).
IDLE = "idle"
#: And for rules only: the clock is right again, or the rule was switched off.
CLOCK_RIGHT, SWITCHED_OFF = "clock_right", "off"


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence of a sensor. Its events are about the sensor's last reading before it, whoever noticed it and when."""

    offset: int  # of that reading
    time_ms: int  # event time of that reading; negative: not known
    limit_s: int  # a pause of so long is not a silence
    died_ms: int = -1  # when the sensor was said to be gone; negative: nobody said so
    died_by: str = ""  # the kind of that message

    @property
    def due_ms(self) -> int:
        """The event time by which another reading was due, or at which it was known that none would come."""
        return self.time_ms + 1000 * self.limit_s if self.died_ms < 0 else max(self.time_ms, self.died_ms)


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of an incident at an accepted reading."""

    position: int  # of the accepted reading
    status: str
    incident_offset: int
    opened_ms: int
    peak_score: float
    peak_ratio: float  # the largest ratio of score to threshold in the incident so far
    is_accepted: bool  # closed because it counts as a new normal state
    silence: Silence | None = None  # closed because the sensor fell silent
    is_idle: bool = False  # closed because the machine is idle


def transition_of(header: np.void, position: int, status: str, *, why: str = "", silence: Silence | None = None) -> Transition:
    """Describe a change of the incident in a header; `why` it closed, if not by quiet: ACCEPTED or IDLE."""
    return Transition(
        position=position,
        status=status,
        incident_offset=int(header["incident_offset"]),
        opened_ms=int(header["incident_time_ms"]),
        peak_score=float(header["incident_peak"]),
        peak_ratio=float(header["incident_ratio"]),
        is_accepted=why == ACCEPTED,
        silence=silence,
        is_idle=why == IDLE,
    )
