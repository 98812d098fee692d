"""Splits the names of tags into a machine and its feature, by a pattern that the user gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stream_detector.errors import InputDataError
from stream_detector.state.known_sensors import ONLY_SENSOR

_PLACE = re.compile(r"\{(sensor|feature)\}")


@dataclass(frozen=True, slots=True)
class SplitTags:
    """What each tag [T] is: a feature of a sensor. `unmatched` have neither."""

    sensors: tuple[str | None, ...]
    features: tuple[str | None, ...]
    unmatched: tuple[str, ...]


def split_tags(tags: Sequence[str], pattern: str | None) -> SplitTags:
    """Split tags. Without a pattern all are of one sensor. Raises InputDataError if the pattern is wrong or fits no tag."""
    if pattern is None:
        return SplitTags((ONLY_SENSOR,) * len(tags), tuple(tags), ())
    compiled = _compiled(pattern)
    matches = [compiled.fullmatch(tag) for tag in tags]
    if not any(matches):
        msg = f"--sensor-from {pattern!r} fits no tag (tags: {', '.join(tags[:5])}{', ...' if len(tags) > 5 else ''})"
        raise InputDataError(msg)
    return SplitTags(
        tuple(match["sensor"] if match else None for match in matches),
        tuple(match["feature"] if match else None for match in matches),
        tuple(tag for tag, match in zip(tags, matches, strict=True) if not match),
    )


def _compiled(pattern: str) -> re.Pattern[str]:
    """Return the pattern: `{sensor}.{feature}` with text around, or a regular expression with groups of these names."""
    is_template = len(_PLACE.findall(pattern)) == 2
    if is_template:
        parts = _PLACE.split(pattern)  # text, name, text, name, text
        pattern = "".join(
            f"(?P<{part}>.+{'?' if position == 1 else ''})" if position % 2 else re.escape(part)
            for position, part in enumerate(parts)
        )
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        msg = f"--sensor-from {pattern!r} is not a regular expression: {error}"
        raise InputDataError(msg) from None
    if not {"sensor", "feature"} <= set(compiled.groupindex):
        msg = (
            f"--sensor-from {pattern!r} needs both parts: {{sensor}} and {{feature}}, as in '{{sensor}}.{{feature}}', or a "
            "regular expression with the groups (?P<sensor>...) and (?P<feature>...)"
        )
        raise InputDataError(msg)
    return compiled
