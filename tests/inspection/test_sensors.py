"""The states of sensors, from records made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_detector.detection.silence import PartitionSilence
from stream_detector.inspection.judge import Judge
from stream_detector.inspection.sensors import FILLING, IN_INCIDENT, LEARNING, READY, SILENT, Judged, SensorStatus, sensors_of
from stream_detector.inspection.stored import Bounds, Note, look_through, metas_of, stored_names
from stream_detector.ports import PartitionMeta, Updates
from stream_detector.state.bucket_state import Assembly
from stream_detector.state.partition_clock import FIRST_ACTIVE_MS, PartitionClock
from stream_detector.state.record_layout import Records, layout_name, new_records
from tests.fakes.memory_store import MemoryStore
from tests.fakes.scorer import ChecksumScorer
from tests.inspection.records import EPOCH, LAYOUT, SILENCES, detector, judge, model, readings, record, store_with, stored
from tests.pipeline.replica_config import MODEL, START_MS, ReplicaConfig

CONFIG = ReplicaConfig()
MODEL_TAG = CONFIG.model_tag
HEARD_S = FIRST_ACTIVE_MS // 1000 + 100


def one(records: Records, sensor: str = "a", silence: PartitionSilence | None = None) -> SensorStatus:
    of = judge(model(CONFIG), SILENCES)
    (found,), unreadable = sensors_of(0, stored({sensor: records}), of, [silence] if silence else [])
    assert unreadable == 0
    return found


def known(**fields: object) -> Records:
    return record(model=MODEL_TAG, level_count=50.0, **fields)


def test_a_known_sensor_with_a_full_window_is_ready() -> None:
    found = one(known())

    assert (found.state, found.is_known, found.last_ms) == (READY, True, START_MS)


def test_a_window_with_room_is_filling() -> None:
    found = one(known(filled=2))

    assert (found.state, found.filled, found.window_length) == (FILLING, 2, 3)


def test_a_sensor_that_the_model_does_not_know_learns_its_scale() -> None:
    learning = known()
    learning["moments"]["count"] = [[5, 7]]
    found = one(learning, "stranger")

    assert (found.state, found.is_known, found.learned, found.to_learn) == (LEARNING, False, 5, CONFIG.learned_count)


def test_levels_of_another_model_make_a_known_sensor_no_learner() -> None:
    assert one(record(model=MODEL_TAG + 1, level_count=0.0)).state == READY


def test_an_open_incident_of_the_score_or_of_a_rule_comes_before_filling() -> None:
    of_score = one(known(filled=1, incident_offset=4, incident_time_ms=START_MS - 7))
    of_rule = known(filled=1)
    of_rule["rules"]["incidents"]["frozen"]["offset"] = 3

    assert [(kind.type, kind.offset, kind.since_ms) for kind in of_score.incidents] == [("anomaly", 4, START_MS - 7)]
    assert (of_score.state, one(of_rule).state) == (IN_INCIDENT, IN_INCIDENT)
    assert [kind.type for kind in one(of_rule).incidents] == ["frozen"]


@pytest.mark.parametrize(("later_s", "state"), [(4, READY), (5, SILENT)])
def test_a_sensor_is_silent_once_its_partition_went_on_for_its_limit(later_s: int, state: str) -> None:
    silence = PartitionSilence(PartitionClock(active_ms=1000 * (HEARD_S + later_s)))

    assert one(known(heard=HEARD_S), silence=silence).state == state


def test_a_sensor_whose_silence_was_announced_is_silent_though_the_clock_stands_still() -> None:
    silence = PartitionSilence(PartitionClock(active_ms=1000 * HEARD_S))
    silence.announce(position=10, until_s=HEARD_S + 60)

    assert one(known(heard=HEARD_S), silence=silence).state == SILENT


def test_without_a_model_a_full_window_is_ready_and_nothing_is_unknown() -> None:
    (found,), _ = sensors_of(0, stored({"stranger": record()}), judge(), [])

    assert (found.state, found.is_known) == (READY, True)


def test_what_needs_attention_comes_first_the_newest_incident_and_the_longest_silence_first() -> None:
    old, new = known(incident_offset=1, incident_time_ms=5), known(incident_offset=2, incident_time_ms=9)
    quiet, quieter = known(heard=1, last_time_ms=START_MS), known(heard=1, last_time_ms=START_MS - 1)
    silence = PartitionSilence(PartitionClock(active_ms=1000 * HEARD_S))
    records = {"old": old, "new": new, "quiet": quiet, "quieter": quieter, "b": known(heard=HEARD_S), "a": known(heard=HEARD_S)}
    for name in ("old", "new"):
        records[name]["header"]["heard"] = HEARD_S
    found, _ = sensors_of(0, stored(records), judge(None, SILENCES), [silence])

    assert [status.sensor for status in sorted(found, key=lambda status: status.order)] == [
        "new",
        "old",
        "quieter",
        "quiet",
        "a",
        "b",
    ]


def test_records_of_another_layout_are_counted_and_left_out() -> None:
    found, unreadable = sensors_of(0, {**stored({"a": record()}), "b": b"\x01\x02"}, judge(), [])

    assert ([status.sensor for status in found], unreadable) == (["a"], 1)


def test_the_state_agrees_with_the_detector_that_made_the_record() -> None:
    scorer = ChecksumScorer()
    made = detector(CONFIG, scorer, "stranger")
    made.detect(readings("stranger", [(1.0, 2.0), (2.0, 3.0), (4.0, 1.0), (3.0, 2.0)]))
    records = made.arena.copy_records(made.arena.held(0))
    found = one(records, "stranger")

    assert (found.state, found.learned, found.filled) == (LEARNING, 4, 3)


def test_looking_through_the_store_counts_all_and_names_the_most_urgent() -> None:
    records = {f"s{number}": known() for number in range(7)} | {"late": known(filled=1), "bad": known(incident_offset=2)}
    found = look_through(store_with(records), lambda _: judge(model(CONFIG), SILENCES), {}, Bounds(shown=3), lambda: 0.0)

    assert dict(found.counts) == {READY: 7, FILLING: 1, IN_INCIDENT: 1}
    assert found.unknown == 6  # the model knows s0, s2 and s4
    assert [status.sensor for status in found.sensors] == ["bad", "late", "s0"]
    assert (found.total, found.is_cut, found.persisted, found.fits_model) == (9, False, {0: 10}, True)


def test_a_look_stops_at_its_bound_and_says_so() -> None:
    records = {f"s{number:05d}": known() for number in range(2_500)}
    found = look_through(store_with(records), lambda _: judge(), {}, Bounds(sensors=1_000, shown=5), lambda: 0.0)

    assert (found.total, found.is_cut, len(found.sensors)) == (1_000, True, 5)


def test_a_look_that_stops_has_seen_something_of_every_partition() -> None:
    store = MemoryStore()
    for number in range(3):
        store.begin(number, PartitionMeta(9, EPOCH, LAYOUT, "topic", ""))
        records = stored({f"s{number}-{at:05d}": known() for at in range(2_500)})
        store.persist(number, EPOCH, 9, 10, Updates(whole=records))
    found = look_through(store, lambda _: judge(), {}, Bounds(sensors=3_000, shown=3_000), lambda: 0.0)

    assert found.is_cut
    assert [sum(one.partition == number for one in found.sensors) for number in range(3)] == [1_000] * 3


def test_a_look_stops_when_its_time_is_up() -> None:
    ticks = iter(range(100))
    records = {f"s{number:05d}": known() for number in range(2_500)}
    found = look_through(store_with(records), lambda _: judge(), {}, Bounds(seconds=1.5), lambda: float(next(ticks)))

    assert (found.total, found.is_cut) == (1_000, True)


def test_what_is_committed_may_tell_of_a_silence_that_the_stored_note_does_not_know() -> None:
    silence = PartitionSilence(PartitionClock(active_ms=1000 * HEARD_S))
    silence.announce(position=12, until_s=HEARD_S + 60)
    notes = {0: Note(12, silence.note(12))}
    found = look_through(store_with({"a": known(heard=HEARD_S)}), lambda _: judge(None, SILENCES), notes, Bounds(), lambda: 0.0)

    assert dict(found.counts) == {SILENT: 1}


def test_a_layout_that_cannot_be_read_and_a_model_of_another_layout_are_told() -> None:
    foreign = look_through(store_with({}, layout="8:3:8:a,b"), lambda _: None, {}, Bounds(), lambda: 0.0)
    other = look_through(store_with({"a": known()}), lambda _: judge(None), {}, Bounds(), lambda: 0.0)

    assert foreign.foreign_layouts == ("8:3:8:a,b",)
    assert not other.fits_model


def test_a_model_of_another_shape_does_not_judge_the_records() -> None:
    of = model(CONFIG)

    assert judge(of).model is of
    assert judge(replace(of, shape=replace(of.shape, window_length=4))).model is None


def test_an_empty_store_has_no_partitions_and_no_names() -> None:
    store = store_with({})

    assert list(metas_of(store)) == [0]
    assert stored_names(store, metas_of(store), 10, lambda: 0.0, 1.0) == []
    assert LAYOUT == "9:3:8:a,b"


def test_a_record_with_a_pending_bucket_is_read_by_the_layout_of_its_partition() -> None:
    assembly = Assembly(bucket_ms=20_000, hold_ms=600_000)
    layout = layout_name(MODEL.window_length, MODEL.features, len(MODEL.members), assembly=assembly)
    assembled = new_records(1, MODEL.window_length, len(MODEL.features), len(MODEL.members), assembles=True)
    for name, value in {"filled": 3, "count": 9, "last_time_ms": START_MS, "model": MODEL_TAG, "level_count": 50.0}.items():
        assembled["header"][name] = value
    of = Judge.of(layout, replace(model(CONFIG), assembly=assembly), SILENCES)
    assert of is not None
    assert of.model is not None

    (found,), unreadable = sensors_of(0, stored({"a": assembled}), of, [])

    assert (found.state, unreadable) == (READY, 0)


def test_a_model_does_not_fit_records_that_are_assembled_in_another_way() -> None:
    layout = layout_name(MODEL.window_length, MODEL.features, len(MODEL.members), assembly=Assembly(20_000, 600_000))

    of = Judge.of(layout, model(CONFIG), SILENCES)

    assert of is not None
    assert of.model is None


def test_the_newest_of_all_readings_tells_which_model_judges() -> None:
    """A record without a tag was judged by none."""
    records = {
        "a": record(model=3, stamp_ms=START_MS),
        "b": record(model=4, stamp_ms=START_MS + 9),
        "c": record(model=0, stamp_ms=START_MS + 99),
    }
    found = look_through(store_with(records), lambda _: judge(), {}, Bounds(), lambda: 0.0)
    none = look_through(store_with({"c": records["c"]}), lambda _: judge(), {}, Bounds(), lambda: 0.0)

    assert found.newest == Judged(START_MS + 9, 4)
    assert none.newest is None
