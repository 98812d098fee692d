"""Findings about Redis or Valkey: rights, version, memory, eviction and what survives a restart of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from stream_detector.checkup.findings import Finding, counted, ok, unchecked, warning, wrong
from stream_detector.checkup.store_facts import NodeFacts, StoreFacts

_ABOUT = "Redis"
#: What a key, its name and the server's bookkeeping take beside the record.
BYTES_BESIDE = 150
_AS_ADMINISTRATOR = "redis-cli -u URL_OF_AN_ADMINISTRATOR"
_CONFIG = "redis-cli -u URL CONFIG SET"


def store_findings(facts: StoreFacts, needed_bytes: int, sensors: int) -> Iterator[Finding]:
    """Say how a store that answers stands, for so many sensors that need so many bytes in all."""
    if facts.refusals:
        commands = ", ".join(one.command for one in facts.refusals)
        rights = shlex.join(dict.fromkeys(one.right for one in facts.refusals))  # a shell takes ~ for a folder
        yield wrong(
            _ABOUT,
            f"Redis at {facts.address} refuses {commands} to user {facts.user}: {facts.refusals[0].answer}",
            f"{_AS_ADMINISTRATOR} ACL SETUSER {facts.user} {rights}",
            "and write it into the server's ACL file; docs/security.md lists all that are needed",
        )
    if facts.readonly:
        yield wrong(
            _ABOUT,
            f"the server at {facts.address} is a read-only replica",
            "export STREAM_DETECTOR_REDIS__URL=redis://PRIMARY:6379/0",
        )
    if not facts.nodes:
        yield warning(
            _ABOUT,
            f"Redis at {facts.address} answers, but this user may not ask for its memory and eviction policy",
            f"{_AS_ADMINISTRATOR} ACL SETUSER {facts.user} +info",
        )
        return
    versions = ", ".join(sorted({node.version for node in facts.nodes}))
    many = f", {len(facts.nodes)} primaries" if len(facts.nodes) > 1 else ""
    yield ok(_ABOUT, f"{versions} answers at {facts.address}{many}")
    yield from _eviction(facts.nodes)
    yield _memory(facts.nodes, needed_bytes, sensors)
    yield _persistence(facts.nodes)


def _eviction(nodes: tuple[NodeFacts, ...]) -> Iterator[Finding]:
    about = "eviction"
    evicting = [node for node in nodes if node.policy != "noeviction"]
    if not evicting:
        yield ok(about, "at the limit of its memory it refuses writes instead of dropping windows (noeviction)")
        return
    policy, is_limited = evicting[0].policy, any(node.limit_bytes for node in evicting)
    yield (wrong if is_limited else warning)(
        about,
        f"maxmemory-policy is {policy}: "
        + ("when memory is full, it drops the windows of sensors" if is_limited else "it would drop windows at a maxmemory"),
        f"{_CONFIG} maxmemory-policy noeviction",
        "and write it into the server's configuration file",
    )


def _memory(nodes: tuple[NodeFacts, ...], needed_bytes: int, sensors: int) -> Finding:
    about, limit = "memory", sum(node.limit_bytes for node in nodes)
    used = sum(node.used_bytes for node in nodes)
    needed = f"{counted(sensors, 'sensor')} need at most {size(needed_bytes)}"
    if not limit:
        machine = sum(node.system_bytes for node in nodes)
        if machine and 2 * needed_bytes > machine:
            return warning(
                about,
                f"{needed}, twice that while Redis saves; its machine has {size(machine)}",
                "give Redis a larger machine, or use a Cluster (docs/scaling.md)",
            )
        return ok(about, f"{needed}; it uses {size(used)} and has no limit (maxmemory 0)")
    more = f"{_CONFIG} maxmemory {2 * max(needed_bytes, used) // 1_000_000 + 1}mb"
    if needed_bytes > limit:
        return wrong(about, f"{needed}, and maxmemory is {size(limit)}: the stream would stop", more)
    if used + needed_bytes > limit:
        return warning(about, f"{needed}; {size(used)} of {size(limit)} (maxmemory) are used already", more)
    return ok(about, f"{needed}; {size(used)} of {size(limit)} (maxmemory) are used")


def _persistence(nodes: tuple[NodeFacts, ...]) -> Finding:
    about, node = "persistence", nodes[0]
    beside = f", {counted(node.replicas, 'replica')} of it" if node.replicas else ""
    if node.appends:
        return ok(about, f"it writes every change to a file (appendonly yes){beside}")
    if node.snapshots:
        return ok(about, f"it writes snapshots to a file; after a crash the rest is read again from the topic{beside}")
    if node.snapshots is None:
        return warning(
            about,
            f"it appends to no file, and this user may not ask whether it writes snapshots{beside}",
            "redis-cli -u URL CONFIG GET save",
        )
    return warning(
        about,
        f"it writes nothing to disk{beside}: when it restarts, windows are filled again from the topic, but learned levels "
        "start from the model's",
        f"{_CONFIG} appendonly yes",
        "and write it into the server's configuration file",
    )


def size(number: float) -> str:
    """Return a number of bytes for people: `640 kB`, `1.5 MB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.3g} {unit}"
        number /= 1000
    raise AssertionError


def not_reached(text: str) -> Finding:
    """Return the finding for a store that does not answer."""
    return unchecked(_ABOUT, text, "check that it runs, and STREAM_DETECTOR_REDIS__URL")
