"""The design's main property: whatever the batches and whatever fails, the alerts are those of a quiet run.

A quiet run polls one record at a time, and nothing fails. A script of steps, drawn by Hypothesis, cuts the same log into
polls of any size and lets processes, commits and the store fail at any point. Then each sensor's events must be the same
bytes in the same order, and each sensor's stored record must be the same.
"""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_detector.detection.events import event_time_ms
from stream_detector.detection.governor import LEAST
from stream_detector.pipeline.config import CommitPolicy
from stream_detector.pipeline.state_snapshot import WHOLE_BYTES
from stream_detector.state.record_layout import record_dtype
from tests.examples import examples
from tests.fakes.scorer import checksum_error
from tests.pipeline.replica_config import (
    INPUT,
    MINUTE_MS,
    MODEL,
    ReplicaConfig,
)
from tests.pipeline.script import (
    BROKEN,
    SHAPE,
    AnswersLost,
    Arrive,
    CommitFails,
    Crash,
    Evict,
    Pace,
    Poll,
    Rebalance,
    RememberStore,
    Script,
    Stage,
    Step,
    StoreDown,
    StoreFallsBack,
    StoreUp,
    WipeStore,
    outcome,
    quiet_run,
)
from tests.pipeline.world import World


def test_quiet_runs_have_events_of_windows_that_are_not_full() -> None:
    """Otherwise the properties below would prove little of these."""
    runs = [quiet_run(Script(seed, records=90, partitions=1, stride=1, scores_partial=True)) for seed in range(10)]
    events = [json.loads(value) for run in runs for values in run.alerts.values() for value in values]
    of_few_rows = [one for one in events if one["type"] == "anomaly" and one["window"]["length"] < MODEL.window_length]

    assert {one["status"] for one in of_few_rows if one["score"] is not None} >= {"opened", "updated"}
    assert {one["sensor_state"] for one in of_few_rows if one["score"] is not None} == {"warming"}


def test_quiet_runs_have_all_that_can_happen_to_a_sensor() -> None:
    """Otherwise the properties below would prove little."""
    runs = [quiet_run(Script(seed, records=90, partitions=1, stride=1)) for seed in range(10)]
    events = [json.loads(value) for run in runs for values in run.alerts.values() for value in values]
    stored = [np.frombuffer(record, record_dtype(*SHAPE))[0] for run in runs for record in run.stored if record]

    assert {event["status"] for event in events} == {"opened", "updated", "closed"}
    assert {event["incident"]["accepted"] for event in events} == {False, True}
    assert {event["type"] for event in events} >= {"anomaly", "silent", "missing_feature", "out_of_range", "flapping"}
    closed_by_silence = {event["type"] for event in events if event["incident"]["reason"] == "silent"}
    assert closed_by_silence >= {"anomaly", "missing_feature", "out_of_range", "flapping"}
    assert {event["incident"]["reason"] for event in events} >= {"quiet", "accepted", "silent", "returned"}
    assert {event["sensor_state"] for event in events} == {"warming", "provisional", "ready", "silent"}
    counts = np.array([record["moments"]["count"] for record in stored])
    assert (counts == 0).all(axis=1).any()  # known to the model
    assert (counts == ReplicaConfig().learned_count).any()  # learned, and standing still
    assert ((counts > 0) & (counts < ReplicaConfig().learned_count)).any()
    assert any(record["header"]["accepted"] > 0 for record in stored)
    factors = [event["margin_factor"] for event in events if event["margin_factor"] is not None]
    assert min(factors) < LEAST < 1.0 < max(factors)  # below the governor's least: where surprise has lasted
    assert {np.sign(record["header"]["balance"]) for record in stored} >= {-1.0, 1.0}


def test_quiet_runs_assemble_readings_of_all_kinds() -> None:
    runs = [quiet_run(Script(seed, records=90, partitions=1, stride=1, assembles=True)) for seed in range(10)]
    events = [json.loads(value) for run in runs for values in run.alerts.values() for value in values]
    states = [np.frombuffer(one, record_dtype(*SHAPE, assembles=True))[0] for run in runs for one in run.stored if one]

    assert {event["type"] for event in events} >= {"anomaly", "silent", "missing_feature", "out_of_range"}
    assert {event["status"] for event in events} == {"opened", "updated", "closed"}
    assert any("b is gone, and bb came first at 20" in event["what"] for event in events)
    assert any((state["assembly"]["values"] >= 0).all() for state in states)
    assert any(np.isnan(state["assembly"]["values"]).any() for state in states)


def test_quiet_runs_have_all_that_happens_to_nodes() -> None:
    for assembles in (False, True):
        scripts = [Script(seed, 90, partitions=1, stride=1, assembles=assembles, is_sparkplug=True) for seed in range(10)]
        runs = [quiet_run(script) for script in scripts]
        events = [json.loads(value) for run in runs for values in run.alerts.values() for value in values]
        reasons = {letter[1] for run in runs for letter in run.dead_letters}

        assert {event["type"] for event in events} >= {"anomaly", "silent", "missing_feature", "out_of_range"}
        assert {event["status"] for event in events} == {"opened", "updated", "closed"}
        assert reasons == {b"alias_unknown"}
        said = {event["what"] for event in events if event["type"] == "silent" and event["status"] == "opened"}
        assert {"DEATH)" in what for what in said} == {False, True}
        assert {what[-8:] for what in said} >= {"(NDEATH)", "(DDEATH)"}


