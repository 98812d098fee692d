"""Asks of a sensor whose readings are assembled whether a tag was renamed, long before the hold of the old one is over.

Only for the log and a metric: what was counted and asked is lost with a restart. The event that opens later depends on the log
alone (detection/new_names.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from stream_detector.detection.detector import Detector
from stream_detector.detection.new_names import NewName
from stream_detector.ingest.renamed import renamings
from stream_detector.readings import Unknown
from stream_detector.state.bucket_state import NO_TIME
from stream_detector.timestamps import duration, shown_time

#: Before it is asked, a new name must have come so often, and the feature must have been quiet for so many buckets.
_TIMES, _BUCKETS = 3, 3
#: So many names of sensors are counted; further ones are told by the incident only.
_MOST_COUNTED = 10_000
_Key = tuple[int, str, str]


class EarlyQuestions:
    """Counts messages of new names like features, and says once of each that it may be a feature that is quiet since."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._counts: dict[_Key, int] = {}
        self._asked = set[_Key]()

    def look(self, unknown: Sequence[Unknown]) -> list[str]:
        """Return a question for each name of these messages that is due; their batch must be appended."""
        found: list[str] = []
        for one in unknown:
            for new in self._detector.new_names.of(one.partition, one.sensor) if self._detector.assembly else ():
                key = one.partition, one.sensor, new.name
                is_counted = key in self._counts or len(self._counts) < _MOST_COUNTED
                if new.name not in one.names or key in self._asked or not is_counted:
                    continue
                self._counts[key] = self._counts.get(key, 0) + 1
                question = self._question(one, new) if self._counts[key] >= _TIMES else ""
                if question:
                    self._asked.add(key)
                    found.append(question)
        return found

    def _question(self, one: Unknown, new: NewName) -> str:
        """Return a question; empty if no feature like the name was there before it and is quiet since."""
        arena, assembly = self._detector.arena, self._detector.assembly
        if assembly is None or not arena.holds(one.partition, one.sensor):
            return ""
        features = self._detector.model.features
        told = arena.records["assembly"][arena.slot(one.partition, one.sensor), 0]["times_ms"].tolist()
        latest = min(new.time_ms, one.time_ms - _BUCKETS * assembly.bucket_ms)
        quiet = {name: time_ms for name, time_ms in zip(features, told, strict=True) if NO_TIME < time_ms <= latest}
        pair = renamings(list(quiet), (new.name,))
        if not pair:
            return ""
        (name,) = pair
        silence = duration((one.time_ms - quiet[name]) / 1000)
        return (
            f"{one.sensor[:100]!r} has sent no {name} for {silence}, and {new.name}, which the model does not know, came "
            f"first at {shown_time(new.time_ms)}: renamed? Its last value stands for at most "
            f"{duration(assembly.hold_ms / 1000)}"
        )
