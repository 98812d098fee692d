"""Redis or Valkey: the state store."""

from __future__ import annotations
