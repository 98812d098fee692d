"""The loop around the pipeline: what it shows, logs, retries and gathers, and its orderly stop."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from stream_detector.errors import RetriableError
from stream_detector.pipeline.step_report import StepReport
from stream_detector.ports import Polled
from stream_detector.service.metrics import Metrics
from stream_detector.service.reload import Reloader
from stream_detector.service.service import Service, tune_garbage_collector
from stream_detector.service.signals import ReloadFlag, StopFlag
from stream_detector.service.watchdog import Heartbeat
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import DEAD_LETTERS, INPUT, SECOND_MS, START_MS, ReplicaConfig, every_batch_in_flight
from tests.pipeline.world import World


def world_with_readings(count: int) -> World:
    world = World()
    for second in range(count):
        world.produce("pump-1", START_MS + SECOND_MS * second, 0.1 * second, 1.0)
    return world


def lasting(metrics: Metrics | None = None) -> Reloader:
    """Return a reloader without requests, with a budget of half an alarm per sensor and day."""
    rules = replace(ReplicaConfig().rules(), rules_version="lasting", budget_per_sensor_day=0.5)
    return Reloader(ReloadFlag(), rules, lambda: rules, metrics or Metrics())


def run_until_done(replica: Replica, metrics: Metrics) -> Heartbeat:
    """Run a service until everything is read. Its clock advances by more than the gauges' interval at each look."""
    stop, heartbeat = StopFlag(), Heartbeat(0.0)

    def clock() -> float:
        stop.is_set = replica.is_done()
        replica.world.clock.advance(10.0)
        return replica.world.clock()

    Service(replica.pipeline, metrics, heartbeat, clock, DEAD_LETTERS).run(stop, lasting(metrics))
    return heartbeat


def test_the_service_works_until_it_is_asked_to_stop_and_shows_its_state() -> None:
    world, metrics = world_with_readings(10), Metrics()

    heartbeat = run_until_done(Replica(world), metrics)

    assert world.committed() == {0: 10}
    assert heartbeat.is_ready
    assert heartbeat.beat_at == world.clock()
    lines = metrics.exposition().decode().splitlines()
    assert "stream_detector_readings_total 10.0" in lines
    assert "stream_detector_ready 1.0" in lines
    assert "stream_detector_assigned_partitions 1.0" in lines
    assert 'stream_detector_sensors{state="ready"} 1.0' in lines
    assert "stream_detector_store_lag 0.0" in lines
    assert "stream_detector_alarm_budget_per_sensor_day 0.5" in lines
    assert "stream_detector_alarm_budget_per_day 0.5" in lines  # of the one sensor whose window is full
    assert f"stream_detector_sensor_days_total {8 / 86_400!r}" in lines  # a reading a second; the first two fill the window


@pytest.fixture
def _collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("_collector")
def test_the_garbage_collector_skips_existing_objects_and_still_finds_new_garbage() -> None:
    old: list[object] = []
    tune_garbage_collector()
    new: Counter[str] = Counter()
    new.update({"itself": new})  # what only the collector finds
    reference = weakref.ref(new)
    del new
    gc.collect()

    assert not any(one is old for one in gc.get_objects())
    assert reference() is None


def test_a_reload_between_two_batches_changes_the_rules_of_the_second() -> None:
    world, flag, metrics = world_with_readings(3), ReloadFlag(), Metrics()
    replica, stop = Replica(world), StopFlag()
    old, new = (replace(ReplicaConfig().rules(), rules_version=name, margin=-50.0) for name in ("old", "new"))
    replica.detector.use_rules(old)

    def clock() -> float:
        if replica.is_done() and not flag.is_set and world.ends() == {0: 3}:
            flag.is_set = True
            for second in range(3):
                world.produce("pump-2", START_MS + SECOND_MS * second, 0.1 * second, 1.0)
        stop.is_set = replica.is_done()
        return world.clock()

    Service(replica.pipeline, metrics, Heartbeat(0.0), clock, DEAD_LETTERS).run(stop, Reloader(flag, old, lambda: new, metrics))

    assert [(event["sensor_id"], event["rules"]["version"]) for event in world.events()] == [
        ("pump-1", "old"),
        ("pump-2", "new"),
    ]


