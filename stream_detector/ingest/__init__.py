"""A record of the input topic becomes a reading or a dead letter."""

from __future__ import annotations
