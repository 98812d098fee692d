"""Measures the detector's performance on this machine: all of it with `make bench`, fewer points with `make bench-quick`."""

from __future__ import annotations
