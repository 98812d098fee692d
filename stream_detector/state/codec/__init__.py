"""Sensor records to bytes for the store, and back. Exact, and knows no store."""

from __future__ import annotations
