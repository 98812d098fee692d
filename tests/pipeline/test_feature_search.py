"""What windows hold while there is no model: found on the fakes of topic and store."""

from __future__ import annotations

import json

import pytest

from stream_detector.ingest.input_reader import InputReader
from stream_detector.pipeline.feature_search import WINDOW_LENGTH, find_shape
from stream_detector.ports import PartitionMeta
from stream_detector.state.record_layout import LAYOUT_VERSION, WindowShape, layout_name, shape_of_layout
from stream_detector.values import NO_MISSING_VALUES, MissingValues
from tests.fakes.memory_source import MemorySource
from tests.pipeline.replica_config import GROUP, INPUT
from tests.pipeline.world import World


def found(
    world: World, *, missing: MissingValues = NO_MISSING_VALUES, given: tuple[str, ...] = (), also: tuple[str, ...] = ()
) -> WindowShape | None:
    return find_shape(MemorySource(world.log, INPUT, GROUP), world.store, missing, InputReader(), given=given, also=also)


def send(world: World, partition: int = 0, **values: object) -> None:
    content = json.dumps({"sensor_id": "pump-1", "values": values}).encode()
    world.log.append(INPUT, partition, content, timestamp=1_700_000_000_000)


def store_layout(world: World, layout: str) -> None:
    world.store.begin(1, PartitionMeta(5, b"12345678", layout, "topic"))


def test_the_features_are_those_of_which_any_sensor_sent_a_number() -> None:
    world = World(partitions=3)
    send(world, 0, temperature=61.5, state="running", flow=None)
    send(world, 2, speed="1480", is_open=True, valve="Stale")
    world.log.append(INPUT, 1, b"no reading")
    world.log.append(INPUT, 1, None)

    assert found(world) == WindowShape(("is_open", "speed", "temperature"), WINDOW_LENGTH)
    assert found(world, also=("flow",)) == WindowShape(("flow", "is_open", "speed", "temperature"), WINDOW_LENGTH)


def test_what_a_setting_names_comes_first_and_in_its_order() -> None:
    world = World()
    send(world, temperature=61.5)

    assert found(world, given=("flow", "speed")) == WindowShape(("flow", "speed"), WINDOW_LENGTH)


def test_without_a_reading_nothing_is_known() -> None:
    world = World()
    world.log.append(INPUT, 0, b"no reading")

    assert found(world, also=("temperature",)) is None


def test_stored_windows_go_on_and_new_features_come_after_theirs() -> None:
    world = World(partitions=2)
    store_layout(world, layout_name(8, ("temperature", "flow"), 3, ("flow",)))
    send(world, flow=1.0)

    assert found(world) == WindowShape(("temperature", "flow"), 8, ("flow",))
    send(world, angle=1.0)
    assert found(world) == WindowShape(("temperature", "flow", "angle"), 8, ("flow",))


def test_windows_of_another_layout_and_a_store_that_is_away_are_passed_over() -> None:
    world = World(partitions=2)
    store_layout(world, "1:8:8:temperature")
    send(world, flow=1.0)

    assert found(world) == WindowShape(("flow",), WINDOW_LENGTH)
    store_layout(world, layout_name(8, ("flow", "speed"), 1))
    world.store.unavailable = True
    assert found(world) == WindowShape(("flow",), WINDOW_LENGTH)
    world.store.unavailable = False
    assert found(world) == WindowShape(("flow", "speed"), 8)


@pytest.mark.parametrize("counters", [(), ("b",), ("a", "b")])
def test_the_name_of_a_layout_tells_what_windows_hold(counters: tuple[str, ...]) -> None:
    shape = WindowShape(("a", "b", "c d"), 64, counters)

    assert shape_of_layout(layout_name(64, shape.features, 7, counters)) == shape


@pytest.mark.parametrize("name", ["", "{0}", "{0}:x:8:a", "1:8:8:a", "{0}:8:8:"])
def test_other_names_tell_nothing(name: str) -> None:
    assert shape_of_layout(name.format(LAYOUT_VERSION)) is None
