"""Decides when to renew the time to live of keys that are written in part: rarely, because it costs a fifth of a write.

Renewing with every write would take 1.4 us more server time per reading (9.1 instead of 7.7) and 99 bytes more of the server's
log. Renewing once per quarter of event time would not do: a replay slower than a fifth of real time would let keys expire.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from stream_detector.readings import Int64Array

#: The size of the table, a power of two: 64 MB, for two million keys. With more keys, more are renewed more often than needed,
#: which costs only time.
MAXIMUM_PLACES = 2**23
_FIRST_PLACES = 2**10
_PLACES_PER_KEY = 4  # at this ratio, one key in nine loses its place to another
_NOTHING = -1  # Python's hash() never returns it


class Renewals:
    """Remembers which keys were renewed in the current quarter of their lifetime.

    The first write of a key in a quarter renews it, for a quarter longer than the lifetime, so a key never expires earlier
    than `lifetime_seconds` after its last write. `now` returns the wall clock in seconds, by which the server expires keys.

    The table holds the hash of a key, in a place that another key may take: 32 to 64 bytes per key, where a set of keys would
    take 200. A key whose 64-bit hash equals another's is not renewed; the odds of such a pair among a million keys are below 1
    in 10^7.
    """

    def __init__(self, lifetime_seconds: float, now: Callable[[], float], most_places: int = MAXIMUM_PLACES) -> None:
        self.time_to_live_seconds = lifetime_seconds * 5 / 4
        self._quarter_seconds = lifetime_seconds / 4
        self._now = now
        self._most_places = most_places
        self._quarter = 0
        self._forget()

    def due(self, keys: Sequence[bytes]) -> set[bytes]:
        """Return the keys to renew with their next write."""
        quarter = int(self._now() // self._quarter_seconds)
        if quarter != self._quarter:
            self._quarter = quarter
            self._forget()
        hashes = _hashes(keys)
        is_due = self._renewed[self._places(hashes)] != hashes
        return {key for key, due in zip(keys, is_due.tolist(), strict=True) if due}

    def done(self, keys: Collection[bytes]) -> None:
        """Record that keys were renewed."""
        self._count += len(keys)
        wanted = min(self._most_places, _PLACES_PER_KEY * self._count)
        if wanted > len(self._renewed):
            self._grow(wanted)
        hashes = _hashes(keys)
        self._renewed[self._places(hashes)] = hashes

    def _forget(self) -> None:
        self._count = 0  # keys remembered since then, including those that lost their place
        self._renewed = np.full(min(_FIRST_PLACES, self._most_places), _NOTHING, np.int64)

    def _grow(self, wanted: int) -> None:
        remembered = self._renewed[self._renewed != _NOTHING]
        self._renewed = np.full(1 << (wanted - 1).bit_length(), _NOTHING, np.int64)
        self._renewed[self._places(remembered)] = remembered

    def _places(self, hashes: Int64Array) -> Int64Array:
        return hashes & (len(self._renewed) - 1)


def _hashes(keys: Collection[bytes]) -> Int64Array:
    return np.fromiter(map(hash, keys), np.int64, len(keys))
