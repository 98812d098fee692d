"""Adapters: the ports of the pipeline, against the real world and in memory."""

from __future__ import annotations
