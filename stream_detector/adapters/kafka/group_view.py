"""Looks at a consumer group from outside: its members and committed positions. It never joins the group."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from kafka import KafkaAdminClient
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupIdNotFoundError,
    KafkaError,
    NotCoordinatorError,
)

from stream_detector.adapters.kafka.connect import open_client
from stream_detector.adapters.kafka.errors import translate
from stream_detector.adapters.kafka.options import admin_options
from stream_detector.settings.kafka_settings import KafkaSettings

_PAUSE_SECONDS = 0.25
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """A group as its coordinator describes it; a group that nobody knows is Dead and has no members."""

    state: str
    members: int


@dataclass(frozen=True, slots=True)
class CommittedPosition:
    """A committed position and the note that was committed with it."""

    position: int
    note: str


class GroupView:
    """The group of the settings. Every call blocks at most the request time-out or two.

    Raises RetriableError when the brokers do not answer, PermanentDeliveryError when they refuse.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._admin: KafkaAdminClient = open_client(KafkaAdminClient, admin_options(settings))

    def describe(self) -> GroupDescription:
        """Return the group's state and how many members it has."""
        name = self._settings.group_id
        try:
            found = self._patiently(lambda: self._admin.describe_groups([name])[name])
        except GroupIdNotFoundError:  # what newer brokers say of a group without members or positions
            return GroupDescription("Dead", 0)
        except KafkaError as error:
            raise translate(error, f"looking up group {name}") from error
        return GroupDescription(str(found.get("group_state") or found.get("state") or ""), len(found.get("members") or ()))

    def committed(self) -> dict[int, CommittedPosition]:
        """Return the group's position in each partition of the input topic that has one."""
        name, topic = self._settings.group_id, self._settings.input_topic
        try:
            found = self._patiently(lambda: self._admin.list_group_offsets(name)[name])
        except GroupIdNotFoundError:
            return {}
        except KafkaError as error:
            raise translate(error, f"looking up the positions of group {name}") from error
        return {
            tp.partition: CommittedPosition(int(one.offset), one.metadata or "")
            for tp, one in found.items()
            if tp.topic == topic and one.offset >= 0
        }

    def _patiently(self, ask: Callable[[], _Answer]) -> _Answer:
        """Ask until the group has a coordinator, bounded: new brokers have none for a moment."""
        deadline = time.monotonic() + self._settings.request_timeout_seconds
        while True:
            try:
                return ask()
            except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def close(self) -> None:
        """Release the connections. Idempotent."""
        self._admin.close()
