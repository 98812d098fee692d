"""The process around the pipeline: its loop, signals, watchdog, metrics, health pages, log monitors and reloads."""

from __future__ import annotations
