"""Makes settings of what a sample says, each with a comment why, as a TOML file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stream_detector.detection.budget_resolution import FIT_SHARE, RESOLVING_INCIDENTS
from stream_detector.discovery.guessed import Guess
from stream_detector.discovery.profile import Profile
from stream_detector.timestamps import SECONDS_PER_DAY, duration, iso_time

#: The window that a training makes if nothing else is said, in readings.
_WINDOW = 64
#: A budget that a history cannot check is not proposed beyond this, false alarms per sensor and day.
_MOST_BUDGET, _LEAST_BUDGET = 5.0, 0.1
#: Readings a second that one process scores on two cores (docs/performance.md).
_PER_PROCESS = 20_000
_SENSOR_BYTES, _FEATURE_BYTES = 600, 250


@dataclass(slots=True)
class Entry:
    """A setting with its value and the reason for it."""

    group: str
    name: str
    value: object
    reason: str


@dataclass(slots=True)
class Proposal:
    """What was found, in sentences, and the settings that follow."""

    found: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def set(self, group: str, name: str, value: object, reason: str) -> None:
        """Add a setting."""
        self.entries.append(Entry(group, name, value, reason))

    def settings(self) -> dict[str, dict[str, object]]:
        """Return the settings by group."""
        groups: dict[str, dict[str, object]] = {}
        for one in self.entries:
            groups.setdefault(one.group, {})[one.name] = one.value
        return groups


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What the broker says of the topic."""

    topic: str
    brokers: str
    partitions: int
    records: int  # in the topic, about
    span_seconds: float  # between its oldest and newest record


def propose(facts: TopicFacts, guess: Guess, profile: Profile, given: Mapping[str, str]) -> Proposal:
    """Return the proposal for a topic; `given` has what the command was told (redis_url, registry_url)."""
    proposal = Proposal(doubts=list(guess.doubts))
    _say_found(proposal, facts, guess, profile)
    proposal.set("kafka", "brokers", facts.brokers, "as given")
    proposal.set("kafka", "group_id", f"stream-detector-{facts.topic}", "of this detector alone: its positions in the topic")
    proposal.set("kafka", "input_topic", facts.topic, f"{facts.partitions} partitions, about {facts.records:,} records")
    proposal.set("redis", "url", given["redis_url"], "the state store, Redis or Valkey")
    for name, value in guess.settings.items():
        proposal.set("input", name, value, guess.reasons[name])
    if guess.settings.get("payload") == "registry":
        proposal.set("registry", "url", given["registry_url"], "the schema registry, as given")
    _propose_zone(proposal, guess, profile)
    _propose_assembly(proposal, profile)
    _propose_features(proposal, profile)
    if profile.is_unkeyed:
        sensor = next(name for name, one in profile.sensors.items() if len(one.partitions) > 1)
        count = len(profile.sensors[sensor].partitions)
        proposal.set(
            "input", "repartition", True, f"sensor {sensor} comes from {count} partitions: readings are re-keyed first"
        )
    _propose_budget(proposal, facts, profile)
    proposal.set("model", "directory", f"model-{facts.topic}", "run learns a model of the topic and puts it here")
    proposal.set("service", "log_format", "text", "for people; json is for machines")
    return proposal


def _say_found(proposal: Proposal, facts: TopicFacts, guess: Guess, profile: Profile) -> None:
    say, names = proposal.found.append, sorted(profile.sensors)
    say(f"{facts.topic}: {facts.partitions} partitions, about {facts.records:,} records over {duration(facts.span_seconds)}.")
    say(f"Format: {guess.format}. {profile.readings:,} readings in a sample of {profile.records:,} records.")
    if profile.rejected:
        count = profile.rejected.total()
        reasons = ", ".join(f"{reason} {number}" for reason, number in profile.rejected.most_common(3))
        say(f"{count:,} of them cannot be used ({reasons}), for example {profile.example}")
    if not names:
        return
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    say(f"{len(names)} sensors: {', '.join(names[:5])}{more}.")
    interval, jitter = profile.interval_seconds, profile.jitter
    if interval:
        say(f"A sensor speaks every {duration(interval)} in the median; one step in ten is {jitter:.0%} longer or more.")
        bucket = profile.bucket_seconds() if profile.is_one_by_one else interval
        say(f"A window of {_WINDOW} readings takes {duration(_WINDOW * bucket)} to fill.")
    rate = facts.records / facts.span_seconds if facts.span_seconds > 0 else 0.0
    size = len(names) * (_SENSOR_BYTES + _FEATURE_BYTES * max(1, len(profile.features)))
    processes = max(1, math.ceil(rate / _PER_PROCESS))
    needed = f"{processes} process{'es' if processes > 1 else ''}"
    say(f"About {rate:,.1f} records a second: {needed}; Redis needs about {_bytes(size)}.")


