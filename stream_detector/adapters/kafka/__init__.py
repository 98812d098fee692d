"""Kafka: source, sink, topics, security, and reading a topic outside a group."""

from __future__ import annotations