_replica = st.integers(0, 1)
_polls = st.builds(Poll, _replica, st.integers(1, 40))
_failures = st.one_of(
    st.builds(Crash, _replica),
    st.builds(CommitFails, _replica, st.sampled_from(["before", "after"])),
    st.builds(Rebalance, _replica),
    st.builds(Evict, _replica),
    st.builds(StoreDown, st.integers(0, 3)),
    st.builds(StoreUp),
    st.builds(AnswersLost, st.integers(1, 2)),
    st.builds(Arrive),
    st.builds(RememberStore),
    st.builds(StoreFallsBack),
)
_lossless_failures = st.one_of(
    st.builds(StoreDown, st.integers(0, 3)),
    st.builds(StoreUp),
    st.builds(AnswersLost, st.integers(1, 2)),
    st.builds(Arrive),
)
_paces = st.builds(
    Pace,
    overlap_records=st.sampled_from([0, 5, 1000]),
    commits=st.builds(CommitPolicy, seconds=st.sampled_from([0.0, 0.5, 2.5, 1000.0]), records=st.sampled_from([5, 1000])),
    stores_late=st.booleans(),
    whole_bytes=st.sampled_from([0, WHOLE_BYTES]),
)
_scripts = st.builds(
    Script,
    seed=st.integers(0, 9),
    records=st.sampled_from([8, 30, 90]),
    partitions=st.integers(1, 3),
    stride=st.sampled_from([1, 1, 3]),
    scores_partial=st.booleans(),
    assembles=st.booleans(),
    is_sparkplug=st.sampled_from([False, False, True]),
)


@settings(max_examples=examples(80), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    script=_scripts,
    pace=_paces,
    steps=st.lists(st.one_of(_polls, _polls, _failures), max_size=40),
    max_sensors=st.sampled_from([1000, 3]),
    replicas=st.integers(1, 2),
)
def test_whatever_fails_the_events_are_those_of_a_quiet_run(
    script: Script, pace: Pace, steps: list[Step], max_sensors: int, replicas: int
) -> None:
    stage = Stage(script, pace, max_sensors, replicas)

    for step in steps:
        stage.play(step)
    stage.finish()

    assert outcome(stage.world, script) == quiet_run(script)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    script=_scripts,
    pace=_paces,
    steps=st.lists(st.one_of(_polls, _polls, _lossless_failures, st.builds(WipeStore)), max_size=40),
)
def test_a_store_that_loses_everything_while_the_sensors_are_in_memory_changes_no_event(
    script: Script, pace: Pace, steps: list[Step]
) -> None:
    stage = Stage(script, pace, max_sensors=1000, replicas=1)
    stage.run_until_restored()

    for step in steps:
        stage.play(step)
    stage.finish()

    assert outcome(stage.world, script).alerts == quiet_run(script).alerts


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    script=_scripts.filter(lambda script: not (script.assembles or script.is_sparkplug)),
    pace=_paces,
    steps=st.lists(st.one_of(_polls, _polls, _failures, st.builds(WipeStore)), max_size=40),
    max_sensors=st.sampled_from([1000, 3]),
    replicas=st.integers(1, 2),
)
def test_whatever_is_lost_no_event_comes_from_a_wrong_window(
    script: Script, pace: Pace, steps: list[Step], max_sensors: int, replicas: int
) -> None:
    """If the store loses everything while a process dies, levels and incidents are lost; windows stay right."""
    stage = Stage(script, pace, max_sensors, replicas)

    for step in steps:
        stage.play(step)
    stage.finish()

    events = stage.world.events()
    assert len({event["event_id"] for event in events}) == len(events)
    for event in events:
        if event["score"] is not None:
            window = event["window"]
            expected = {feature["name"]: feature["expected"] for feature in event["features"]}
            firsts = offsets_at(stage.world, event["sensor_id"], window["partition"], window["start"])
            windows = [
                window_rows(stage.world, event["sensor_id"], window["partition"], first, window["last_offset"])
                for first in firsts
            ]
            checksums = [checksum_error(as_scored(rows)) for rows in windows if len(rows) == window["length"]]
            assert any(expected["a"] == pytest.approx(checksum, rel=1e-5) for checksum in checksums)


def as_scored(rows: list[list[float]]) -> list[list[float]]:
    """Return a window's rows, after rows without values for those that it does not have yet."""
    return [[math.nan] * len(MODEL.features)] * (MODEL.window_length - len(rows)) + rows


def offsets_at(world: World, sensor: str, partition: int, time: str) -> list[int]:
    """Return the offsets of a sensor's readings at about an event time; of two, the later is dropped if the first was seen.

    A window's start is known to within a 1024th of the longest step between its rows.
    """
    start_ms = event_time_ms(time)
    return [
        record.offset
        for record in world.log.records(INPUT, partition)
        if record.key == sensor.encode()
        and record.value != BROKEN
        and abs(json.loads(record.value or b"")["timestamp"] - start_ms) <= MINUTE_MS / 1024
    ]


def window_rows(world: World, sensor: str, partition: int, first: int, last: int) -> list[list[float]]:
    """Return a sensor's rows between two offsets by the rules of the input: readings that are not newer are dropped."""
    rows: list[list[float]] = []
    newest_ms = -1
    for record in world.log.records(INPUT, partition):
        if record.key != sensor.encode() or not first <= record.offset <= last or record.value == BROKEN:
            continue
        fields = json.loads(record.value or b"")
        if fields["timestamp"] > newest_ms:
            assert newest_ms < 0 or fields["timestamp"] - newest_ms <= MINUTE_MS
            newest_ms = fields["timestamp"]
            rows.append([math.nan if number is None else number for number in fields["values"].values()])
    return rows
