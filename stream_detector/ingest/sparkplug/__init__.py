"""Reads Sparkplug B: messages of MQTT edge nodes, as a bridge writes them to a topic."""

from __future__ import annotations
