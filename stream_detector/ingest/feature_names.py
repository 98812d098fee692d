"""Finds the features that readings have, where no model and no setting names them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import msgspec

from stream_detector.ingest.document import Document, RejectionError
from stream_detector.ingest.lenient_json import read_leniently
from stream_detector.readings import Record
from stream_detector.values import MissingValues, Unusable, parse_value

#: At most so many features, those of most readings: a topic of other records must not fill the memory.
MOST_FEATURES = 200


def feature_names(records: Iterable[Record], missing: MissingValues) -> tuple[str, ...]:
    """Return the sorted names of the features that have a number in any of these records; of too many, the usual ones."""
    found = Counter[str]()
    for record in records:
        found.update(_numbers(record, missing))
    return tuple(sorted(name for name, _ in found.most_common(MOST_FEATURES)))


def _numbers(record: Record, missing: MissingValues) -> list[str]:
    """Return the names of a reading's numbers; none for a record that is not a reading."""
    if not record.value:
        return []
    try:
        reading = _DECODER.decode(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        try:
            reading = read_leniently(record.value)
        except RejectionError:
            return []
    if not reading.sensor_id:
        return []
    return [name for name, value in reading.values.items() if name and is_number(value, name, missing)]


def is_number(value: object, name: str, missing: MissingValues) -> bool:
    """Return whether a feature's value is a number, or text that stands for one."""
    number = parse_value(value, missing.of_feature(name).texts)
    return not isinstance(number, Unusable) and not math.isnan(number)


_DECODER = msgspec.json.Decoder(Document)
