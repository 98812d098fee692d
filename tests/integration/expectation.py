"""Computes the required alerts and dead letters of a log in one pass, without a stream, a store or a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from stream_detector.detection.detector import Detector
from stream_detector.ingest.dead_letters import dead_letter
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.readings import Record
from tests.integration.topics import by_sensor


def expected_alerts(
    make_detector: Callable[[], Detector], records: Sequence[Record], starts: Mapping[int, int] | None = None
) -> dict[bytes | None, list[bytes | None]]:
    """Return each sensor's events; records before the partition's start only fill windows."""
    alerts: dict[bytes | None, list[bytes | None]] = {}
    for partition in sorted({record.partition for record in records}):
        detector = make_detector()
        decode = JsonDecoder(detector.model.features, InputLimits()).decode
        start = (starts or {}).get(partition, 0)
        history, new = (
            decode([one for one in records if one.partition == partition and (one.offset >= start) is is_new]).readings
            for is_new in (False, True)
        )
        sensors = sorted({*history.sensors, *new.sensors})
        detector.admit_new(partition, sensors)
        detector.detect(history, scoring=False)
        detected = detector.detect(new)
        alerts |= by_sensor(detector.alerts(new, detected, records[0].topic, "alerts"))
    return alerts


def expected_dead_letters(records: Sequence[Record], features: Sequence[str]) -> list[str]:
    """Return the headers of each dead letter, which hold its source position."""
    rejected = JsonDecoder(features, InputLimits()).decode(records).rejected
    return sorted(str(dead_letter(one, "", 1000).headers) for one in rejected)


def headers_of(dead_letters: Iterable[Record]) -> list[str]:
    """Return the headers of dead letters, to compare with those expected."""
    return sorted(str(tuple(one.headers)) for one in dead_letters)
