"""Asks of a sensor whose readings are assembled whether a tag was renamed, long before the hold of the old one is over.

Only for the log and a metric: what was counted and asked is lost with a restart. The event that opens later depends on the log
alone (detection/new_names.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stream_detector.detection.detector import Detector
from stream_detector.detection.new_names import NewName
from stream_detector.ingest.renamed import renamings
from stream_detector.readings import Unknown
from stream_detector.state.bucket_state import NO_TIME
from stream_detector.timestamps import duration, shown_time

#: Before it is asked, a new name must have come so often, and the feature must have been quiet for so many buckets.
_TIMES, _BUCKETS = 3, 3
#: So many names of sensors are asked about, further ones are told by the incident only; and so many are counted at a time.
_MOST = 10_000
_Key = tuple[int, str, str]


class EarlyQuestions:
    """Counts messages of new names like features, and says once of each that it may be a feature that is quiet since.

    Only while a feature is quiet since before the first of them: names that always came beside the features need no room.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._counts: dict[_Key, int] = {}
        self._asked = set[_Key]()

    def look(self, unknown: Sequence[Unknown]) -> list[str]:
        """Return a question for each name of these messages that is due; their batch must be appended."""
        found: list[str] = []
        for one in unknown:
            known = self._detector.new_names.of(one.partition, one.sensor) if self._detector.assembly else ()
            names = set(one.names) if known else ()
            for new in known:
                key = one.partition, one.sensor, new.name
                if new.name not in names or key in self._asked or len(self._asked) >= _MOST:
                    continue
                question = self._count(key, one, new)
                if question:
                    self._asked.add(key)
                    found.append(question)
        return found

    def _count(self, key: _Key, one: Unknown, new: NewName) -> str:
        """Count a message of a new name; return a question if it is due."""
        quiet = self._quiet(one, new)
        if not quiet:
            self._counts.pop(key, None)
            return ""
        if len(self._counts) >= _MOST:  # partitions that went away had some of them
            self._counts.clear()
        self._counts[key] = self._counts.get(key, 0) + 1
        return self._question(one, new, quiet) if self._counts[key] >= _TIMES else ""

    def _quiet(self, one: Unknown, new: NewName) -> dict[str, int]:
        """Return when the features that are quiet since a new name came first were sent last."""
        arena = self._detector.arena
        if not arena.holds(one.partition, one.sensor):
            return {}
        told = arena.records["assembly"][arena.slot(one.partition, one.sensor), 0]["times_ms"].tolist()
        features = zip(self._detector.model.features, told, strict=True)
        return {name: time_ms for name, time_ms in features if NO_TIME < time_ms <= new.time_ms}

    def _question(self, one: Unknown, new: NewName, quiet: Mapping[str, int]) -> str:
        """Return a question; empty if no feature like the name is quiet for long enough."""
        assembly = self._detector.assembly
        if assembly is None:
            return ""
        latest = one.time_ms - _BUCKETS * assembly.bucket_ms
        pair = renamings([name for name, time_ms in quiet.items() if time_ms <= latest], (new.name,))
        if not pair:
            return ""
        (name,) = pair
        silence = duration((one.time_ms - quiet[name]) / 1000)
        return (
            f"{one.sensor[:100]!r} has sent no {name} for {silence}, and {new.name}, which the model does not know, came "
            f"first at {shown_time(new.time_ms)}: renamed? Its last value stands for at most "
            f"{duration(assembly.hold_ms / 1000)}"
        )
