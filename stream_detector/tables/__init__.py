"""Readings from files and from a span of the topic, as columns in memory: what training, scoring and evaluation read."""

from __future__ import annotations
