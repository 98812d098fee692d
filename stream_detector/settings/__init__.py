"""The service's settings: their schema, where their values come from, and the messages about wrong ones."""

from __future__ import annotations
