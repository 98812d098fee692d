"""Says of an open incident since when it has been quiet and when it closes, or what still holds it open.

All from the sensor's record, in its own event time: the same rules close it (detection/decision.py, detection/rules/latch.py).
Only a score tells why the newest reading holds an incident of the score open; `show` has one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

import numpy as np

from stream_detector.amounts import number, told_apart
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.rules.turns import SPANS
from stream_detector.detection.transition import ANOMALY, CLOCK, FLAPPING
from stream_detector.inspection.scored_window import Scored
from stream_detector.state.record_layout import Records
from stream_detector.timestamps import duration, iso_time, shown_time

#: What holds an incident open at the sensor's newest reading: the score is above its threshold; it is below, but not by enough;
#: a value is where healthy data have none; the rule applies; or it is not told.
ABOVE, NEAR, BEYOND, APPLIES, NOT_TOLD = "above", "near", "beyond", "applies", "not_told"


@dataclass(frozen=True, slots=True)
class Closing:
    """What an open incident waits for."""

    quiet_ms: int  # since the last reading that held it open; 0: the newest one does
    needed_ms: int | None  # of quiet that closes it; None: not known without a model
    closes_ms: int | None = None  # about when it closes if it stays quiet; None while it is held open, or if not known
    fills: tuple[int, int] | None = None  # readings in its window, and in a full one: a window that fills closes nothing
    accepted_ms: int | None = None  # when it counts as the new normal if it is held open until then; None for rules
    held_by: str = ""  # empty: it is quiet
    why: str = ""  # the same in words, if they have more to say

    @property
    def is_quiet(self) -> bool:
        """Whether the newest reading does not hold it open."""
        return not self.held_by


def closing_of(records: Records, kind: str, rules: DecisionRules | None) -> Closing:
    """Return what the open incident of this type waits for, of the only record [1]; without a model, `rules` is None."""
    return _of_score(records, rules) if kind == ANOMALY else _of_rule(records, kind, rules)


def _of_score(records: Records, rules: DecisionRules | None) -> Closing:
    header, length = records["header"][0], len(records["rows"][0])
    newest_ms, filled = int(header["last_time_ms"]), int(header["filled"])
    held_ms = min(int(header["last_anomalous_ms"]), newest_ms)
    held_by = NOT_TOLD if held_ms == newest_ms else ""
    if rules is None:
        return Closing(newest_ms - held_ms, None, held_by=held_by)
    interval_ms = records["header"]["interval_ms"]
    times = rules.times(interval_ms)
    needed_ms, accept_ms = (int(np.max(time)) for time in (times.quiet_ms, times.accept_ms))
    full_ms = newest_ms + round(max(0, length - filled) * float(interval_ms[0]))
    return Closing(
        quiet_ms=newest_ms - held_ms,
        needed_ms=needed_ms,
        closes_ms=None if held_by else max(held_ms + needed_ms, full_ms),
        fills=(filled, length) if filled < length else None,
        accepted_ms=int(header["incident_time_ms"]) + 2 * accept_ms if held_by else None,
        held_by=held_by,
    )


def _of_rule(records: Records, kind: str, rules: DecisionRules | None) -> Closing:
    """Return it in times, though a rule counts readings: those of the sensor's usual interval."""
    header, interval_ms = records["header"][0], float(records["header"]["interval_ms"][0])
    calm = int(records["rules"]["incidents"][kind]["calm"][0])
    quiet_ms, held_by = round(calm * interval_ms), "" if calm else APPLIES
    if rules is None or rules.findings is None or not interval_ms:
        return Closing(quiet_ms, None, held_by=held_by)
    needed = {CLOCK: 1, FLAPPING: max(rules.findings.pace.quiet_readings, *SPANS)}.get(kind, rules.findings.pace.quiet_readings)
    closes_ms = int(header["last_time_ms"]) + round(max(1, needed - calm) * interval_ms)
    return Closing(quiet_ms, round(needed * interval_ms), None if held_by else closes_ms, held_by=held_by)


def explained(closing: Closing, scored: Scored | None, opened_ms: int) -> Closing:
    """Return what an incident of the score waits for, with why its newest reading holds it open."""
    if closing.is_quiet or scored is None:
        return closing
    if scored.is_anomalous:
        accepted_ms = closing.accepted_ms and (closing.accepted_ms + opened_ms) // 2  # an anomalous reading accepts it sooner
        return replace(closing, held_by=ABOVE, why="its score is above the threshold", accepted_ms=accepted_ms)
    if scored.score > scored.held_above:
        score, least = told_apart(scored.score, scored.held_above)
        why = f"its score of {score} is below the threshold, but closes it only below {least}"
        return replace(closing, held_by=NEAR, why=why)
    if (beyond := scored.beyond) is not None:
        healthy = f"its healthy readings in training: {number(beyond.low)} to {number(beyond.high)}"
        return replace(closing, held_by=BEYOND, why=f"{beyond.feature} {number(beyond.value)} is beyond all of {healthy}")
    return closing


def closing_in_words(closing: Closing, zone: tzinfo | None = None) -> str:
    """Say what an open incident waits for; times are UTC without `zone`."""
    needed = None if closing.needed_ms is None else duration(closing.needed_ms / 1000.0)
    if closing.is_quiet:
        return _quiet_in_words(closing, needed, zone)
    applies = "the rule applies to its newest reading" if closing.held_by == APPLIES else "its newest reading holds it open"
    parts = [f"still open: {closing.why or applies}"]
    if needed is not None:
        parts.append(f"closes {needed} after the last such reading")
    if closing.accepted_ms is not None:
        parts.append(f"if it stays so, it is the new normal from {_time(closing.accepted_ms, zone)} on")
    return "; ".join(parts)


def closing_document(closing: Closing | None) -> dict[str, Any] | None:
    """Return it for programs."""
    if closing is None:
        return None
    return {
        "quiet_seconds": closing.quiet_ms / 1000.0,
        "closes_after_quiet_seconds": None if closing.needed_ms is None else closing.needed_ms / 1000.0,
        "closes_at": None if closing.closes_ms is None else iso_time(closing.closes_ms),
        "held_by": closing.held_by or None,
        "text": closing_in_words(closing),
    }


def _quiet_in_words(closing: Closing, needed: str | None, zone: tzinfo | None) -> str:
    quiet = f"quiet for {duration(closing.quiet_ms / 1000.0)}"
    if needed is None or closing.closes_ms is None:
        return quiet
    window = ""
    if closing.fills is not None:
        window = f" and once its window is full ({closing.fills[0]} of {closing.fills[1]} readings)"
    return f"{quiet}; closes after {needed} of quiet{window}, about {_time(closing.closes_ms, zone)}"


def _time(time_ms: int, zone: tzinfo | None) -> str:
    return shown_time(time_ms // 1000 * 1000, zone)
