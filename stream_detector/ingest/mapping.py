"""Where in a document the readings are: a mapping, and the record shape that follows it.

A record holds one reading or, at `readings`, a list of them. The values of a reading are in one of four forms:

- `values`: the path of an object; each of its members is a feature. `.` is the reading itself. Inner objects count, too:
  the feature `motor.temp` is the `temp` of its `motor`.
- `features`: a path for each feature. Beside `values`: more features, which that object does not have.
- `items`: the path of a list of name-value pairs, with `feature` and `value` as the paths in each.
- `feature` and `value` alone: one name and one value in a record. Without `feature`, the feature is called `value`.

A path is looked up in the item, then in the reading, then in the document. Items of one sensor and time are one reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.heads import head_of
from stream_detector.ingest.mapped_items import Form
from stream_detector.ingest.mapped_values import form_of
from stream_detector.ingest.payload import Payload
from stream_detector.ingest.quality import Judge, Quality
from stream_detector.ingest.record_shape import RawReading
from stream_detector.ingest.shapes import describe_document
from stream_detector.ingest.sources import Levels, compile_source
from stream_detector.ingest.stamps import StampFormat
from stream_detector.readings import Record

#: Brings a document into the form that a mapping reads; a preset may have one. Raises RejectionError.
Unfold = Callable[[object, Record], object]
#: Returns the readings of a document, given what judges a value by its quality; None: the mapping must read it.
Shortcut = Callable[[object, Judge], "list[RawReading] | None"]


@dataclass(frozen=True, slots=True)
class RecordMapping:
    """Where a document has its sensor, its time and its values. Empty: not there."""

    sensor: str = "sensor_id"
    time: str = "timestamp"
    readings: str = ""
    values: str = ""
    features: Mapping[str, str] = field(default_factory=dict)
    items: str = ""
    feature: str = ""
    value: str = ""
    prefix: str = ""  # a template of what comes before each feature's name
    tag_pattern: str = ""  # a regular expression that splits `feature`: its groups are sensor, feature or both
    stamp: StampFormat = field(default_factory=StampFormat)
    quality: Quality = field(default_factory=Quality)


class MappedShape:
    """Finds readings by a mapping. Implements RecordShape."""

    def __init__(
        self, mapping: RecordMapping, payload: Payload, unfold: Unfold | None = None, shortcut: Shortcut | None = None
    ) -> None:
        """A shortcut reads what the mapping would. Raise ValueError, with the path that is wrong."""
        self._document, self._unfold, self._shortcut = payload.document, unfold, shortcut
        head = head_of(mapping.sensor, mapping.time, mapping.stamp, mapping.prefix, mapping.quality)
        self._judge = head.judge
        self._readings = compile_source(mapping.readings) if mapping.readings else None
        self._form: Form = form_of(
            head,
            values=mapping.values,
            features=mapping.features,
            items=mapping.items,
            feature=mapping.feature,
            value=mapping.value,
            tag_pattern=mapping.tag_pattern,
        )

    def read(self, record: Record) -> Sequence[RawReading | RejectionError]:
        """See RecordShape."""
        document = self._document(record)
        if self._shortcut is not None:
            readings = self._shortcut(document, self._judge)
            if readings is not None:
                return readings
        if self._unfold is not None:
            document = self._unfold(document, record)
        if self._readings is None and isinstance(document, dict):
            try:
                return self._form((document,), record)
            except RejectionError as error:
                return [error]
        found: list[RawReading | RejectionError] = []
        for levels in self._elements(document, record):
            try:
                found += self._form(levels, record)
            except RejectionError as error:
                found.append(error)
        return found

    def _elements(self, document: object, record: Record) -> Iterator[Levels]:
        """Yield the levels of each reading: the reading and, if that is another, the document."""
        listed = document if self._readings is None else self._readings((document,), record)
        listed = document if listed is None else listed
        if isinstance(listed, list):
            outer = () if listed is document else (document,)
            for element in listed:
                yield (element, *outer)
        elif isinstance(listed, dict) and listed is not document:
            yield listed, document
        elif isinstance(document, dict):
            yield (document,)
        else:
            kind = describe_document(document) or f"found {type(document).__name__}"
            raise RejectionError("wrong_type", f"a record is an object or a list of objects; {kind}")
