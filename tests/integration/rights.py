"""Grants and revokes the rights that docs/security.md lists, on a Kafka of the tests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from stream_detector.settings.kafka_settings import KafkaSettings
from tests.integration.topics import until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
ROW = re.compile(r"^\| (`.+?`.*?) \| (topic|group|transactional id)\b.*? \| `KAFKA__(\w+)`.*? \| (\w+) \|", re.MULTILINE)
TYPES = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "transactional id": ResourceType.TRANSACTIONAL_ID}


@dataclass(frozen=True, slots=True)
class Right:
    """A row of the table in docs/security.md."""

    command: str
    resource: str  # topic, group or transactional id
    setting: str  # of KafkaSettings; it has the resource's name
    operation: str

    def __str__(self) -> str:
        return f"{self.operation} {self.resource} {self.setting}"


def documented() -> list[Right]:
    """Return all rights that docs/security.md lists."""
    rows = ROW.findall(PAGE.read_text())
    return [Right(command.replace("`", ""), resource, name.lower(), operation) for command, resource, name, operation in rows]


def rights_of(command: str) -> list[Right]:
    """Return the rights that a command needs."""
    return [right for right in documented() if right.command == command]


def pattern(right: Right, settings: KafkaSettings) -> ResourcePattern:
    """Return the resource pattern of a right."""
    name = getattr(settings, right.setting)
    if right.resource == "transactional id":
        return ResourcePattern(TYPES[right.resource], f"{name}-", ACLResourcePatternType.PREFIXED)
    return ResourcePattern(TYPES[right.resource], name)


class Grants:
    """Rights of one user on the resources of some settings. A context manager, which revokes all of them at the end."""

    def __init__(self, admin_brokers: str, user: str, settings: KafkaSettings) -> None:
        self._admin: Any = KafkaAdminClient(bootstrap_servers=admin_brokers)
        self._principal = f"User:{user}"
        self._settings = settings
        self._granted: list[Right] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for right in list(self._granted):
            self.take(right)
        self._admin.close()

    def give(self, rights: Iterable[Right]) -> None:
        """Grant rights; return once they are in force."""
        for right in rights:
            self._admin.create_acls([self._acl(right)])
            self._granted.append(right)
            until(lambda right=right: self._holds(right))  # type: ignore[misc]  # mypy cannot infer it

    def take(self, right: Right) -> None:
        """Revoke a right; return once it is no longer in force."""
        self._admin.delete_acls([self._filter(right)])
        self._granted.remove(right)
        until(lambda: not self._holds(right))

    def all(self) -> set[str]:
        """Return all rights of the user, whoever granted them."""
        found, _ = self._admin.describe_acls(self._anything())
        return {f"{acl.operation.name} {acl.resource_pattern}" for acl in found}

    def described(self, rights: Iterable[Right]) -> set[str]:
        """Return rights in the form of `all`."""
        return {f"{right.operation.upper()} {pattern(right, self._settings)}" for right in rights}

    def take_all(self) -> None:
        """Revoke all rights of the user."""
        self._admin.delete_acls([self._anything()])
        until(lambda: not self.all())

    def _anything(self) -> ACLFilter:
        resource = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        return ACLFilter(self._principal, None, ACLOperation.ANY, ACLPermissionType.ANY, resource)

    def _acl(self, right: Right) -> ACL:
        operation = ACLOperation[right.operation.upper()]
        return ACL(self._principal, "*", operation, ACLPermissionType.ALLOW, pattern(right, self._settings))

    def _filter(self, right: Right) -> ACLFilter:
        acl, on = self._acl(right), pattern(right, self._settings)
        resource = ResourcePatternFilter(on.resource_type, on.resource_name, on.pattern_type)
        return ACLFilter(self._principal, "*", acl.operation, ACLPermissionType.ALLOW, resource)

    def _holds(self, right: Right) -> bool:
        found, _ = self._admin.describe_acls(self._filter(right))
        return bool(found)
