"""What an operator sees of a running detector: reports of stored state, positions and events. It reads and changes nothing."""

from __future__ import annotations
