"""A machine that is idle: it is not judged, opens nothing, is not silent, and no window holds readings of before and after."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.detection.detected import Detected
from stream_detector.detection.detector import Detector
from stream_detector.detection.events import Event, read_event
from stream_detector.pipeline.sensor_loader import decode_stored
from stream_detector.readings import Readings
from stream_detector.state.codec.encode import encode
from tests.examples import examples
from tests.fakes.scorer import ChecksumScorer
from tests.integration.plants import RULES
from tests.pipeline.replica_config import MODEL, SECOND_MS, START_MS, ReplicaConfig

#: Windows have 3 readings of two features; the machine runs while b is 1.
RUNNING = replace(MODEL, only_while="b == 1")
ALWAYS = ReplicaConfig(model=RUNNING, margin=-50.0, accept_ms=60_000 * SECOND_MS)
NAN = float("nan")
#: The flag in each reading of one sensor. 1: the machine runs. 0: it stands still. None: the reading does not say.
Flags = Sequence[int | None]


def batch(flags: Flags, first: int = 0, *, every_s: int = 1, value: float | None = None) -> Readings:
    """Return readings of sensor a; the first feature is the offset, or always `value`."""
    count = len(flags)
    at = np.arange(first, first + count, dtype=np.int64)
    a = at.astype(np.float32) if value is None else np.full(count, value)
    b = [NAN if flag is None else flag for flag in flags]
    return Readings(["a"] * count, np.zeros(count, np.int32), at, START_MS + at * every_s * SECOND_MS, np.column_stack([a, b]))


def admitted(plant: ReplicaConfig, scorer: ChecksumScorer | None = None) -> Detector:
    detector = plant.detector(scorer)
    detector.arena.make_room(1)
    detector.admit_new(0, ["a"])
    return detector


def told(detector: Detector, readings: Readings) -> tuple[Detected, list[Event]]:
    detected = detector.detect(readings)
    return detected, [read_event(one.value or b"") for one in detector.alerts(readings, detected, "in", "out")]


def test_idle_readings_have_no_score_and_windows_begin_after_them() -> None:
    scorer = ChecksumScorer()
    detected, _ = told(admitted(ALWAYS, scorer), batch([1, 1, 1, 1, 0, 0, 1, 1, 1, 1]))

    assert [window[:, 0].tolist() for window in scorer.windows_seen] == [[0, 1, 2], [1, 2, 3], [6, 7, 8], [7, 8, 9]]
    assert detected.decisions is not None
    assert np.flatnonzero(~np.isnan(detected.decisions.scores)).tolist() == [2, 3, 8, 9]


def test_few_readings_of_a_known_sensor_are_scored_after_a_stop_and_idle_ones_are_not() -> None:
    detected, _ = told(admitted(replace(ALWAYS, scores_partial=True)), batch([1, 0, 0, 1, 1]))

    assert detected.decisions is not None
    assert np.flatnonzero(~np.isnan(detected.decisions.scores)).tolist() == [0, 3, 4]


def test_an_open_incident_closes_when_the_machine_stops() -> None:
    _, events = told(admitted(ALWAYS), batch([1, 1, 1, 0, 0, 1, 1, 1]))

    shown = [(one.status, one.window.last_offset, one.incident.reason, one.sensor_state) for one in events]
    assert shown == [("opened", 2, "", "ready"), ("closed", 3, "idle", "idle"), ("opened", 7, "", "ready")]
    assert events[1].incident_id == events[0].incident_id
    assert (events[1].window.end, events[1].window.length) == ("2023-11-14T22:13:23.000Z", 1)


def test_a_machine_that_stands_still_is_neither_frozen_nor_out_of_range_nor_without_a_value() -> None:
    plant = replace(RULES, model=RUNNING, margin=50.0)

    _, events = told(admitted(plant), batch([1, 1, 1, *[0] * 40], value=0.5))  # 6 repeats would be frozen
    assert events == []
    detector = admitted(plant)
    _, events = told(detector, batch([1, *[0] * 9, 1, 1, 1, 1], value=0.9))  # out of range while it runs
    assert [(one.type, one.status, one.window.last_offset) for one in events] == [
        ("out_of_range", "opened", 0),
        ("out_of_range", "closed", 1),
        ("out_of_range", "opened", 10),
    ]
    assert events[1].what == "The machine is idle: it is outside of the state that the model learned in"


def test_values_that_repeat_from_before_a_stop_to_after_it_are_counted_from_its_end() -> None:
    plant = replace(RULES, model=RUNNING, margin=50.0)

    _, events = told(admitted(plant), batch([1] * 5 + [0] * 5 + [1] * 8, value=0.5))

    assert [(one.type, one.window.last_offset) for one in events] == [("frozen", 16)]  # 10 is the first, 16 the sixth repeat


def test_an_idle_machine_is_not_silent_and_one_that_says_nothing_is() -> None:
    plant = replace(ALWAYS, silent_s=10, margin=50.0)
    detector = admitted(plant)

    assert told(detector, batch([1, 1, 1, *[0] * 60]))[1] == []
    assert detector.silences.due_in_memory(0, detector.silences.of(0).clock.second + 5) == []
    (silent,) = detector.silences.due_in_memory(0, detector.silences.of(0).clock.second + 20)
    assert silent.sensor_id == "a"


def test_nothing_is_learned_of_an_unknown_machine_while_it_is_idle() -> None:
    plant = replace(ALWAYS, known=())
    stopped, running = admitted(plant), admitted(plant)

    stopped.detect(batch([1, 1, *[0] * 20, 1, 1]))
    running.detect(batch([1, 1]))
    running.detect(batch([1, 1], first=22))

    slot = stopped.arena.held(0)
    assert stopped.arena.records["moments"][slot].tobytes() == running.arena.records["moments"][slot].tobytes()


def test_a_model_with_a_condition_takes_over_from_one_without() -> None:
    before = admitted(replace(ALWAYS, model=MODEL))
    before.detect(batch([0, 1, 1]))
    scorer = ChecksumScorer()
    after = replace(ALWAYS, model_tag=2).detector(scorer)
    after.arena.make_room(1)
    after.admit(0, ["a"], before.arena.copy_records(before.arena.held(0)), np.ones(1, np.bool_))

    after.detect(batch([1], first=3))

    assert [window[:, 0].tolist() for window in scorer.windows_seen] == [[1, 2, 3]]


@settings(deadline=None, max_examples=examples(80))
@given(
    flags=st.lists(st.sampled_from([0, 1, 1, 1, None]), min_size=1, max_size=50),
    margin=st.sampled_from([-0.1, 0.1, 0.25]),
    is_known=st.booleans(),
    data=st.data(),
)
def test_any_cut_and_any_eviction_gives_equal_records_and_events(
    flags: Flags, margin: float, is_known: bool, data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(flags)), max_size=6).map(sorted))
    plant = replace(RULES, model=RUNNING, margin=margin, accept_ms=8 * SECOND_MS, scores_partial=True)
    plant = plant if is_known else replace(plant, known=())
    outcomes = []
    for bounds in ([0, *cuts, len(flags)], list(range(len(flags) + 1)), [0, len(flags)]):
        detector, events = admitted(plant), list[tuple[str, str]]()
        for first, stop in itertools.pairwise(bounds):
            _, found = told(detector, batch(flags[first:stop], first))
            events += [(one.event_id, one.incident.reason) for one in found]
            (stored,) = encode(detector.arena.copy_records(detector.arena.held(0)))
            if len(bounds) > 2:
                detector = plant.detector()
                detector.arena.make_room(1)
                detector.admit(0, ["a"], *decode_stored(detector, [stored]))
        outcomes.append((events, stored))

    assert outcomes[0] == outcomes[1] == outcomes[2]


@settings(deadline=None, max_examples=examples(80))
@given(flags=st.lists(st.sampled_from([0, 1, 1, 1, None]), min_size=1, max_size=60), is_partial=st.booleans())
def test_no_idle_reading_is_scored_or_in_a_window_and_none_opens_anything(flags: Flags, is_partial: bool) -> None:
    scorer = ChecksumScorer()
    plant = replace(ALWAYS, scores_partial=is_partial)
    detected, events = told(admitted(plant, scorer), batch(flags))
    known = [[flag for flag in flags[: at + 1] if flag is not None] for at in range(len(flags))]
    idle = [before[-1:] != [1] for before in known]

    assert detected.appended.is_idle.tolist() == idle
    assert detected.decisions is not None
    scored = ~np.isnan(detected.decisions.scores)
    assert not scored[np.array(idle)].any()
    for window in scorer.windows_seen:
        rows = window[~np.isnan(window[:, 0]), 0].astype(int)
        assert not any(idle[row] for row in rows)
        assert (np.diff(rows) == 1).all()
    assert not any(idle[one.window.last_offset] for one in events if one.status != "closed")
