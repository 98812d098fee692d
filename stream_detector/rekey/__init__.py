"""Re-keys a topic whose records do not keep a sensor in one partition: copies its readings, by sensor, to another topic."""

from __future__ import annotations
