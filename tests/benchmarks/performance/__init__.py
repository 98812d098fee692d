"""What the detector can do on this machine: `make bench` measures all of it, `make bench-quick` fewer points."""

from __future__ import annotations
