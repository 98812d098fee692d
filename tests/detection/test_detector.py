"""A batch in memory: which windows are scored, and that the outcome does not depend on the batch."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.detection.detected import Detected
from stream_detector.detection.detector import Detector
from stream_detector.detection.events import read_event
from stream_detector.pipeline.sensor_loader import decode_stored
from stream_detector.readings import Float64Array, Message, Readings
from stream_detector.state.arena import NOT_STORED
from stream_detector.state.codec.encode import encode
from stream_detector.state.record_layout import new_records
from stream_detector.state.running_scale import Scales
from tests.examples import examples
from tests.fakes.scorer import ChecksumScorer, checksum_error
from tests.pipeline.replica_config import MODEL, SECOND_MS, START_MS, UNKNOWN_ABOVE, ReplicaConfig

#: Surprises of ChecksumScorer are below 1: with this margin none is anomalous, with that one all are.
NEVER = ReplicaConfig(margin=50.0, start_rise_limit=0.0)
ALWAYS = ReplicaConfig(margin=-50.0)


def readings(sensors: str, first: int = 0, *, missing: bool = False) -> Readings:
    """Return readings, one per letter, a second apart; the first feature is the offset."""
    offsets = np.arange(first, first + len(sensors), dtype=np.int64)
    values = np.stack([offsets, offsets % 3], axis=1).astype(np.float32)
    if missing:
        values[:] = np.nan
    return Readings(list(sensors), np.zeros(len(sensors), np.int32), offsets, START_MS + offsets * SECOND_MS, values)


def admitted(detector: Detector, sensors: str) -> Detector:
    """Add sensors that were never seen."""
    assert detector.arena.make_room(len(sensors))
    detector.admit_new(0, list(sensors))
    return detector


def phase_of(detector: Detector, sensor: str) -> int:
    return int(detector.arena.phases[detector.arena.slots(readings(sensor))[0]])


def scored_offsets(detected: Detected, first: int = 0) -> list[int]:
    return sorted((detected.appended.reading[~np.isnan(scores_of(detected))] + first).tolist())


def scores_of(detected: Detected) -> Float64Array:
    """Return the score of each accepted reading; of a batch without any there are no decisions."""
    return np.empty(0) if detected.decisions is None else detected.decisions.scores


def statuses(detected: Detected) -> list[str]:
    assert detected.decisions is not None
    return [transition.status for transition in detected.decisions.transitions]


def test_full_windows_are_scored_as_of_their_reading() -> None:
    scorer = ChecksumScorer()
    detected = admitted(NEVER.detector(scorer), "ab").detect(readings("aabaaab"))

    assert [window[:, 0].tolist() for window in scorer.windows_seen] == [[0, 1, 3], [1, 3, 4], [3, 4, 5]]
    assert scored_offsets(detected) == [3, 4, 5]
    assert detected.scored == 3
    assert detected.decisions is not None
    at_3 = float(detected.decisions.surprises[detected.appended.reading == 3, 0][0])
    assert at_3 == checksum_error([[0, 0], [1, 1], [3, 0]], NEVER.scales_of("a"))


def test_a_sensor_that_the_model_does_not_know_is_scored_on_the_scale_of_its_readings_so_far() -> None:
    detected = admitted(NEVER.detector(), "ab").detect(readings("bababa"))

    # b has 0, 2, 4 and 0, 2, 1: the means are 2 and 1, the variances 8/3 and 2/3.
    scale = Scales(np.array([[2.0, 1.0]], np.float32), np.array([[np.sqrt(8 / 3), np.sqrt(2 / 3)]], np.float32))
    assert detected.decisions is not None
    at_4 = float(detected.decisions.surprises[detected.appended.reading == 4, 0][0])
    assert at_4 == checksum_error([[0, 0], [2, 2], [4, 1]], scale) - UNKNOWN_ABOVE


def test_without_scoring_windows_are_filled_and_scales_learned_and_nothing_else_changes() -> None:
    scorer = ChecksumScorer()
    detector = admitted(ALWAYS.detector(scorer), "ab")
    decided = ["shift", "level_count", "memory", "accepted", "incident_offset"]
    before = detector.arena.records["header"][decided].copy()

    detected = detector.detect(readings("abaaa"), scoring=False)

    assert (detected.decisions, detected.scored, list(scorer.windows_seen)) == (None, 0, [])
    header = detector.arena.records["header"]
    assert header["filled"].max() == 3
    assert detector.arena.records["moments"]["count"][detector.arena.held(0)].tolist() == [[0, 0], [1, 1]]
    assert (header[decided] == before).all()


def test_a_batch_without_readings_is_fine() -> None:
    detected = NEVER.detector().detect(readings(""))

    assert (len(detected.appended.reading), detected.scored, detected.decisions) == (0, 0, None)


def test_a_window_without_any_value_has_no_score() -> None:
    detector = admitted(ALWAYS.detector(), "a")

    detected = detector.detect(readings("aaaa", missing=True))

    assert detected.scored == 0
    assert statuses(detected) == []


def test_with_a_stride_every_nth_reading_of_a_sensor_is_scored() -> None:
    detector = admitted(ReplicaConfig(margin=50.0, stride=4).detector(), "a")

    detected = detector.detect(readings("a" * 20))

    # count + phase is a multiple of 4; the first full window is that of count 3, and the offset is count - 1
    expected = [count - 1 for count in range(3, 21) if (count + phase_of(detector, "a")) % 4 == 0]
    assert scored_offsets(detected) == expected


def test_strides_of_sensors_are_spread() -> None:
    names = [chr(ord("A") + number) for number in range(40)]
    detector = admitted(ReplicaConfig(margin=50.0, stride=4).detector(), "".join(names))

    assert {phase_of(detector, name) % 4 for name in names} == {0, 1, 2, 3}


def test_between_strides_readings_are_scored_while_an_incident_is_open() -> None:
    detector = admitted(ReplicaConfig(margin=-50.0, stride=4).detector(), "a")

    detected = detector.detect(readings("a" * 20))

    opening = next(count - 1 for count in range(3, 21) if (count + phase_of(detector, "a")) % 4 == 0)
    assert scored_offsets(detected) == list(range(opening, 20))


def test_scores_that_were_not_needed_are_not_reported() -> None:
    """All readings of a sensor are scored when an incident opens between strides; scores before the opening stay unused."""
    detector = admitted(ReplicaConfig(margin=-50.0, stride=7).detector(), "a")

    in_one = detector.detect(readings("a" * 20))
    other = admitted(ReplicaConfig(margin=-50.0, stride=7).detector(), "a")
    one_by_one = [other.detect(readings("a", offset)) for offset in range(20)]

    together, singly = scores_of(in_one), [scores_of(detected) for detected in one_by_one]
    assert np.array_equal(together, np.concatenate(singly), equal_nan=True)


@settings(deadline=None, max_examples=examples(60))
@given(
    sensors=st.text(alphabet="abc", min_size=1, max_size=60),
    stride=st.integers(1, 5),
    margin=st.sampled_from([-0.1, 0.1, 0.25]),
    counters=st.sampled_from([(), ("b",), ("a", "b")]),
    data=st.data(),
)
def test_any_cut_gives_equal_records_scores_and_events(
    sensors: str, stride: int, margin: float, counters: tuple[str, ...], data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(sensors)), max_size=6).map(sorted))
    model = replace(MODEL, counters=counters)
    plant = ReplicaConfig(model=model, stride=stride, margin=margin, accept_ms=8 * SECOND_MS)

    outcomes = []
    for bounds in ([0, *cuts, len(sensors)], list(range(len(sensors) + 1))):
        detector = admitted(plant.detector(), "abc")
        alerts: list[Message] = []
        scores: dict[int, str] = {}
        for first, stop in itertools.pairwise(bounds):
            batch = readings(sensors[first:stop], first)
            detected = detector.detect(batch)
            alerts += detector.alerts(batch, detected, "in", "out")
            offsets = batch.places[detected.appended.reading].tolist()
            scores |= dict(zip(offsets, map(repr, scores_of(detected).tolist()), strict=True))
        outcomes.append((alerts, scores, detector.arena.records[:3].tobytes()))

    assert outcomes[0] == outcomes[1]


def test_a_stored_record_is_continued() -> None:
    first = admitted(NEVER.detector(), "a")
    first.detect(readings("aa"))
    (stored,) = encode(first.arena.copy_records(first.arena.held(0)))
    scorer = ChecksumScorer()
    second = NEVER.detector(scorer)

    second.admit(0, ["a"], *decode_stored(second, [stored]))
    second.detect(readings("a", 2))

    assert [window[:, 0].tolist() for window in scorer.windows_seen] == [[0, 1, 2]]


@pytest.mark.parametrize("stored", [b"", b"x" * 10])
def test_a_stored_record_of_another_size_is_not_used(stored: bytes) -> None:
    detector = NEVER.detector()

    detector.admit(0, ["a"], *decode_stored(detector, [stored]))

    slot = detector.arena.held(0)[0]
    assert detector.arena.records["rows"][slot].tobytes() == new_records(1, 3, 2, 1)["rows"].tobytes()
    assert detector.arena.stored_time_ms[slot] == NOT_STORED


def test_an_event_shows_a_counters_own_value_and_where_its_expected_rise_would_have_led() -> None:
    scorer = ChecksumScorer()
    detector = admitted(replace(ALWAYS, model=replace(MODEL, counters=("a",))).detector(scorer), "a")
    batch = readings("aaaa")
    batch = replace(batch, values=np.array([[18_000_000.25 + 1.5 * at, at % 3] for at in range(4)]))

    alerts = detector.alerts(batch, detector.detect(batch), "in", "out")

    assert scorer.windows_seen[-1][:, 0].tolist() == [5400.0, 5400.0, 5400.0]  # per hour
    opened = read_event(alerts[0].value or b"")
    assert opened.window.last_offset == 2
    of_counter = next(feature for feature in opened.features if feature.name == "a")
    expected = scorer.explain(scorer.windows_seen[0][np.newaxis], NEVER.scales_of("a"))[0].expected[-1, 0]
    assert of_counter.value == 18_000_003.25
    assert of_counter.rise_per_hour == 5400.0
    assert of_counter.expected_rise_per_hour == pytest.approx(expected, rel=1e-5)
    assert of_counter.expected == pytest.approx(18_000_001.75 + expected / 3600, abs=1e-4)


def test_alerts_are_in_the_order_of_the_log() -> None:
    detector = admitted(ALWAYS.detector(), "ab")
    batch = readings("bababab")

    alerts = detector.alerts(batch, detector.detect(batch), "in", "out")

    ids = [(alert.key, dict(alert.headers)["event_id"]) for alert in alerts]
    assert ids == [(b"b", b"in-0-4-0-v1-opened"), (b"a", b"in-0-5-0-v1-opened")]