def _propose_zone(proposal: Proposal, guess: Guess, profile: Profile) -> None:
    if guess.settings.get("time") == "" or profile.newest_ms < 0:
        return
    proposal.found.append(f"Times reach to {iso_time(profile.newest_ms)}; a text without a zone is taken as UTC.")


def _propose_assembly(proposal: Proposal, profile: Profile) -> None:
    if not profile.is_one_by_one:
        return
    seconds = profile.bucket_seconds()
    several = max(len(one.features) for one in profile.sensors.values())
    reason = f"a message has one or a few of a sensor's features ({several}); one reading per so many seconds is made of them"
    proposal.set("input", "assemble_seconds", seconds, reason)


def _propose_features(proposal: Proposal, profile: Profile) -> None:
    kinds: dict[str, list[str]] = {}
    for name, one in sorted(profile.features.items()):
        kinds.setdefault(one.kind, []).append(name)
    usual = kinds.get("", [])
    if usual:
        more = f" and {len(usual) - 8} more" if len(usual) > 8 else ""
        proposal.found.append(f"Measurements: {', '.join(usual[:8])}{more}.")
    for kind, words in (
        ("counter", "rise all the time; training takes them for counters"),
        ("flag", "are 0 or 1"),
        ("code", "have few whole values, as codes do"),
        ("constant", "do not change in the sample; training leaves them out if that is so in all of the history"),
    ):
        if kinds.get(kind):
            proposal.found.append(f"{', '.join(kinds[kind][:8])}: {words}.")
    if texts := kinds.get("text"):
        proposal.set("input", "exclude_features", texts, "they are text, not measurements")


def _propose_budget(proposal: Proposal, facts: TopicFacts, profile: Profile) -> None:
    """Propose the smallest budget that the history can check, if that is one that people can live with."""
    fitted_days = (1 - FIT_SHARE) * max(facts.span_seconds, 1.0) * max(1, len(profile.sensors)) / SECONDS_PER_DAY
    checked = RESOLVING_INCIDENTS / fitted_days
    budget = _rounded(min(_MOST_BUDGET, max(_LEAST_BUDGET, checked)))
    known = f"the topic has {duration(facts.span_seconds)} of history of {len(profile.sensors)} sensors"
    if checked <= budget:
        reason = f"false alarms per sensor and day; {known}, which can check it"
    else:
        reason = (
            f"false alarms per sensor and day; {known}, which could check {_rounded(checked):g} or more: {budget:g} is an "
            "estimate, to try it out; lower it to 0.1 when the model has seen days of each sensor"
        )
    proposal.set("alerts", "budget_per_sensor_day", budget, reason)


def _rounded(value: float) -> float:
    """Return a number rounded up to one digit."""
    power = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(round(value / power, 6)) * power:g}")


def _bytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"


def toml_text(proposal: Proposal, title: str) -> str:
    """Return the settings as a TOML file, each with its reason above it."""
    lines = [f"# {title}", *(f"# {line}" for line in proposal.found), *(f"# Not sure: {line}" for line in proposal.doubts)]
    group = ""
    for one in sorted(proposal.entries, key=lambda one: list(proposal.settings()).index(one.group)):
        if one.group != group:
            group = one.group
            lines += ["", f"[{group}]"]
        lines += [f"# {one.name}: {line}" if not at else f"#   {line}" for at, line in enumerate(one.reason.splitlines())]
        lines.append(f"{one.name} = {_toml(one.value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:  # noqa: ANN401 - text, numbers, true and false, and lists of text
    return json.dumps(value, ensure_ascii=False)
