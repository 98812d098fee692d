"""Which names of metrics are of the protocol and measure nothing."""

from __future__ import annotations

SESSION = "bdSeq"
_DATETIME = 13  # a data type
_CONTROL = ("Node Control/", "Device Control/")


def is_measurement(name: str) -> bool:
    """Return whether a metric may measure something, by its name."""
    return name != SESSION and not name.startswith(_CONTROL)


def is_measured(name: str, datatype: int) -> bool:
    """Return whether a metric measures something, by its name and data type."""
    return datatype != _DATETIME and is_measurement(name)
