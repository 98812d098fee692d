"""Asks Redis or Valkey what `check` wants to know. Writes nothing.

Whether a command is granted shows when it is tried so that it changes nothing: on a key that does not exist, only if it exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import NoPermissionError, NoScriptError, ReadOnlyError, RedisClusterException, RedisError

from stream_detector.adapters.redis.client import Client, checked_address, connect, remedy, user_of
from stream_detector.adapters.redis.keys import Keys
from stream_detector.checkup.store_facts import NodeFacts, Refusal, StoreFacts
from stream_detector.errors import StoreRefusedError, StoreUnavailableError
from stream_detector.settings.group import PREFIX
from stream_detector.settings.schema import RedisSettings

#: All keys, as docs/security.md has it; what the server says where they are not granted.
KEYS_RIGHT, _ABOUT_KEYS = "~sd:*", " to access "


def examine_store(settings: RedisSettings, group: str, topic: str) -> StoreFacts:
    """Return what the store says. Blocks, bounded by the time-out of each request.

    Raises SettingsError for an unusable URL, StoreUnavailableError if it does not answer, StoreRefusedError if it refuses us.
    """
    address = checked_address(settings)
    try:
        client = connect(settings)
        with suppress(NoPermissionError):  # the documented user has no right to ping, and has answered by that
            client.execute_command("PING")
        refusals, is_readonly = _refusals(client, Keys(group, topic), settings)
        return StoreFacts(address, _nodes(client, settings), refusals, user_of(settings), readonly=is_readonly)
    except (RedisError, RedisClusterException, OSError) as error:
        reason = str(error).rstrip(".")
        if advice := remedy(error):
            raise StoreRefusedError(f"Redis at {address}: {reason}. {advice}") from error
        raise StoreUnavailableError(f"Redis at {address} ({PREFIX}REDIS__URL): {reason}") from error
    finally:
        with suppress(UnboundLocalError, RedisError, OSError):
            client.close()


def _refusals(client: Client, keys: Keys, settings: RedisSettings) -> tuple[tuple[Refusal, ...], bool]:
    """Try each command that the store and its script use where it changes nothing; return those refused."""
    text, fields = (f"{key}-check" for key in keys.probes())
    trials: Sequence[tuple[Any, ...]] = (
        ("GETRANGE", text, 0, 0),
        ("MGET", text),
        ("HMGET", fields, "next"),
        ("HGETALL", fields),
        ("SCAN", 0, "MATCH", text, "COUNT", 1),
        ("SET", text, "check", "XX"),  # only if it exists
        ("SETRANGE", text, 0, ""),  # of nothing
        ("PEXPIRE", text, 1000),
        ("HSET", fields, "next", "0", "epoch"),  # a field without a value, which is refused after the right is checked
        ("EVALSHA", "0" * 40, 1, text),
        ("EVAL", "return 1", 1, text),
    )
    refused: list[Refusal] = []
    is_readonly = False
    for command in trials:
        try:
            node = {"target_nodes": "random"} if settings.cluster and command[0] == "SCAN" else {}
            client.execute_command(*command, **node)
        except NoScriptError:
            continue
        except ReadOnlyError:
            is_readonly = True
        except NoPermissionError as error:
            right = KEYS_RIGHT if _ABOUT_KEYS in str(error) else f"+{command[0].lower()}"
            refused.append(Refusal(command[0], str(error), right))
        except RedisError as error:
            if "wrong number of arguments" not in str(error):
                raise
    return tuple(refused), is_readonly


def _nodes(client: Client, settings: RedisSettings) -> tuple[NodeFacts, ...]:
    """Return what each primary says about itself; nothing if this user may not ask."""
    targets = {"target_nodes": "primaries"} if settings.cluster else {}
    try:
        answer = client.execute_command("INFO", **targets)
    except NoPermissionError:
        return ()
    of_nodes = list(answer.values()) if settings.cluster and "redis_version" not in answer else [answer]
    snapshots = _snapshots(client, targets)
    return tuple(_node(info, snapshots) for info in of_nodes)


def _node(info: dict[str, Any], snapshots: bool | None) -> NodeFacts:
    is_valkey = info.get("server_name") == "valkey" or "valkey_version" in info
    version = f"Valkey {info.get('valkey_version')}" if is_valkey else f"Redis {info.get('redis_version')}"
    return NodeFacts(
        version=version,
        used_bytes=int(info.get("used_memory", 0)),
        limit_bytes=int(info.get("maxmemory", 0)),
        system_bytes=int(info.get("total_system_memory", 0)),
        policy=str(info.get("maxmemory_policy", "noeviction")),
        appends=bool(int(info.get("aof_enabled", 0))),
        snapshots=snapshots,
        replicas=int(info.get("connected_slaves", 0)),
    )


def _snapshots(client: Client, targets: dict[str, Any]) -> bool | None:
    """Return whether the server writes snapshots; None if this user may not ask."""
    try:
        answer = client.execute_command("CONFIG GET", "save", **targets)
    except RedisError:
        return None
    first = next(iter(answer.values()), answer) if targets and isinstance(answer, dict) else answer
    found = first.get("save", first.get(b"save")) if isinstance(first, dict) else None
    return None if found is None else bool(found)
