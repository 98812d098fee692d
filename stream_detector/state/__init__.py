"""A reading becomes a window: one record per sensor, held in an arena. Knows neither models nor stores."""

from __future__ import annotations
