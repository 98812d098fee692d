"""Says which sensors and features there are, and proposes which features are left out."""

from __future__ import annotations

from stream_detector.discovery.naming import listed
from stream_detector.discovery.profile import FeatureProfile, Profile
from stream_detector.discovery.proposal import Proposal
from stream_detector.discovery.usual_names import MAY_NUMBER, NUMBERS_MESSAGES
from stream_detector.values import has_doubtful_comma

_SENSOR_BYTES, _FEATURE_BYTES = 600, 250
_MOST_SENSORS, _MOST_FEATURES = 5, 8
#: From this share on, values that are no numbers are worth a word.
_FEW_LOST = 0.05
#: What numbers messages rises by one in most of its steps, of which there are so many at least.
_MOSTLY, _FEWEST = 0.9, 20


def say_sensors(proposal: Proposal, profile: Profile) -> None:
    """Say how many sensors there are, with the names of some."""
    if names := sorted(profile.sensors):
        proposal.found.append(f"{len(names)} sensor{'s' if len(names) > 1 else ''}: {listed(names, _MOST_SENSORS)}.")


def propose_features(proposal: Proposal, profile: Profile) -> None:
    """Say which features are measurements, and what the others are; propose to leave out text."""
    kinds: dict[str, list[str]] = {}
    for name, one in sorted(profile.features.items()):
        kinds.setdefault(one.kind, []).append(name)
    messages = [name for name, one in sorted(profile.features.items()) if numbers_messages(name, one)]
    kinds = {kind: [name for name in names if name not in messages] for kind, names in kinds.items()}
    usual = kinds.get("", [])
    if usual:
        proposal.found.append(f"Measurements: {listed(usual, _MOST_FEATURES)}.")
    for kind, words in (
        ("counter", "rise all the time; training takes them for counters"),
        ("flag", "are 0 or 1"),
        ("code", "have few whole values, as codes do"),
        ("fixed", "differ between sensors, and are constant in each, as a year of build is: no measurements"),
        ("constant", "do not change in the sample; training leaves them out if that is so in all of the history"),
    ):
        if kinds.get(kind):
            proposal.found.append(f"{listed(kinds[kind], _MOST_FEATURES)}: {words}.")
    for name, one in sorted(profile.features.items()):
        _say_unusable(proposal, name, one)
    _propose_exclusion(proposal, kinds.get("text", []), messages)


def numbers_messages(name: str, feature: FeatureProfile) -> bool:
    """Return whether a number counts the messages of a gateway or a sensor, by its name and how it rises."""
    own = name.rpartition(".")[2]
    rises_by_one = feature.ones >= _MOSTLY * max(_FEWEST, feature.rises + feature.falls)
    if NUMBERS_MESSAGES.fullmatch(own):
        return feature.kind == "counter" or rises_by_one
    return rises_by_one and MAY_NUMBER.fullmatch(own) is not None


def _propose_exclusion(proposal: Proposal, texts: list[str], messages: list[str]) -> None:
    reasons = ["they are text, not measurements"] if texts else []
    if messages:
        rising = f"{listed(messages, _MOST_FEATURES)}: numbers the messages, which is no measurement"
        proposal.found.append(f"{rising}; left out.")
        reasons.append(rising)
    if reasons:
        proposal.set("input", "exclude_features", sorted([*texts, *messages]), "; ".join(reasons))


def _say_unusable(proposal: Proposal, name: str, feature: FeatureProfile) -> None:
    """Say that many values of a feature are no numbers; a comma that may separate thousands is a doubt."""
    lost = feature.texts.total()
    if not feature.numbers or lost < _FEW_LOST * feature.readings:
        return
    share = f"{lost / feature.readings:.0%} of its values are missing"
    doubtful = next(filter(has_doubtful_comma, feature.texts), None)
    if doubtful is None:
        example = feature.texts.most_common(1)[0][0]
        proposal.found.append(f"{name}: {share}, mostly {'empty' if example == 'None' else repr(example)}.")
        return
    proposal.doubts.append(
        f"{name}: {share}, such as {doubtful!r}, whose comma may separate thousands or decimals. Have the sender write numbers "
        "as JSON has them"
    )


def redis_bytes(profile: Profile) -> str:
    """Return about how much memory the states of the sensors take in Redis, for people."""
    size = len(profile.sensors) * (_SENSOR_BYTES + _FEATURE_BYTES * max(1, len(profile.features)))
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"
