"""How values and times of the input are read. The stream and files share it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from stream_detector.values import NO_MISSING_VALUES, MissingValues


@dataclass(frozen=True, slots=True)
class Parsing:
    """What cannot be seen from a value or a time alone."""

    missing: MissingValues = NO_MISSING_VALUES  # words and numbers that mean missing, beside the usual
    zone: tzinfo | None = None  # of times without a zone; None: UTC
    repeated_hour: str | None = None  # of files: the pass of the hour that the zone repeats, first or second; None: as it looks


USUAL_PARSING = Parsing()