def test_a_service_warns_when_alarms_are_far_above_the_budget(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    for number in range(5):
        for second in range(3):
            world.produce(f"pump-{number}", START_MS + SECOND_MS * second, 0.1 * second, 1.0)
    replica, stop = Replica(world, every_batch_in_flight(ReplicaConfig(margin=-50.0))), StopFlag()

    def clock() -> float:
        stop.is_set = replica.is_done()
        world.clock.advance(3600.0)
        return world.clock()

    Service(replica.pipeline, Metrics(), Heartbeat(0.0), clock, DEAD_LETTERS).run(stop, lasting())

    (line,) = (line for line in caplog.messages if "budget" in line)
    # Five full windows, one each: five seconds of event time, of 86,400 in a day; half an alarm a day is accepted.
    assert line.startswith("5 incidents in 5.79e-05 sensor-days, but the budget accepts 2.89e-05 false alarms (over the last ")


def test_a_service_logs_rejected_readings_even_if_it_stops_within_the_minute(caplog: pytest.LogCaptureFixture) -> None:
    world, bad = world_with_readings(3), 0
    replica, stop = Replica(world), StopFlag()

    def clock() -> float:
        nonlocal bad
        if replica.is_done() and bad < 3:
            world.log.append(INPUT, 0, b"{broken", key=b"k", timestamp=START_MS)
            bad += 1
        stop.is_set = replica.is_done()
        return 5.0

    Service(replica.pipeline, Metrics(), Heartbeat(0.0), clock, DEAD_LETTERS).run(stop, lasting())

    assert [line.partition(". For example readings partition 0 offset")[0] for line in caplog.messages if "letter" in line] == [
        f"1 dead letter in the last 0 s: 1 not_json; see topic {DEAD_LETTERS}",
        f"2 dead letters in the last 0 s: 2 not_json; see topic {DEAD_LETTERS}",
    ]


def test_a_service_that_is_asked_to_stop_before_it_starts_does_nothing() -> None:
    world, stop = world_with_readings(3), StopFlag()
    stop.is_set = True

    Service(Replica(world).pipeline, Metrics(), Heartbeat(0.0), world.clock, DEAD_LETTERS).run(stop, lasting())

    assert world.committed() == {}


def test_a_failed_poll_is_retried_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    world, stop, waited = World(), StopFlag(), list[float]()
    replica = Replica(world)

    def failing_poll(timeout_seconds: float) -> Polled:
        raise RetriableError(f"no broker within {timeout_seconds} s")

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        stop.is_set = len(waited) == 3

    monkeypatch.setattr(replica.source, "poll", failing_poll)
    Service(replica.pipeline, Metrics(), Heartbeat(0.0), world.clock, DEAD_LETTERS, sleep=sleep).run(stop, lasting())

    assert waited == [0.5, 0.5, 0.5]


def test_readings_are_gathered_after_partial_polls_and_only_if_time_is_left() -> None:
    world, stop, waited = world_with_readings(6), StopFlag(), list[float]()
    replica = Replica(world, ReplicaConfig(overlap_records=3))
    step, polls = replica.pipeline.step, iter([0, 0, 0, 1, 3, 1, 1, 0])  # joined, restored, a few, all it may, a few, none
    seconds_of_a_step = iter([0.0, 0.0, 0.0, 0.125, 0.125, 0.25, 0.5, 0.0])

    def timed_step() -> StepReport:
        replica.source.next_limits.append(next(polls))
        report = step()
        world.clock.advance(next(seconds_of_a_step))
        stop.is_set = world.committed() == {0: 6} and not report.polled
        return report

    replica.pipeline.step = timed_step  # type: ignore[method-assign]
    service = Service(
        replica.pipeline, Metrics(), Heartbeat(0.0), world.clock, DEAD_LETTERS, gather_seconds=0.25, sleep=waited.append
    )
    service.run(stop, lasting())

    assert waited == [0.125, 0.0, 0.0]


def test_a_replica_without_partitions_says_on_its_page_what_it_waits_for_and_for_how_long_at_most() -> None:
    world = World(partitions=1)
    one, two = Replica(world), Replica(world)
    one.run(until=lambda: one.pipeline.is_ready)
    two.step()
    one.run(until=lambda: one.pipeline.is_ready and two.step() is not None and two.pipeline.is_ready)
    (without,) = [replica for replica in (one, two) if not replica.pipeline.assigned]
    stop, heartbeat, looks = StopFlag(), Heartbeat(0.0), iter(range(100))

    def clock() -> float:
        stop.is_set = next(looks) > 5
        return world.clock()

    Service(without.pipeline, Metrics(), heartbeat, clock, DEAD_LETTERS, session_seconds=45.0).run(stop, lasting())

    assert heartbeat.stage == (
        "waiting for the group: a member that was killed keeps its partitions for up to 45 s "
        "(STREAM_DETECTOR_KAFKA__SESSION_TIMEOUT_SECONDS)"
    )
