"""Says that a sample was probably not understood: readings in bursts, and nothing that measures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_detector.discovery.feature_proposal import numbers_messages
from stream_detector.discovery.guessed import Guess
from stream_detector.discovery.naming import listed
from stream_detector.discovery.profile import Profile
from stream_detector.discovery.proposal import Proposal

#: Readings come in bursts if so many steps are this much shorter than the long ones; fewer readings say little.
_SHARE, _SHORTER, _FEWEST = 0.5, 0.02, 50


def say_misread(proposal: Proposal, guess: Guess, profile: Profile) -> None:
    """Add what nobody should go on with: several readings of a sensor at once, or no measurement at all."""
    kinds = {("counter" if numbers_messages(name, one) else one.kind) for name, one in profile.features.items()}
    if not kinds & {"", "flag", "code"} and kinds & {"counter", "fixed"}:
        names = listed(sorted(profile.features), 5) or "none"
        proposal.stops.append(
            f"no feature seems to measure anything (found: {names}). Where are the values? Set input.values, or input.feature "
            "and input.value, as docs/formats.md describes"
        )
    knows_metrics = {"feature", "items", "tag_pattern", "preset"} & guess.settings.keys() or profile.is_of_nodes
    bursts = sorted(name for name, one in profile.sensors.items() if comes_in_bursts(one.times_ms))
    if not knows_metrics and not profile.is_one_by_one and 2 * len(bursts) > len(profile.sensors):
        proposal.stops.append(
            f"sensor {bursts[0]} has several readings at nearly the same time: several machines, or several metrics, are "
            "mixed into one. Which field names the machine, and which the metric? Set input.sensor, or input.feature and "
            f"input.value{f' ({guess.others})' if guess.others else ''}"
        )


def comes_in_bursts(times_ms: Sequence[int]) -> bool:
    """Return whether most readings follow the one before at once, compared with the pauses between."""
    if len(times_ms) < _FEWEST:
        return False
    steps = np.diff(np.sort(np.array(times_ms, np.float64)))
    longest = float(np.percentile(steps[steps > 0], 95)) if (steps > 0).any() else 0.0
    return longest > 0 and float(np.mean(steps <= _SHORTER * longest)) >= _SHARE
