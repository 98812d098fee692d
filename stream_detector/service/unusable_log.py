"""Says of a sensor that fell silent that it sends, if its records became dead letters: nobody should look at the wire."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from stream_detector.pipeline.step_report import StepReport
from stream_detector.timestamps import duration

logger = logging.getLogger(__name__)

#: Keys that are remembered: the ones whose records were bad last. Older ones, and those of longer ago, are forgotten.
_MOST_KEYS, _HOUR_SECONDS = 10_000, 3600.0


@dataclass(slots=True)
class _Bad:
    since: float
    last: float
    count: int
    reason: str


class UnusableLog:
    """Remembers whose records became dead letters, by their keys, which usually are sensors. Its memory is bounded."""

    def __init__(self) -> None:
        self._bad: dict[str, _Bad] = {}

    def observe(self, report: StepReport, now: float) -> None:
        """Count the dead letters of a step, and warn of sensors that it announced as silent and that have some."""
        for (key, reason), count in report.dead_keys.items():
            self._count(key.decode("utf-8", "replace"), reason, count, now)
        while len(self._bad) > _MOST_KEYS:
            del self._bad[next(iter(self._bad))]
        for sensor in report.silent:
            found = self._bad.pop(sensor, None)
            if found is not None and now - found.last <= _HOUR_SECONDS:
                logger.warning(
                    "%r is announced as silent, but it sends: in the last %s %d of its records became dead letters, the last "
                    "with reason %s. `stream-detector dead-letters` shows them",
                    sensor[:100],
                    duration(max(1.0, now - found.since)),
                    found.count,
                    found.reason,
                    extra={"sensor": sensor[:100], "reason": found.reason, "dead_letters": found.count},
                )

    def _count(self, name: str, reason: str, count: int, now: float) -> None:
        before = self._bad.pop(name, None)  # and put back as the newest
        if before is None or now - before.last > _HOUR_SECONDS:
            before = _Bad(now, now, 0, reason)
        self._bad[name] = _Bad(before.since, now, before.count + count, reason)
