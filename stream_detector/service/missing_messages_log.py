"""Logs the nodes of which messages are missing, by their sequence numbers."""

from __future__ import annotations

import logging
from collections import Counter

logger = logging.getLogger(__name__)

_MINUTE_SECONDS = 60.0
#: So many nodes are counted apart, and named in a line.
_MOST_NODES, _MOST_NAMED = 1_000, 5
_OTHERS = "other nodes"


class MissingMessagesLog:
    """Logs the first at once, then a summary per minute. Its memory is bounded."""

    def __init__(self, now: float) -> None:
        self._since = self._next_at = now
        self._missing: Counter[str] = Counter()

    def observe(self, missing: Counter[str], now: float) -> None:
        """Count the missing messages of a step, by node; log them if the last line is old enough."""
        for node, count in missing.items():
            is_counted = node in self._missing or len(self._missing) < _MOST_NODES
            self._missing[node if is_counted else _OTHERS] += count
        if now >= self._next_at:
            self.flush(now)

    def flush(self, now: float) -> None:
        """Log the counts since the last line, unless there are none."""
        if not self._missing:
            return
        named = ", ".join(f"{count} of {node[:100]}" for node, count in self._missing.most_common(_MOST_NAMED))
        more = f" and of {len(self._missing) - _MOST_NAMED} more nodes" if len(self._missing) > _MOST_NAMED else ""
        text = "messages are missing by their sequence numbers, in the last %.0f s: %s%s (docs/sparkplug.md)"
        logger.warning(text, now - self._since, named, more, extra={"missing_messages": self._missing.total()})
        self._missing = Counter()
        self._since, self._next_at = now, now + _MINUTE_SECONDS
