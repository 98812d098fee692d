"""A batch that loses a partition is as if it had never included that partition."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.detection.detected import Detected
from stream_detector.detection.detector import Detector
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.pipeline.in_flight import drop_partitions
from stream_detector.readings import Decoded, Record
from stream_detector.state.bucket_state import Assembly
from tests.fakes.memory_log import MemoryRecord
from tests.pipeline.replica_config import MINUTE_MS, MODEL, SECOND_MS, START_MS, ReplicaConfig, reading

PLANT = ReplicaConfig(margin=0.0)
ASSEMBLING = replace(PLANT, assembly=Assembly(2 * SECOND_MS, 6 * SECOND_MS))
#: Partition, sensor, seconds since the record before (late ones and gaps among them), and whether it can be read.
RECORDS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.sampled_from([-2, 1, 1, 1, 1, 120]), st.booleans() | st.just(True)),
    max_size=40,
)


def records_of(rows: list[tuple[int, str, int, bool]]) -> list[Record]:
    """Return records in the order of a poll: partition by partition."""
    time_ms, found = START_MS, list[Record]()
    for offset, (partition, sensor, seconds, is_sound) in enumerate(rows):
        time_ms += seconds * SECOND_MS
        name = f"pump-{partition}-{sensor}"
        value = reading(name, time_ms, float(offset % 7), 1.0) if is_sound else b"{broken"
        found.append(MemoryRecord("readings", partition, offset, time_ms, name.encode(), value))
    return sorted(found, key=lambda record: record.partition)


def detected(records: list[Record], plant: ReplicaConfig) -> tuple[Detector, Decoded, Detected]:
    detector = plant.detector()
    decoded = JsonDecoder(MODEL.features, InputLimits()).decode(records)
    for partition in range(3):
        names = dict.fromkeys(
            sensor
            for sensor, number in zip(decoded.readings.sensors, decoded.readings.partitions, strict=True)
            if number == partition
        )
        detector.arena.make_room(len(names))
        detector.admit_new(partition, list(names))
    return detector, decoded, detector.detect(decoded.readings)


def outcome(detector: Detector, decoded: Decoded, found: Detected) -> tuple[object, ...]:
    appended = found.appended
    late = [] if found.assembled is None else found.assembled.late.reading.tolist()
    readings = len(decoded.readings), len(found.readings_of(decoded.readings))
    counts = (*readings, len(decoded.rejected), found.scored, appended.late, appended.restarted, *late)
    return (*counts, appended.filled.tolist(), detector.alerts(decoded.readings, found, "readings", "alerts"))


@settings(deadline=None)
@given(RECORDS, st.sets(st.integers(0, 2)), st.sampled_from([PLANT, ASSEMBLING]))
def test_what_is_left_is_what_the_other_partitions_alone_give(
    rows: list[tuple[int, str, int, bool]], lost: set[int], plant: ReplicaConfig
) -> None:
    assert PLANT.max_gap_ms == MINUTE_MS
    records = records_of(rows)
    detector, decoded, found = detected(records, plant)

    rest = drop_partitions(lost, decoded, found)

    alone = detected([record for record in records if record.partition not in lost], plant)
    assert outcome(detector, *rest) == outcome(*alone)
