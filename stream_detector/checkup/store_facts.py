"""What Redis or Valkey says about itself, and which commands it refuses. The adapter gathers it without writing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What one server says about itself."""

    version: str  # "Valkey 9.1.2"
    used_bytes: int
    limit_bytes: int  # 0: none is set
    system_bytes: int  # memory of its machine; 0: unknown
    policy: str  # what it does at the limit
    appends: bool  # writes every change to a file
    snapshots: bool | None  # writes all data to a file from time to time; None: it does not say
    replicas: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command of the store that this user may not use."""

    command: str
    answer: str  # of the server
    right: str  # what has to be granted, as in ACL SETUSER


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """A store that answers."""

    address: str
    nodes: tuple[NodeFacts, ...]  # none if this user may not ask
    refusals: tuple[Refusal, ...] = ()
    user: str = "default"  # as whom we asked
    readonly: bool = False  # it is a replica that takes no writes
