"""Finds out what a topic or a file holds, and writes settings for it."""

from __future__ import annotations
