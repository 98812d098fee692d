"""What the adapters use of the Kafka client without its public interface: listed, present, and only in client_patches."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.cluster import ClusterMetadata
from kafka.consumer.fetcher import Fetcher
from kafka.consumer.subscription_state import SubscriptionState, TopicPartitionState
from kafka.coordinator.base import BaseCoordinator
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.coordinator.heartbeat import Heartbeat
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.producer.sender import Sender
from kafka.producer.transaction_manager import TransactionManager
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch

ROOT = Path(__file__).resolve().parents[4]
PACKAGE = ROOT / "stream_detector"
ROOM = PACKAGE / "adapters" / "kafka" / "client_patches"

#: Every name with an underscore that the room reads of the client, by the class that has it.
PRIVATE: dict[type, set[str]] = {
    KafkaAdminClient: {"_find_coordinator_ids", "_manager"},
    KafkaConsumer: {"_cluster", "_coordinator", "_fetcher", "_manager", "_net", "_subscription"},
    KafkaProducer: {"_sender", "_transaction_manager"},
    Fetcher: {
        "_completed_fetches",
        "_fetch_futures",
        "_next_partition_records",
        "_paused_partition_records",
        "_subscriptions",
    },
    Fetcher.PartitionRecords: {"_consume_aborted_transactions_up_to", "_is_batch_aborted"},
    ConsumerCoordinator: {"_heartbeat_enabled", "_join_task", "_offset_fetch_futures"},
    MemoryRecords: {"_next_slice"},
    DefaultRecordBatch: {"_buffer", "_decompressed", "_pos"},
}
#: Names without an underscore of classes that are not part of the client's public interface.
INTERNAL: dict[type, set[str]] = {
    ClusterMetadata: {
        "config",
        "metadata_refresh_in_progress",
        "need_all_topic_metadata",
        "partitions_for_topic",
        "request_update",
    },
    NetworkSelector: {"call_soon_with_future", "run", "sleep"},
    KafkaConnectionManager: {"run", "send", "wait_for"},
    SubscriptionState: {"assignment", "is_paused", "position"},
    TopicPartitionState: {"highwater"},
    Fetcher: {"PartitionRecords", "send_fetches"},
    Fetcher.PartitionRecords: {
        "aborted_producer_ids",
        "bytes_read",
        "drain",
        "isolation_level",
        "leader_epoch",
        "next_fetch_offset",
        "record_iterator",
        "topic_partition",
    },
    ConsumerCoordinator: {
        "heartbeat",
        "need_rejoin",
        "rejoining",
        "request_rejoin",
        "stable",
        "time_to_next_poll",
    },
    Heartbeat: {"last_receive"},
    Sender: {"force_close", "is_alive", "join", "wakeup"},
    TransactionManager: {"begin_commit", "last_error", "send_offsets_to_transaction"},
}


def private_names(path: Path) -> Iterator[str]:
    """Yield the names with one underscore that a module reads or sets of anything but its own objects and `os`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            is_own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls", "os"}
            if not is_own:
                yield node.attr


def own_names(path: Path) -> set[str]:
    """Return the attributes that the classes of a module give themselves."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            found.add(node.attr)
    return found


def names_of(client_class: type) -> set[str]:
    """Return the attributes that objects of a class have: those of the class, and those that its methods set."""
    found = set(dir(client_class))
    for base in client_class.__mro__[:-1]:
        if base.__module__.startswith("kafka."):
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
            targets = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
            found |= {node.attr for node in targets if isinstance(node.value, ast.Name) and node.value.id == "self"}
    return found


def test_the_list_has_every_private_name_that_the_room_reads_and_no_other() -> None:
    read = {name for path in ROOM.glob("*.py") for name in private_names(path)}

    assert read == set().union(*PRIVATE.values())


@pytest.mark.parametrize("client_class", PRIVATE | INTERNAL, ids=lambda client_class: client_class.__qualname__)
def test_the_installed_client_has_every_name(client_class: type) -> None:
    used = PRIVATE.get(client_class, set()) | INTERNAL.get(client_class, set())

    assert used - names_of(client_class) == set()


def test_a_name_that_a_class_does_not_have_is_found_out() -> None:
    assert "_join_task" in names_of(ConsumerCoordinator)
    assert "_join_task" in names_of(BaseCoordinator)
    assert "_no_such_name" not in names_of(ConsumerCoordinator)


def test_no_other_module_that_talks_to_kafka_reads_what_is_private() -> None:
    outside = [path for path in PACKAGE.rglob("*.py") if ROOM not in path.parents and talks_to_kafka(path)]

    assert outside
    assert {str(path): names for path in outside if (names := set(private_names(path)) - own_names(path))} == {}


def talks_to_kafka(path: Path) -> bool:
    return bool(re.search(r"^\s*(from|import) kafka\b|adapters\.kafka", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_the_patches_are_those_of_the_installed_version_which_is_pinned() -> None:
    installed = version("kafka-python")
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (pinned,) = [dependency.partition("]")[2] for dependency in dependencies if dependency.startswith("kafka-python[")]

    assert pinned == f"=={installed}"
    assert f"kafka-python=={installed}" in (ROOT / "constraints.txt").read_text().splitlines()
    assert {path.name: seen_in(path) for path in modules()} == {path.name: [installed] for path in modules()}


def test_every_patch_names_its_defect_and_where_it_is_known() -> None:
    for path in modules():
        page = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert re.search(r"^Defects?\b", page, re.MULTILINE), path.name
        assert "github.com/dpkp/kafka-python/" in page or "no upstream issue found" in page.replace("\n", " "), path.name


def modules() -> list[Path]:
    return sorted(path for path in ROOM.glob("*.py") if path.name != "__init__.py")


def seen_in(path: Path) -> list[str]:
    page = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.findall(r"Seen in kafka-python ([\d.]+\d)", page.replace("\n", " "))
