"""A clock for tests."""

from __future__ import annotations


class Clock:
    """A clock that advances only when a test sets `seconds`. Call it for the time."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
