"""Streaming anomaly detection for fleets of sensors: Kafka in, Kafka out, state in Redis."""

from __future__ import annotations

__version__ = "0.1.0"
