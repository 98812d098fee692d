"""A change of an incident, as decisions report it and events publish it."""

from __future__ import annotations

from dataclasses import dataclass

OPENED, UPDATED, CLOSED = "opened", "updated", "closed"


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of an incident at an accepted reading."""

    position: int  # of the accepted reading
    status: str
    incident_offset: int
    opened_ms: int
    peak_score: float
    is_accepted: bool  # closed because it counts as a new normal state
