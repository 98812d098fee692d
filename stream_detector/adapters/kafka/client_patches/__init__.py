"""Patches of kafka-python: each module names the defect that it works around and the version it was seen in."""

from __future__ import annotations
