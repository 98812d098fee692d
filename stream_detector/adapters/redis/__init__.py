"""The state store in Redis or Valkey."""

from __future__ import annotations
