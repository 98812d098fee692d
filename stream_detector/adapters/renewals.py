"""When to renew the time to live of keys: rarely, since renewing costs as much as writing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

#: Keys remembered. With more in use some are renewed more often than needed, which costs time and nothing else.
MAXIMUM_REMEMBERED = 2**18


class Renewals:
    """Remembers which keys were renewed in the current quarter of their lifetime.

    A key that is written at all in a quarter is renewed at its first write, and lives a quarter longer than asked for, so
    it never expires earlier than `lifetime_seconds` after its last write. `now` is in seconds.
    """

    def __init__(self, lifetime_seconds: float, now: Callable[[], float], limit: int = MAXIMUM_REMEMBERED) -> None:
        self.time_to_live_seconds = lifetime_seconds * 5 / 4
        self._quarter_seconds = lifetime_seconds / 4
        self._now = now
        self._limit = limit
        self._quarter = 0
        self._renewed: set[bytes] = set()

    def due(self, keys: Sequence[bytes]) -> set[bytes]:
        """Return the keys to renew with their next write."""
        quarter = int(self._now() // self._quarter_seconds)
        if quarter != self._quarter:
            self._quarter = quarter
            self._renewed.clear()
        return set(keys).difference(self._renewed)

    def done(self, keys: Iterable[bytes]) -> None:
        """Remember that keys were renewed."""
        self._renewed.update(keys)
        if len(self._renewed) > self._limit:
            self._renewed.clear()
