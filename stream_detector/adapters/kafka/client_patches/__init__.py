"""Patches of kafka-python: each module names the defect that it works around and the version in which it was seen."""

from __future__ import annotations
