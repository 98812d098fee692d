"""Says why a kind of fault could not be put into held-back readings."""

from __future__ import annotations

from collections.abc import Sequence

from stream_detector.gate.fault_injection import HealthyRun
from stream_detector.gate.fault_kinds import CHANGED_PERIOD, LOST_CORRELATION, STUCK

_NO_FEATURE = {
    LOST_CORRELATION: "no two features move together there",
    CHANGED_PERIOD: "no feature has a course there",
}
_HARDLY_MOVE = "the features hardly move there"


def why_left_out(effect: str, runs: Sequence[HealthyRun], missing: str, frozen: str) -> str:
    """Say why no fault of this effect fits into the runs; `missing` and `frozen` are effects that fault_kinds.py has not."""
    if effect == missing:
        single = all(run.values.shape[1] < 2 for run in runs)
        return "the only feature is the whole reading" if single else "every feature is mostly empty there"
    if effect in (frozen, STUCK):
        return _HARDLY_MOVE
    if not any(len(run.candidates(effect)) for run in runs):
        return _NO_FEATURE.get(effect, _HARDLY_MOVE)
    if effect in _NO_FEATURE:
        return "too few held-back readings for it"
    return "it would hardly change the readings there"
