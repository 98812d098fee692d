"""Kafka adapters: source, sink, topics, security, and readers outside any consumer group."""

from __future__ import annotations
