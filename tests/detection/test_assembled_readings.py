"""The detector with messages of a feature each: what the rules and the silence of a sensor make of assembled readings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.detection.detector import Detector
from stream_detector.detection.rules.changes import RuleChange
from stream_detector.readings import Readings
from stream_detector.state.bucket_state import Assembly
from tests.integration.plants import ASSEMBLED
from tests.pipeline.replica_config import SECOND_MS, START_MS, ReplicaConfig

BUCKET_S = 2
PLANT = replace(ASSEMBLED, assembly=Assembly(BUCKET_S * SECOND_MS, 60 * SECOND_MS))
Sent = tuple[int, float | None, float | None]


def detector_of(plant: ReplicaConfig) -> Detector:
    detector = plant.detector()
    detector.arena.make_room(2)
    detector.admit_new(0, ["pump-1", "pump-2"])
    return detector


def changes_of(detector: Detector, sent: list[Sent], sensor: str = "pump-1") -> list[RuleChange]:
    values = np.array([[np.nan if value is None else value for value in one[1:]] for one in sent])
    times_ms = START_MS + SECOND_MS * np.array([one[0] for one in sent], np.int64)
    count = len(sent)
    messages = Readings([sensor] * count, np.zeros(count, np.int32), np.arange(count), times_ms, values, times_ms)
    return list(detector.detect(messages).rule_changes)


def minute(feature_b: float | None) -> list[Sent]:
    """Return 12 buckets in which the first feature changes and the second says this, or nothing after the first bucket."""
    sent: list[Sent] = []
    for bucket in range(13):
        sent.append((BUCKET_S * bucket, 0.05 * bucket, None))
        if feature_b is not None or not bucket:
            sent.append((BUCKET_S * bucket + 1, None, feature_b or 0.5))
    return sent


def test_a_value_that_is_held_is_neither_frozen_nor_missing() -> None:
    assert changes_of(detector_of(PLANT), minute(None)) == []


def test_a_value_that_is_told_again_and_again_is_frozen() -> None:
    changes = changes_of(detector_of(PLANT), minute(0.5))

    assert [(one.type, one.status) for one in changes if one.status != "updated"] == [("frozen", "opened")]


def test_a_value_is_missing_once_its_hold_is_over() -> None:
    plant = replace(PLANT, assembly=Assembly(BUCKET_S * SECOND_MS, 8 * SECOND_MS))
    changes = changes_of(detector_of(plant), minute(None))

    opened = [(one.type, one.time_ms) for one in changes if one.status == "opened"]
    assert opened == [("missing_feature", START_MS + 10 * SECOND_MS)]


@pytest.mark.parametrize("cut", [1, 3, 10, 20])
def test_it_does_not_matter_how_the_log_is_cut(cut: int) -> None:
    sent, detector = minute(0.5), detector_of(PLANT)
    found = changes_of(detector, sent[:cut])
    slot = detector.arena.slot(0, "pump-1")

    assert detector.arena.unsaved_rows[slot] > 0  # a message that completes nothing is stored too
    found += changes_of(detector, sent[cut:])
    whole = detector_of(PLANT)
    assert len(found) == len(changes_of(whole, sent))
    slots = np.array([slot], np.int32)
    assert detector.arena.copy_records(slots)["rows"].tobytes() == whole.arena.copy_records(slots)["rows"].tobytes()


def test_a_silence_ends_no_earlier_than_it_began() -> None:
    plant = replace(PLANT, rule_config=None, silent_s=10)
    detector = detector_of(plant)
    changes_of(detector, minute(None))
    changes_of(detector, [(second, 0.1, 0.2) for second in range(26, 1000, 2)], "pump-2")
    changes = changes_of(detector, [(1000, 0.1, None), (1010, 0.2, None)])

    silences = [one for one in changes if one.type == "silent"]
    assert [one.status for one in silences] == ["opened", "closed"]
    assert silences[0].time_ms < silences[1].time_ms == START_MS + 1000 * SECOND_MS  # when it speaks again
