"""Rules that need no model: what breaks most often, found by pure folds over a sensor's readings."""

from __future__ import annotations
