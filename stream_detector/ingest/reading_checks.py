"""What every decoder checks of a reading, whatever the format: its sensor, its time, the names of its features.

A feature that is absent, null or NaN is a missing value; so is one whose value cannot be used, which is counted. A reading
without any usable value is rejected. A name that is not a feature of the model causes a rejection, unless the limits say to
ignore it; a reading of such names alone is rejected, a message of them alone, where readings are assembled, is not.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.feature_names import is_number, is_unicode
from stream_detector.ingest.parsing import USUAL_PARSING, Parsing
from stream_detector.ingest.shapes import time_hint
from stream_detector.ingest.times import has_zone, number_time, text_time
from stream_detector.places import MAXIMUM_READINGS
from stream_detector.readings import Readings, Record
from stream_detector.timestamps import MAXIMUM_TIME_MS, duration

logger = logging.getLogger(__name__)

#: So many ignored features are named; a topic of invented names must not fill the log.
_MOST_NAMED = 100
#: So many unknown features of a reading are kept, to tell which one may be a known one renamed. Where readings are assembled,
#: all of each message are looked at, and detection/new_names.py keeps few.
_MOST_STRANGERS = 20


@dataclass(frozen=True, slots=True)
class InputLimits:
    """Limits within which the decoder accepts a reading."""

    max_record_bytes: int = 65_536
    max_sensor_id_bytes: int = 256
    max_future_ms: int = 3_600_000
    ignore_unknown_features: bool = False  # False: they cause a rejection. True: one known feature suffices
    assembles: bool = False  # records are messages of single features: where unknown ones are ignored, none need be known
    parsing: Parsing = USUAL_PARSING


def too_many(readings: int) -> RejectionError:
    """Return the rejection of a record with more readings than MAXIMUM_READINGS: a place has no room for more."""
    return RejectionError("too_large", f"{readings} readings; a record may have {MAXIMUM_READINGS}")


class ReadingChecks:
    """The checks of one decoder, and what it has said already."""

    def __init__(self, features: Sequence[str], limits: InputLimits) -> None:
        self._features = tuple(features)
        self.known = frozenset(features)
        self._limits = limits
        self._zone = limits.parsing.zone
        self._skipped_any = self._untimed_any = False
        self._ignored = set[str]()
        self.met_unknown = False  # a number of a feature that is not among these, since this was last set

    def known_values(self, values: Mapping[str, Any], record: Record) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the values of known features, and unknown features that stand there if known ones are lacking.

        Raise RejectionError if there are no known ones and records are no messages, or if unknown ones cause a rejection.
        """
        self.look_at_unknown(values)
        kept = {name: number for name, number in values.items() if name in self.known}
        suffices = bool(kept) or self.ignores_messages
        strangers = self._strangers(values) if suffices and len(kept) < len(self.known) else ()
        new = values.keys() - self.known - self._ignored
        if not new and suffices:
            return kept, strangers
        unknown = ", ".join(map(repr, sorted(new or values.keys() - self.known)[:5]))[:400]
        if not self._limits.ignore_unknown_features or not suffices:
            raise RejectionError(
                "unknown_features", f"not features of the model: {unknown}; it has {', '.join(self._features)[:400]}"
            )
        if len(self._ignored) >= _MOST_NAMED:
            return kept, strangers
        self._ignored |= new
        where = f"{record.topic} partition {record.partition} offset {record.offset}"
        logger.info("from now on ignoring features that the model does not know, first met in %s: %s", where, unknown)
        return kept, strangers

    @property
    def ignores_messages(self) -> bool:
        """Whether a record of unknown features alone is no dead letter."""
        return self._limits.ignore_unknown_features and self._limits.assembles

    def _strangers(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return unknown features that have a number: what depends on them must depend on the reading alone."""
        missing = self._limits.parsing.missing
        found = [name for name, value in values.items() if name not in self.known and is_number(value, name, missing)]
        most = None if self._limits.assembles else _MOST_STRANGERS
        return tuple(sorted(name for name in found if is_unicode(name))[:most])

    def look_at_unknown(self, values: Mapping[str, Any]) -> None:
        """Note whether there is a number of a feature that is not known."""
        self.met_unknown = self.met_unknown or any(
            is_number(value, name, self._limits.parsing.missing) for name, value in values.items() if name not in self.known
        )

    def check_sensor(self, sensor: str) -> None:
        """Raise RejectionError if a sensor's name is blank, too long, or no text that can be written."""
        if not sensor or not sensor.strip():
            raise RejectionError("sensor_missing", "sensor_id is empty")
        if not is_unicode(sensor):
            raise RejectionError("wrong_type", "the sensor's name is not valid Unicode")
        if 4 * len(sensor) <= self._limits.max_sensor_id_bytes:
            return
        length = len(sensor.encode())
        if length > self._limits.max_sensor_id_bytes:
            raise RejectionError(
                "sensor_too_long", f"sensor_id has {length} bytes; the limit is {self._limits.max_sensor_id_bytes}"
            )

    def with_later(self, readings: Readings, later: Mapping[int, int]) -> Readings:
        """Return the readings with local times that come twice, and say, once, if there are such that do not come at all."""
        for row, delay_ms in later.items():
            if delay_ms < 0 and not self._skipped_any:
                self._skipped_any = True
                text = "times of %s are in the hour that %s skips: its clock may not follow this zone; taken as not yet changed"
                logger.warning(text, readings.sensors[row], self._zone)
        later_ms = np.zeros(len(readings), np.int64)
        later_ms[list(later)] = np.maximum(list(later.values()), 0)
        return replace(readings, later_ms=later_ms)

    def time_ms(self, sensor: str, stamp: str | float | None, record: Record) -> tuple[int, int]:
        """Return the event time and how much later it comes again (text_time), checked against the record's own time.

        Raise RejectionError if it is missing or unusable.
        """
        later_ms = 0
        if stamp is None:
            self._say_untimed(record)
            if record.timestamp < 0:
                raise RejectionError("time_missing", "neither the reading nor the record has a time")
            if record.timestamp > MAXIMUM_TIME_MS:
                raise RejectionError("time_out_of_range", f"the record's time is after 2100: {record.timestamp} ms since 1970")
            time_ms = record.timestamp
        elif isinstance(stamp, str):
            time_ms, later_ms = text_time(stamp, self._zone)
        else:
            time_ms = number_time(stamp)
        if 0 <= record.timestamp < time_ms - self._limits.max_future_ms:
            ahead = duration((time_ms - record.timestamp) / 1000)
            what = f"the time of {sensor[:40]!r} is {ahead} after its record was written{self._zone_hint(stamp)}"
            raise RejectionError("time_in_future", what)
        return time_ms, later_ms

    def _say_untimed(self, record: Record) -> None:
        """Say, once, that there are readings without a time of their own, and what may be their time."""
        if not self._untimed_any:
            self._untimed_any = True
            hint = time_hint(record.value or b"")
            where = f"{record.topic} partition {record.partition} offset {record.offset}"
            text = "readings without a timestamp take the time at which their record was written; the first is in %s%s"
            logger.log(logging.WARNING if hint else logging.INFO, text, where, hint)

    def _zone_hint(self, stamp: object) -> str:
        """Return a question about a time that is too new, if it may be a local time of a zone that was not named."""
        if self._zone is not None or not isinstance(stamp, str) or has_zone(stamp):
            return ""
        return ": is it a local time? Name its zone in STREAM_DETECTOR_INPUT__TIME_ZONE"
