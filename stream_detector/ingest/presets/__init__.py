"""The record shapes of other tools, as mappings."""

from __future__ import annotations
