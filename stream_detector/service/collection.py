"""Decides whether a topic holds enough readings to learn from, and says how far the collection is."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Amount:
    """What was counted in the topic, up to the count that is enough."""

    readings: int
    sensors: int
    per_minute: float  # readings, by the event times of all sensors; 0: not known
    records: int  # read, whether they are readings or not


@dataclass(frozen=True, slots=True)
class Enough:
    """How much a training needs."""

    readings: int
    per_sensor: int

    def needed(self, sensors: int) -> int:
        """Return the readings that a training of so many sensors needs."""
        return max(self.readings, self.per_sensor * sensors)

    def is_met(self, amount: Amount) -> bool:
        """Return whether a training can begin."""
        return amount.readings >= self.needed(amount.sensors)


def minutes_left(amount: Amount, enough: Enough) -> int | None:
    """Return how long it takes until there is enough if sensors go on as they did, rounded up; None if that is unknown."""
    left = enough.needed(amount.sensors) - amount.readings
    if left <= 0:
        return 0
    return math.ceil(left / amount.per_minute) if amount.per_minute > 0 else None


def describe_collection(amount: Amount, enough: Enough) -> str:
    """Say how far the collection is, in one line."""
    needed = enough.needed(amount.sensors)
    sensors = "1 sensor" if amount.sensors == 1 else f"{amount.sensors:,} sensors"
    text = f"collecting: {amount.readings:,} of {needed:,} readings of {sensors}"
    if not amount.readings and amount.records:
        return f"{text}; none of the {amount.records:,} records that were looked at is a reading"
    minutes = minutes_left(amount, enough)
    return text if minutes is None else f"{text}, about {_duration(minutes)}"


def _duration(minutes: int) -> str:
    if minutes < 180:
        return "1 minute" if minutes == 1 else f"{minutes} minutes"
    hours = math.ceil(minutes / 60)
    return f"{hours} hours" if hours < 72 else f"{math.ceil(hours / 24)} days"
