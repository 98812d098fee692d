"""A window becomes a score, a decision and an event. Knows neither Kafka, Redis nor TensorFlow."""

from __future__ import annotations
