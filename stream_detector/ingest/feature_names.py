"""Finds the features that readings have, where no model and no setting names them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from stream_detector.ingest.input_reader import InputReader
from stream_detector.readings import Record
from stream_detector.values import MissingValues, Unusable, parse_value

#: At most so many features, those of most readings: a topic of other records must not fill the memory.
MOST_FEATURES = 200


def feature_names(records: Iterable[Record], missing: MissingValues, reader: InputReader) -> tuple[str, ...]:
    """Return the sorted names of the features that have a number in any of these records; of too many, the usual ones."""
    found = Counter[str]()
    for record in records:
        for reading in reader.readings_in(record):
            numbers = [
                name for name, value in reading.values.items() if name and is_unicode(name) and is_number(value, name, missing)
            ]
            found.update(filter(reader.selection.has_feature, numbers))
    return tuple(sorted(name for name, _ in found.most_common(MOST_FEATURES)))


def is_unicode(name: str) -> bool:
    """Return whether a name can be written: JSON may have halves of surrogate pairs."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_number(value: object, name: str, missing: MissingValues) -> bool:
    """Return whether a feature's value is a number, or text that stands for one."""
    number = parse_value(value, missing.of_feature(name).texts)
    return not isinstance(number, Unusable) and not math.isnan(number)
