"""Which names of metrics are of the protocol and measure nothing."""

from __future__ import annotations

SESSION = "bdSeq"
_CONTROL = ("Node Control/", "Device Control/")


def is_measurement(name: str) -> bool:
    """Return whether a metric may measure something, by its name."""
    return name != SESSION and not name.startswith(_CONTROL)
