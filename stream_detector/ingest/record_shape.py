"""What a record holds before its times and values are checked: the readings in it, and the port of whatever finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from stream_detector.ingest.document import RejectionError
from stream_detector.readings import Record


class RawReading(msgspec.Struct, frozen=True):
    """A reading as its producer wrote it. The decoder checks the time and the values.

    `stamp` is a time as text or a number, as the native format has it; None: the time of the record.
    A value may be anything that JSON has: what is not a number goes through the rules of docs/input.md#values.
    """

    sensor: str
    stamp: str | float | None
    values: Mapping[str, object]


class RecordShape(Protocol):
    """Finds the readings in a record of one format."""

    def read(self, record: Record) -> Sequence[RawReading | RejectionError]:
        """Return the readings of a record that has a value, in their order; none if it rightly holds none.

        A part of the record that is no reading is there as the error that says why, beside its neighbours.
        Raises RejectionError with a reason code and a sentence if the record as a whole is not of this format.
        Raises nothing else because of a record's content.
        """
