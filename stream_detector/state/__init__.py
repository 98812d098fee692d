"""One record per sensor, held in an arena: its window of readings and running scale. Knows neither models nor stores."""

from __future__ import annotations
