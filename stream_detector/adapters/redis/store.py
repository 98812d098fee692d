"""The state store in Redis or Valkey, single or Cluster. Implements ports.StateStore; keys.py names the keys.

A sensor's key expires if it is not written for ttl_seconds, which removes sensors that no longer exist (see Renewals). This
module does not know what a record means or when to persist.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import resources
from typing import Any

from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from stream_detector.adapters.redis.client import Client, checked_address, connect, remedy
from stream_detector.adapters.redis.keys import Keys
from stream_detector.adapters.redis.ttl_renewal import Renewals
from stream_detector.errors import StoreRefusedError, StoreUnavailableError
from stream_detector.ports import PartitionMeta, Scanned, SensorUpdate, StoreVerdict, Updates
from stream_detector.settings.group import PREFIX
from stream_detector.settings.schema import RedisSettings

logger = logging.getLogger(__name__)

APPLIED = StoreVerdict.APPLIED.value.encode()
LACKING = b"lacking"
MAXIMUM_ATTEMPTS = 3
PING_MS = 60_000
_EPOCH_BYTES = 8
_SCRIPT = "persist.lua"


class RedisStore:
    """A ports.StateStore in Redis. Connects at the first call; timeout_seconds bounds every socket operation.

    Raises SettingsError for an unusable URL. A persist is one script call, measured with up to 4096 sensors.
    """

    def __init__(
        self,
        settings: RedisSettings,
        group: str,
        topic: str,
        now: Callable[[], float] = time.time,
        *,
        is_reader: bool = False,
    ) -> None:
        """A reader only reads: `meta` does not check first, by writing, whether Redis can be written."""
        self._settings = settings
        self._address = checked_address(settings)
        self._keys = Keys(group, topic)
        self._renewals = Renewals(settings.ttl_seconds, now)
        self._script = resources.files(__package__).joinpath(_SCRIPT).read_bytes()
        self._script_sha = hashlib.sha1(self._script, usedforsecurity=False).hexdigest()
        self._lazy_client: Client | None = None
        self._is_eviction_checked = self._is_proven = is_reader

    def meta(self, partition: int) -> PartitionMeta | None:
        """Read a partition's metadata; None if there is none.

        The first call begins by checking that Redis refuses no needed command (see `ping`), and ends by logging a warning if
        Redis is set to evict keys.
        """
        if not self._is_proven:
            self.ping()
        fields = self._execute("HMGET", self._keys.meta(partition), "next", "epoch", "layout", "topic_id", "note")
        self._warn_once_of_eviction()
        *known, note = fields
        if None in known:
            return None
        next_position, epoch, layout, topic_id = known
        return PartitionMeta(int(next_position), epoch, layout.decode(), topic_id.decode(), (note or b"").decode())

    def begin(self, partition: int, meta: PartitionMeta) -> None:
        """Replace a partition's metadata. A new epoch makes all its stored sensors absent."""
        if len(meta.epoch) != _EPOCH_BYTES:
            msg = f"an epoch has {_EPOCH_BYTES} bytes, not {len(meta.epoch)}"
            raise ValueError(msg)
        place = ("next", meta.next_position, "epoch", meta.epoch, "layout", meta.layout)
        fields = (*place, "topic_id", meta.topic_id, "note", meta.note)
        self._execute("HSET", self._keys.meta(partition), *fields)

    def load(self, partition: int, epoch: bytes, sensors: Sequence[str]) -> list[bytes | None]:
        """Read the state of sensors, in order, in one round trip; None where absent or of another epoch."""
        if not sensors:
            return []
        values = self._execute("MGET", *self._keys.sensors(partition, sensors))
        return [value[_EPOCH_BYTES:] if value is not None and value.startswith(epoch) else None for value in values]

    def scan(self, partition: int, epoch: bytes, cursor: str, count: int) -> Scanned:
        """Read some of a partition's stored sensors, in two round trips; skips sensors whose names are hashed."""
        prefix = self._keys.plain_sensors(partition)
        with self._translated_errors():
            client: Any = self._client()  # only a Cluster's has nodes
            node = {"target_nodes": client.get_node_from_key(self._keys.meta(partition))} if self._settings.cluster else {}
            following, keys = client.execute_command("SCAN", cursor or 0, "MATCH", prefix + b"*", "COUNT", count, **node)
        if isinstance(following, dict):  # a Cluster's answers, by node
            (following,) = following.values()
        records = zip(keys, self._execute("MGET", *keys) if keys else (), strict=True)
        found = {key[len(prefix) :].decode("utf-8", "surrogatepass"): value for key, value in records}
        ours = {name: value[_EPOCH_BYTES:] for name, value in found.items() if value is not None and value.startswith(epoch)}
        return Scanned(ours, "" if int(following) == 0 else str(following))

    def kept(self, partition: int) -> Mapping[str, bytes]:
        """Read what is kept of a partition, whatever its epoch."""
        fields = self._execute("HGETALL", self._keys.kept(partition))
        pairs = fields.items() if isinstance(fields, dict) else zip(fields[::2], fields[1::2], strict=True)
        return {name.decode("utf-8", "surrogatepass"): content for name, content in pairs}

    def persist(self, partition: int, epoch: bytes, start: int, stop: int, updates: Updates) -> StoreVerdict:
        """Move a partition's state from position `start` to `stop`, all or nothing. Idempotent.

        Sensors that Redis has lost are written in full by a second call, and those lost between the two calls by a third.
        """
        if stop <= start:
            msg = f"a persist moves forward: start {start}, stop {stop}"
            raise ValueError(msg)
        whole, changed = dict(updates.whole), updates.changed
        renewed = self._renewals.due(self._keys.sensors(partition, [update.sensor for update in changed]))
        kept = [part for name, content in updates.kept.items() for part in (name.encode("utf-8", "surrogatepass"), content)]
        kept_key = [self._keys.kept(partition)] if kept else []
        verdict = LACKING
        for attempt in range(MAXIMUM_ATTEMPTS):
            if attempt == MAXIMUM_ATTEMPTS - 1:
                whole |= {update.sensor: update.record for update in changed}  # now nothing can be lacking
                changed = ()
            keys = self._keys.sensors(partition, [*whole, *(update.sensor for update in changed)])
            header = [
                len(keys) + 1 + len(kept_key),
                self._keys.meta(partition),
                *keys,
                *kept_key,
                epoch,
                start,
                stop,
                updates.note,
                self._ttl_ms(),
                len(whole),
                len(updates.kept),
            ]
            values = [epoch + record for record in whole.values()]
            verdict, *lacking = self._run_script(header + values + _entries(epoch, keys[len(whole) :], changed, renewed) + kept)
            if verdict != LACKING:
                break
            whole |= {changed[position].sensor: changed[position].record for position in lacking}
            changed = [update for update in changed if update.sensor not in whole]
        if verdict == APPLIED:
            self._renewals.done(renewed)
        return StoreVerdict(verdict.decode())

    def leave_learning(self, words: bytes, seconds: float) -> None:
        """Leave words on how far the learning is, for so long, in place of those that were left before."""
        self._execute("SET", self._keys.learning(), words, "PX", max(1, round(1000 * seconds)))

    def learning(self) -> bytes:
        """Return the words that were left; empty if there are none."""
        (words,) = self._execute("MGET", self._keys.learning())
        return bytes(words or b"")

    def ping(self) -> None:
        """Check that Redis can be read and written, and that it refuses no command that the store needs.

        If Redis refused a command in the middle of a script, half of the script's writes would remain.
        """
        text, fields = self._keys.probes()
        self._execute("SET", text, "ping", "PX", PING_MS)
        self._execute("SETRANGE", text, 0, "p")
        self._execute("GETRANGE", text, 0, 0)
        self._execute("MGET", text)
        self.scan(0, b"", "", 1)
        self._execute("HSET", fields, "next", 0, "epoch", "none")
        self._execute("PEXPIRE", fields, PING_MS)
        self._execute("HMGET", fields, "next", "epoch")
        self._execute("HGETALL", fields)
        self._run_script([1, fields, "another epoch", 0, 1, "", PING_MS, 0, 0])  # writes nothing
        self._is_proven = True

    def eviction_warning(self) -> str | None:
        """Return a warning for the operator if Redis is set to evict keys when its memory is full; None if it keeps them."""
        for memory in self._memory_of_each_node():
            policy = memory.get("maxmemory_policy", "noeviction")
            if policy != "noeviction" and int(memory.get("maxmemory", 0)) > 0:
                return (
                    f"Redis at {self._address} drops keys when its memory is full (maxmemory-policy {policy}), "
                    "and the windows of sensors with them. Set maxmemory-policy noeviction."
                )
        return None

    def close(self) -> None:
        """Release the connections. Idempotent."""
        if self._lazy_client is not None:
            self._lazy_client.close()
            self._lazy_client = None

    def _run_script(self, arguments: Sequence[Any]) -> list[Any]:
        with self._translated_errors():
            try:
                answer = self._client().execute_command("EVALSHA", self._script_sha, *arguments)
            except NoScriptError:  # another server by now, or its script cache was flushed
                answer = self._client().execute_command("EVAL", self._script, *arguments)
        return list(answer)

    def _execute(self, *command: Any) -> Any:  # noqa: ANN401 - answers depend on the command
        with self._translated_errors():
            return self._client().execute_command(*command)

    def _warn_once_of_eviction(self) -> None:
        if self._is_eviction_checked:
            return
        self._is_eviction_checked = True
        with suppress(StoreUnavailableError):  # the user may not be allowed to ask
            if warning := self.eviction_warning():
                logger.warning(warning)

    def _memory_of_each_node(self) -> list[dict[str, Any]]:
        if not self._settings.cluster:
            return [self._execute("INFO", "memory")]
        with self._translated_errors():
            of_node = self._client().execute_command("INFO", "memory", target_nodes="primaries")
        return list(of_node.values())

    def _client(self) -> Client:
        if self._lazy_client is None:
            self._lazy_client = connect(self._settings)
        return self._lazy_client

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, RedisClusterException, OSError) as error:
            reason = str(error).rstrip(".")
            if advice := remedy(error):
                raise StoreRefusedError(f"Redis at {self._address}: {reason}. {advice}") from error
            raise StoreUnavailableError(f"Redis at {self._address} ({PREFIX}REDIS__URL): {reason}") from error

    def _ttl_ms(self) -> int:
        return int(1000 * self._renewals.time_to_live_seconds)


def _entries(epoch: bytes, keys: Sequence[bytes], changed: Sequence[SensorUpdate], renewed: set[bytes]) -> list[Any]:
    """Return the arguments of the script that describe changed sensors, in the order of `keys`; see persist.lua."""
    arguments: list[Any] = []
    for key, update in zip(keys, changed, strict=True):
        arguments += (epoch + update.expected_prefix, len(update.spans), int(key in renewed))
        for start, stop in update.spans:
            arguments += (_EPOCH_BYTES + start, update.record[start:stop])
    return arguments
