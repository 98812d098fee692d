"""The process around the pipeline: its loop, signals, watchdog, metrics, health, log lines and reloading of settings."""

from __future__ import annotations
