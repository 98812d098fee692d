"""What a keeper of some state of sensors (ports.Keeper) has changed in memory, and the store lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Unsaved:
    """Contents by name, of each partition; the newest content of a name counts, and an empty one erases it."""

    def __init__(self) -> None:
        self._changed: dict[int, dict[str, bytes]] = {}
        self._sent: dict[int, dict[str, bytes]] = {}

    def restart(self, partition: int, erased: Iterable[str]) -> None:
        """Start a partition again, with nothing that the store lacks but that these names are to be erased."""
        self._sent.pop(partition, None)
        self._changed[partition] = dict.fromkeys(erased, b"")

    def forget(self, partition: int) -> None:
        """Drop a partition."""
        self._changed.pop(partition, None)
        self._sent.pop(partition, None)

    def change(self, partition: int, name: str, content: bytes) -> None:
        """Record what the store should hold under a name."""
        self._changed.setdefault(partition, {})[name] = content

    def send(self, partition: int, position: int) -> Mapping[str, bytes]:
        """See ports.Keeper.unsaved. What is in memory is as of the position."""
        if position < 0:
            return {}
        self._sent[partition] = dict(self._changed.get(partition, {}))
        return self._sent[partition]

    def saved(self, partition: int, position: int) -> None:
        """See ports.Keeper. What has changed since it was sent stays."""
        sent = self._sent.pop(partition, {}) if position >= 0 else {}
        left = self._changed.get(partition, {})
        self._changed[partition] = {name: content for name, content in left.items() if sent.get(name) != content}
