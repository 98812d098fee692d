"""How the records of the input topic are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.memory import Memory
from stream_detector.ingest.native_shape import NativeShape
from stream_detector.ingest.record_shape import RawReading, RecordShape
from stream_detector.ingest.selection import Selection
from stream_detector.ingest.sparkplug.shape import SparkplugShape
from stream_detector.readings import Record


@dataclass(frozen=True, slots=True)
class InputReader:
    """The shape of the records, and which sensors and features of them are read."""

    shape: RecordShape = field(default_factory=NativeShape)
    selection: Selection = field(default_factory=Selection)

    @property
    def is_native(self) -> bool:
        """Whether all of the native format is read."""
        return isinstance(self.shape, NativeShape) and not self.selection

    @property
    def nodes(self) -> SparkplugShape | None:
        """The shape, if what a record means depends on records before it; else None."""
        return self.shape if isinstance(self.shape, SparkplugShape) else None

    @property
    def memory(self) -> Memory | None:
        """What is remembered of records before; None if nothing needs to be."""
        return self.nodes.births if self.nodes else None

    def learn(self, records: Sequence[Record]) -> None:
        """Remember records, whatever they contain, without their readings."""
        if self.nodes:
            for record in records:
                self.nodes.learn(record)

    def readings_in(self, record: Record) -> list[RawReading]:
        """Return the readings of selected sensors in a record; none if it is not of this shape."""
        if not record.value:
            return []
        try:
            found = self.shape.read(record)
        except RejectionError:
            return []
        readings = [one for one in found if isinstance(one, RawReading)]
        return [one for one in readings if one.sensor and self.selection.has_sensor(one.sensor)]
