"""Makes settings of what files hold, each with the reason for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stream_detector.discovery.feature_proposal import propose_features, redis_bytes, say_sensors
from stream_detector.discovery.pace_proposal import propose_budget, propose_gap, propose_window
from stream_detector.discovery.profile import Profile
from stream_detector.discovery.proposal import Proposal
from stream_detector.timestamps import duration, iso_time


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What reading the files said."""

    forms: Sequence[str]  # how each was understood, and what was changed
    time_zone: str  # that was named; empty: none
    has_zoneless: bool  # times without a zone, which count as UTC if none was named


def propose_for_rows(facts: FileFacts, profile: Profile) -> Proposal:
    """Return the proposal for a training on files."""
    proposal = Proposal(found=list(facts.forms))
    span_seconds = (profile.newest_ms - profile.oldest_ms) / 1000
    times = f"{iso_time(profile.oldest_ms)} to {iso_time(profile.newest_ms)}"
    proposal.found.append(f"{profile.readings:,} readings over {duration(span_seconds)}, {times}.")
    _propose_zone(proposal, facts)
    say_sensors(proposal, profile)
    propose_window(proposal, profile)
    propose_gap(proposal, profile)
    propose_features(proposal, profile)
    proposal.found.append(f"Redis needs about {redis_bytes(profile)} for these sensors.")
    propose_budget(proposal, "the files have", span_seconds, len(profile.sensors))
    proposal.set("model", "directory", "model", "where train writes the model, and run finds it")
    proposal.set("service", "log_format", "text", "for people; json is for machines")
    return proposal


def _propose_zone(proposal: Proposal, facts: FileFacts) -> None:
    if facts.time_zone:
        proposal.set("input", "time_zone", facts.time_zone, "of times without a zone, as given")
    elif facts.has_zoneless:
        proposal.doubts.append(
            "the times have no zone and are taken as UTC. If the plant writes local time, name it with --time-zone, such as "
            "Europe/Berlin: else the hour that summer time repeats is read twice, and the events have another time"
        )
