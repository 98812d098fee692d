"""The names of the keys in Redis.

Keys of one partition share their hash tag, so one script may touch them all on a Cluster:

    sd:{<group>/<topic>:<partition>}:meta        hash: next, epoch, layout, topic_id, note; never expires
    sd:{<group>/<topic>:<partition>}:w:<sensor>  string: epoch (8 bytes), record
    sd:{<group>/<topic>:<partition>}:h:<digest>  the same, of a sensor whose name is long
    sd:{<group>/<topic>:<partition>}:kept        hash: what is kept of the partition, by name; never expires
    sd:{<group>/<topic>}:learning                string: how far the learning is, for `status`
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from urllib.parse import quote

#: The longest sensor id in UTF-8 that is a part of its key: as long as ids may be by default. A longer one is hashed, so that
#: keys stay small, and a scan does not find it.
MAXIMUM_PLAIN_SENSOR_BYTES = 256


class Keys:
    """The keys of one consumer group and input topic."""

    def __init__(self, group: str, topic: str) -> None:
        # Percent-encoding leaves no brace, slash or colon that could end the hash tag or mix up group and topic.
        self._tag = f"{quote(group, safe='', errors='surrogatepass')}/{quote(topic, safe='', errors='surrogatepass')}"

    def meta(self, partition: int) -> str:
        """Return the key of a partition's meta."""
        return f"sd:{{{self._tag}:{partition}}}:meta"

    def kept(self, partition: int) -> str:
        """Return the key of what is kept of a partition."""
        return f"sd:{{{self._tag}:{partition}}}:kept"

    def sensors(self, partition: int, sensors: Sequence[str]) -> list[bytes]:
        """Return the keys of a partition's sensors, in order."""
        plain = self.plain_sensors(partition)
        hashed = f"sd:{{{self._tag}:{partition}}}:h:".encode()
        names = [sensor.encode("utf-8", "surrogatepass") for sensor in sensors]
        return [plain + name if len(name) <= MAXIMUM_PLAIN_SENSOR_BYTES else hashed + _digest(name) for name in names]

    def plain_sensors(self, partition: int) -> bytes:
        """Return what the keys of a partition's sensors begin with, before their names; as a pattern it matches itself."""
        return f"sd:{{{self._tag}:{partition}}}:w:".encode()

    def learning(self) -> str:
        """Return the key of the words that say how far the learning is."""
        return f"sd:{{{self._tag}}}:learning"

    def probes(self) -> tuple[str, str]:
        """Return the keys of a string and a hash that a ping writes; both have the same hash tag."""
        return f"sd:{{{self._tag}}}:ping", f"sd:{{{self._tag}}}:ping-fields"


def _digest(name: bytes) -> bytes:
    return hashlib.blake2b(name, digest_size=20).hexdigest().encode()
