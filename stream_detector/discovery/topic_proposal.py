"""Makes settings of what a sample of a topic says, each with the reason for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from stream_detector.discovery.clock_proposal import say_clock
from stream_detector.discovery.clocks import Clocks
from stream_detector.discovery.feature_proposal import propose_features, redis_bytes, say_sensors
from stream_detector.discovery.guessed import Guess
from stream_detector.discovery.misread import say_misread
from stream_detector.discovery.pace_proposal import propose_budget, propose_gap, propose_window
from stream_detector.discovery.profile import Profile
from stream_detector.discovery.proposal import Proposal
from stream_detector.discovery.state_proposal import propose_state
from stream_detector.timestamps import duration

#: Readings a second that one process scores on two cores (docs/performance.md).
_PER_PROCESS = 20_000


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What the broker says of the topic."""

    topic: str
    brokers: str
    partitions: int
    records: int  # in the topic, about
    span_seconds: float  # between its oldest and newest record


def propose(facts: TopicFacts, guess: Guess, profile: Profile, clocks: Clocks, given: Mapping[str, str]) -> Proposal:
    """Return the proposal for a topic; `given` has what the command was told (redis_url, registry_url)."""
    proposal = Proposal(doubts=list(guess.doubts))
    _say_topic(proposal, facts, guess, profile)
    proposal.set("kafka", "brokers", facts.brokers, "as given")
    proposal.set("kafka", "group_id", f"stream-detector-{facts.topic}", "of this detector alone: its positions in the topic")
    proposal.set("kafka", "input_topic", facts.topic, f"{facts.partitions} partitions, about {facts.records:,} records")
    proposal.set("redis", "url", given["redis_url"], "the state store, Redis or Valkey")
    for name, value in guess.settings.items():
        proposal.set("input", name, value, guess.reasons[name])
    if guess.settings.get("payload") == "registry":
        proposal.set("registry", "url", given["registry_url"], "the schema registry, as given")
    say_sensors(proposal, profile)
    propose_window(proposal, profile)
    propose_gap(proposal, profile)
    _say_load(proposal, facts, profile)
    if clock := say_clock(guess, profile, clocks):
        proposal.found.append(clock)
    _propose_assembly(proposal, profile)
    propose_features(proposal, profile)
    propose_state(proposal, profile)
    say_misread(proposal, guess, profile)
    _propose_repartition(proposal, profile)
    propose_budget(proposal, "the topic has", facts.span_seconds, len(profile.sensors))
    proposal.set(
        "model",
        "directory",
        f"model-{facts.topic}",
        "run learns a model of the topic and puts it here; until then the built-in one scores",
    )
    proposal.set("service", "log_format", "text", "for people; json is for machines")
    if proposal.stops:
        reason = "DO NOT RUN YET: run refuses to, until you have set what is named here, and deleted this line"
        proposal.set("service", "unanswered", list(proposal.stops), reason)
    return proposal


def _say_topic(proposal: Proposal, facts: TopicFacts, guess: Guess, profile: Profile) -> None:
    say = proposal.found.append
    say(f"{facts.topic}: {facts.partitions} partitions, about {facts.records:,} records over {duration(facts.span_seconds)}.")
    say(f"Format: {guess.format}. {profile.readings:,} readings in a sample of {profile.records:,} records.")
    if profile.rejected:
        count = profile.rejected.total()
        reasons = ", ".join(f"{reason} {number}" for reason, number in profile.rejected.most_common(3))
        say(f"{count:,} of them cannot be used ({reasons}), for example {profile.example}")


def _say_load(proposal: Proposal, facts: TopicFacts, profile: Profile) -> None:
    rate = facts.records / facts.span_seconds if facts.span_seconds > 0 else 0.0
    processes = max(1, math.ceil(rate / _PER_PROCESS))
    needed = f"{processes} process{'es' if processes > 1 else ''}"
    proposal.found.append(f"About {rate:,.1f} records a second: {needed}; Redis needs about {redis_bytes(profile)}.")


def _propose_assembly(proposal: Proposal, profile: Profile) -> None:
    if not profile.is_one_by_one:
        return
    seconds = profile.bucket_seconds()
    several = max(len(one.features) for one in profile.sensors.values())
    scan, are_scans = profile.scan()
    reason = f"a message has one or a few of a sensor's features ({several}); one reading per so many seconds is made of them: "
    if are_scans:
        reason += f"most tags are read every {duration(scan)}, as the times between their messages are multiples of that"
    else:
        reason += f"a tag sends every {duration(scan)} in the median, and nothing shows how often tags are read"
    proposal.set("input", "assemble_seconds", seconds, reason)


def _propose_repartition(proposal: Proposal, profile: Profile) -> None:
    if not profile.is_unkeyed or "repartition" in proposal.settings().get("input", {}):
        return
    sensor = next(name for name, one in profile.sensors.items() if len(one.partitions) > 1)
    count = len(profile.sensors[sensor].partitions)
    proposal.set("input", "repartition", True, f"sensor {sensor} comes from {count} partitions: readings are re-keyed first")
