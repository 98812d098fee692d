"""Proposes what follows from how often sensors are read: the length of a window, the pause that is a gap, the alarm budget."""

from __future__ import annotations

import math

from stream_detector.detection.budget_resolution import FIT_SHARE, RESOLVING_INCIDENTS
from stream_detector.discovery.profile import Profile
from stream_detector.discovery.proposal import Proposal
from stream_detector.timestamps import SECONDS_PER_DAY, duration

#: Windows, in readings: the one that everything was measured with, and shorter ones where that would take longer than a day.
_WINDOWS = (64, 48, 32, 24, 16)
#: Gaps that differ by more than this leave each sensor its own.
_ALIKE = 4.0
#: Intervals of sensors that differ by this are worth a word.
_UNLIKE = 1.5
#: No budget beyond this is proposed, false alarms per sensor and day, even if the history cannot check it.
_MOST_BUDGET, _LEAST_BUDGET = 1.0, 0.1
#: Nor one of more false alarms a day than this of all sensors together: one an hour, if each sensor still has the least.
_MOST_TOGETHER = 24.0


def propose_window(proposal: Proposal, profile: Profile) -> None:
    """Say the interval, and propose how many readings a window has."""
    interval, jitter = profile.interval_seconds, profile.jitter
    if not interval:
        proposal.doubts.append("no sensor has two readings in the sample, so the interval and the window are not known")
        return
    proposal.found.append(
        f"A sensor speaks every {duration(interval)} in the median; one step in ten is {jitter:.0%} longer or more."
    )
    _say_extremes(proposal, profile)
    step = profile.bucket_seconds() if profile.is_one_by_one else interval
    length = next((length for length in _WINDOWS if length * step <= SECONDS_PER_DAY), _WINDOWS[-1])
    fills = duration(length * step)
    proposal.found.append(f"A window of {length} readings takes {fills} to fill.")
    reason = f"readings in a window, {fills} at one every {duration(step)}"
    if length == _WINDOWS[0]:
        reason += "; what docs/quality.md says was measured with 64"
    else:
        reason += f"; the usual {_WINDOWS[0]} would take {duration(_WINDOWS[0] * step)}"
    proposal.set("learning", "window_length", length, reason)


def _say_extremes(proposal: Proposal, profile: Profile) -> None:
    """Name the sensors that speak most and least often, if that differs much."""
    paces = sorted((seconds, name) for name, one in profile.sensors.items() if (seconds := one.interval_seconds()) > 0)
    (fastest, fast), (slowest, slow) = paces[0], paces[-1]
    if slowest > _UNLIKE * fastest:
        proposal.found.append(f"{fast} speaks most often, every {duration(fastest)}, {slow} least, every {duration(slowest)}.")


def propose_gap(proposal: Proposal, profile: Profile) -> None:
    """Propose the pause after which a window restarts, if that of all sensors is much the same."""
    bucket = profile.bucket_seconds() if profile.is_one_by_one else None
    gaps = [gap for one in profile.sensors.values() if (gap := one.gap_seconds(bucket)) is not None]
    own = "each sensor's own pace decides what a gap is (STATE__MAX_GAP_SECONDS is not set)"
    if not gaps:
        proposal.found.append(f"The sample is too short to tell usual pauses from gaps: {own}.")
        return
    if max(gaps) > _ALIKE * min(gaps):
        proposal.found.append(
            f"Sensors pause differently, a gap is from {duration(min(gaps))} to {duration(max(gaps))}: {own}."
        )
        return
    reason = (
        "a longer pause is a gap and restarts a sensor's window: ten intervals, and three times the pauses that are usual "
        "in the sample; without this line, each sensor's own pace decides"
    )
    proposal.set("state", "max_gap_seconds", rounded_up(max(gaps), 2), reason)


def propose_budget(proposal: Proposal, known: str, seconds: float, sensors: int) -> None:
    """Propose the smallest budget that a history of so long can check, or else the largest that people can live with."""
    fitted_days = (1 - FIT_SHARE) * max(seconds, 1.0) * max(1, sensors) / SECONDS_PER_DAY
    checked = RESOLVING_INCIDENTS / fitted_days
    most = min(_MOST_BUDGET, max(_LEAST_BUDGET, _MOST_TOGETHER / max(1, sensors)))
    budget = rounded_up(min(most, max(_LEAST_BUDGET, checked)))
    together = f"false alarms per sensor and day, {budget * sensors:g} a day of all {sensors}"
    known = f"{known} {duration(seconds)} of history"
    if checked <= budget:
        reason = f"{together}; {known}, which can check it"
    else:
        reason = (
            f"{together}; {known}, which could check {rounded_up(checked):g} or more: {budget:g} is an estimate, to try it "
            "out; lower it to 0.1 when the model has seen days of each sensor"
        )
    proposal.set("alerts", "budget_per_sensor_day", budget, reason)


def rounded_up(value: float, digits: int = 1) -> float:
    """Return a number rounded up to so many digits."""
    power = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    return float(f"{math.ceil(round(value / power, 6)) * power:g}")
