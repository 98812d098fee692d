"""Decision rules that change while the service runs."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream_detector.detection.budget_resolution import resolve_budget
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.errors import SettingsError
from stream_detector.service.metrics import Metrics
from stream_detector.service.reload import Reloader, reread
from stream_detector.service.signals import ReloadFlag
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import AlertSettings, RedisSettings, RuleSettings, Settings
from stream_detector.settings.sources import load_settings
from tests.examples import examples
from tests.pipeline.replica import Replica
from tests.pipeline.replica_config import MINUTE_MS, SECOND_MS, START_MS, ReplicaConfig
from tests.pipeline.world import World
from tests.service.test_metrics import samples

#: Every full window is anomalous, and none is.
ALWAYS, NEVER = -50.0, 50.0


def rules(version: str, budget: float = 1.0, *, margin: float = ALWAYS) -> DecisionRules:
    return replace(ReplicaConfig().rules(), rules_version=version, budget_per_sensor_day=budget, margin=margin)


BUDGETS = (("few", 0.1), ("many", 5.0))
OLD, NEW = rules("old", 0.1), rules("new", 2.0)


@dataclass(slots=True)
class FakeDecider:
    """Records the rules it gets; a test decides whether it is settled."""

    is_settled: bool = True
    used: list[str] = field(default_factory=list)

    def settle(self) -> bool:
        """See reload.Decider."""
        return self.is_settled

    def use_rules(self, rules: DecisionRules) -> None:
        """See reload.Decider."""
        self.used.append(rules.rules_version)


def reloader(*found: DecisionRules | SettingsError) -> tuple[Reloader, ReloadFlag, Metrics]:
    """Return a reloader that starts with OLD and reads these, one after the other."""
    remaining, flag, metrics = list(found), ReloadFlag(), Metrics()

    def reread() -> DecisionRules:
        one = remaining.pop(0)
        if isinstance(one, SettingsError):
            raise one
        return one

    return Reloader(flag, OLD, reread, metrics), flag, metrics


def shown(metrics: Metrics, *names: str) -> dict[tuple[str, str], float]:
    found = {(name, "".join(labels)): value for (name, labels), value in samples(metrics).items()}
    return {key: value for key, value in found.items() if key[0] in names}


def test_without_a_signal_nothing_is_read() -> None:
    reload, _, metrics = reloader()
    decider = FakeDecider()

    reload.between_batches(decider)

    assert decider.used == []
    assert reload.rules is OLD
    assert shown(metrics, "rules", "alarm_budget_per_sensor_day") == {
        ("rules", "old"): 1,
        ("alarm_budget_per_sensor_day", ""): 0.1,
    }


def test_one_signal_reads_the_settings_once_and_puts_the_new_rules_in_force(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    reload, flag, metrics = reloader(NEW)
    decider = FakeDecider()

    flag.is_set = True
    reload.between_batches(decider)
    reload.between_batches(decider)

    assert decider.used == ["new"]
    assert reload.rules is NEW
    assert shown(metrics, "rules", "alarm_budget_per_sensor_day", "reloads_total") == {
        ("rules", "new"): 1,
        ("alarm_budget_per_sensor_day", ""): 2.0,
        ("reloads_total", "ok"): 1,
        ("reloads_total", "failed"): 0,
    }
    assert caplog.messages == [
        "rules new: budget 2 false alarms per sensor and day, updates every 3 s, closed after 2 s without "
        "anomalies, accepted as normal after 3600 s; previously: old"
    ]


def test_whether_the_budget_is_resolved_is_logged_when_that_changes_and_shown_all_the_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    # Of 6,048 readings, one a minute: 4.2 days.
    few, many = (replace(rules(name, budget), resolution=resolve_budget(budget, 6_048, 1, 60.0)) for name, budget in BUDGETS)
    slower = replace(many, rules_version="slower", update_ms=many.update_ms + 1)
    reload, flag, metrics = reloader(few, many, slower)
    names = ("alarm_budget_resolved", "alarm_budget_smallest_resolved_per_sensor_day")
    assert all(math.isnan(value) for value in shown(metrics, *names).values())  # OLD has no model
    told = []

    for _ in range(3):
        caplog.clear()
        flag.is_set = True
        reload.between_batches(FakeDecider())
        is_resolved, smallest = (shown(metrics, name)[name, ""] for name in names)
        assert smallest == 3.0
        told.append(([(one.levelname, one.message.partition(":")[0]) for one in caplog.records[1:]], is_resolved))

    assert told == [
        ([("INFO", "The alarm limit for 0.1 false alarms per sensor and day (one in 10 days) is an estimate")], 0.0),
        ([("INFO", "The alarm limit for 5 false alarms per sensor and day is checked")], 1.0),
        ([], 1.0),
    ]


def test_wrong_settings_are_logged_in_one_line_and_leave_the_rules(caplog: pytest.LogCaptureFixture) -> None:
    reload, flag, metrics = reloader(SettingsError("ONE: not a number\nTWO: there is no such setting"))
    decider = FakeDecider()

    flag.is_set = True
    reload.between_batches(decider)

    assert (decider.used, reload.rules) == ([], OLD)
    assert shown(metrics, "rules", "reloads_total") == {
        ("rules", "old"): 1,
        ("reloads_total", "ok"): 0,
        ("reloads_total", "failed"): 1,
    }
    assert caplog.messages == ["reload failed, rules old stay in force: ONE: not a number; TWO: there is no such setting"]


def test_rules_wait_until_nothing_is_left_to_replay(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reload, flag, metrics = reloader(NEW)
    decider = FakeDecider(is_settled=False)

    flag.is_set = True
    for _ in range(3):
        reload.between_batches(decider)
    assert (decider.used, reload.rules) == ([], OLD)
    assert caplog.messages == ["rules new wait until all partitions are restored and stored"]
    decider.is_settled = True
    reload.between_batches(decider)

    assert (decider.used, reload.rules) == (["new"], NEW)
    assert shown(metrics, "rules") == {("rules", "new"): 1}


def test_waiting_rules_are_replaced_by_a_later_reload_and_survive_a_failed_one() -> None:
    reload, flag, _ = reloader(rules("first"), NEW, SettingsError("broken"))
    decider = FakeDecider(is_settled=False)

    for _ in range(3):
        flag.is_set = True
        reload.between_batches(decider)
    decider.is_settled = True
    reload.between_batches(decider)

    assert decider.used == ["new"]


def test_a_change_that_is_reverted_while_it_waits_never_happens() -> None:
    reload, flag, _ = reloader(NEW, OLD)
    decider = FakeDecider(is_settled=False)

    for _ in range(2):
        flag.is_set = True
        reload.between_batches(decider)
    decider.is_settled = True
    reload.between_batches(decider)

    assert decider.used == []


# -- what a reload may change


def test_only_alerts_and_rules_change_and_the_rest_is_named_but_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    running = Settings(redis=RedisSettings(url="redis://:old-secret@a:6379"), kafka=KafkaSettings(group_id="a"))
    found = Settings(
        redis=RedisSettings(url="redis://:new-secret@a:6379"),
        kafka=KafkaSettings(group_id="b"),
        alerts=AlertSettings(budget_per_sensor_day=3.0),
        rules=RuleSettings(frozen=False, limits={"a": (None, 7.0)}, silent_seconds=10.0),
    )

    alerts, of_rules = reread(running, lambda: found)

    assert alerts == AlertSettings(budget_per_sensor_day=3.0)
    assert of_rules == RuleSettings(frozen=False, limits={"a": (None, 7.0)})
    assert caplog.messages == [
        "changed, but takes effect only after a restart: STREAM_DETECTOR_KAFKA__GROUP_ID, STREAM_DETECTOR_REDIS__URL, "
        "STREAM_DETECTOR_RULES__SILENT_SECONDS"
    ]


def test_a_broken_file_is_named_with_the_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    toml = tmp_path / "detector.toml"
    toml.write_text("[alerts]\nbudget_per_sensor_day = 0,5\n")
    running, flag = Settings(), ReloadFlag()

    def reread_rules() -> DecisionRules:
        reread(running, lambda: load_settings(toml))
        return NEW

    flag.is_set = True
    Reloader(flag, OLD, reread_rules, Metrics()).between_batches(FakeDecider())

    (line,) = caplog.messages
    assert line.startswith(f"reload failed, rules old stay in force: settings file {toml} cannot be read: ")
    assert "line 2" in line


def test_a_wrong_alert_setting_is_named(tmp_path: Path) -> None:
    toml = tmp_path / "detector.toml"
    toml.write_text("[alerts]\nbudget_per_sensor_day = 0\n")

    with pytest.raises(SettingsError, match=rf"^{toml} \[alerts\] budget_per_sensor_day: should be greater"):
        reread(Settings(), lambda: load_settings(toml))


# -- in the stream


def opened_by(events: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(event["sensor_id"], event["rules"]) for event in events if event["status"] == "opened"]


def produce(world: World, sensor: str, minute: int) -> None:
    """Append three readings that fill a window, long enough after the previous ones to close all incidents."""
    for second in range(3):
        world.produce(sensor, START_MS + minute * MINUTE_MS + second * SECOND_MS, float(second), 1.0)


def test_new_rules_decide_from_the_next_batch_on_and_are_named_in_its_events() -> None:
    world = World()
    replica = Replica(world, ReplicaConfig(margin=ALWAYS))
    replica.detector.use_rules(OLD)
    produce(world, "first", 0)
    replica.run()

    replica.pipeline.use_rules(NEW)
    produce(world, "second", 1)
    replica.run()
    replica.pipeline.use_rules(rules("deaf", margin=NEVER))
    produce(world, "third", 2)
    replica.run()

    assert opened_by(world.events()) == [
        ("first", {"version": "old", "budget_per_sensor_day": 0.1, "budget_resolved": None}),
        ("second", {"version": "new", "budget_per_sensor_day": 2.0, "budget_resolved": None}),
    ]


def test_an_open_incident_continues_under_new_rules() -> None:
    world = World()
    replica = Replica(world)
    replica.detector.use_rules(OLD)
    produce(world, "pump", 0)
    replica.run()

    replica.pipeline.use_rules(rules("deaf", margin=NEVER))
    produce(world, "pump", 1)
    replica.run()

    opened, closed = world.events()
    assert (opened["status"], closed["status"]) == ("opened", "closed")
    assert opened["incident_id"] == closed["incident_id"]
    assert closed["rules"]["version"] == "deaf"


def test_a_pipeline_is_settled_when_nothing_that_was_decided_could_be_replayed() -> None:
    world = World()
    replica = Replica(world)
    produce(world, "pump", 0)
    replica.run()
    assert replica.pipeline.settle()

    world.store.unavailable = True
    produce(world, "pump", 1)
    replica.run(until=lambda: world.committed() == world.ends())
    assert not replica.pipeline.settle()
    world.store.unavailable = False
    heir = replica.crash()
    settled = []

    def is_done() -> bool:
        settled.append(heir.pipeline.settle())
        return heir.is_done()

    heir.run(until=is_done)

    assert (settled[0], settled[-1]) == (False, True)  # the readings that the store lacks are replayed between the two


# -- whatever fails, short of the process

LEVELS = {
    "all": rules("all", margin=ALWAYS),
    "usual": rules("usual", margin=ReplicaConfig().margin),
    "none": rules("none", margin=NEVER),
}
STEPS = st.lists(
    st.one_of(
        st.integers(0, 20),  # a poll of so many records
        st.sampled_from(["before", "after", "rebalance", "store down", "store up", *LEVELS]),
    ),
    min_size=5,
    max_size=40,
)


def busy_log() -> World:
    """Return the readings of two sensors, one a second; the score of each is a checksum of its window."""
    world, random = World(), np.random.default_rng(3)
    for second in range(80):
        for sensor in ("pump-1", "pump-2"):
            world.produce(sensor, START_MS + second * SECOND_MS, *random.normal(size=2).tolist())
    return world


def take(step: int | str, replica: Replica, files: list[str], flag: ReloadFlag) -> None:
    """Carry out one step of the script."""
    match step:
        case int():
            replica.step(step)
        case "before" | "after":
            replica.sink.fail_next_commit("before" if step == "before" else "after")
        case "rebalance":
            replica.rebalance()
        case "store down" | "store up":
            replica.world.store.unavailable = step == "store down"
        case _:
            files.append(step)
            flag.is_set = True


@given(STEPS)
@example(["all", 20, "after", 20, "none", 20, 20, "all", 20, 20])  # an answer is lost, and new rules come while it is replayed
@example(["all", 0, 20, 20, "store down", 20, "none", "rebalance", 20, "store up", 0, 0, 20, "all", 20])
@settings(max_examples=examples(60), deadline=None, derandomize=True)
def test_reloads_at_any_time_leave_every_incident_consistent(steps: list[int | str]) -> None:
    """Each opens once and first, and closes at most once; incidents of a sensor do not overlap; event IDs are unique."""
    world, files, flag = busy_log(), ["usual"], ReloadFlag()
    replica = Replica(world)
    replica.detector.use_rules(LEVELS["usual"])
    reload = Reloader(flag, LEVELS["usual"], lambda: LEVELS[files[-1]], Metrics())

    for step in steps:
        take(step, replica, files, flag)
        reload.between_batches(replica.pipeline)
    world.store.unavailable = False
    while not replica.is_done() or reload.rules.rules_version != files[-1]:
        replica.step()
        reload.between_batches(replica.pipeline)

    events = world.events()
    assert len({event["event_id"] for event in events}) == len(events)
    for sensor in ("pump-1", "pump-2"):
        open_incident = None
        for event in (event for event in events if event["sensor_id"] == sensor):
            assert (event["status"] == "opened") == (open_incident is None)
            assert open_incident in (None, event["incident_id"])
            open_incident = None if event["status"] == "closed" else event["incident_id"]
