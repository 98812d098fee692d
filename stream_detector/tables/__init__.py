"""Loads readings from files or from a span of the topic into columns in memory, for training, scoring and evaluation."""

from __future__ import annotations
