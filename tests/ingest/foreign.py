"""Records of other tools, and what settings read in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import astuple

from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.record_shape import RawReading
from stream_detector.readings import Header
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings


@dataclass(frozen=True)
class Foreign:
    value: bytes
    key: bytes | None = None
    headers: Sequence[Header] = field(default_factory=list)
    topic: str = "plant"
    partition: int = 0
    offset: int = 0
    timestamp: int = 1_795_417_920_000


def foreign(
    document: object, *, key: bytes | None = None, headers: Sequence[Header] = (), offset: int = 0, partition: int = 0
) -> Foreign:
    value = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Foreign(value, key, headers, offset=offset, partition=partition)


def read(
    document: object,
    *,
    key: bytes | None = None,
    headers: Sequence[Header] = (),
    **settings: Any,  # noqa: ANN401 - pydantic checks them
) -> list[Any]:
    """Return the readings of a record as tuples, and the rejections of its parts by their reasons."""
    found = input_reader(InputSettings(**settings)).shape.read(foreign(document, key=key, headers=headers))
    return [astuple(one) if isinstance(one, RawReading) else one.reason for one in found]


def reason(document: object, **settings: Any) -> tuple[str, str]:  # noqa: ANN401 - pydantic checks them
    """Return the reason and the detail for which a record is rejected as a whole."""
    try:
        found = input_reader(InputSettings(**settings)).shape.read(foreign(document))
    except RejectionError as error:
        return error.reason, error.detail
    errors = [one for one in found if isinstance(one, RejectionError)]
    return errors[0].reason, errors[0].detail
