"""Finds what windows hold while there is no model: which features, in which order, and how many readings.

The order and the length are those of the stored state, so that a restart goes on with the same windows, and a model that is
trained later on the same features does too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

from stream_detector.errors import StoreUnavailableError
from stream_detector.ingest.earlier import learn_before
from stream_detector.ingest.feature_names import MOST_FEATURES, feature_names
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ports import Source, StateStore
from stream_detector.readings import Record
from stream_detector.state.record_layout import WindowShape, shape_of_layout
from stream_detector.values import MissingValues

logger = logging.getLogger(__name__)

#: As many readings as `train` gives a window by default.
WINDOW_LENGTH = 64
#: The newest records that are looked at: of each partition, and of all together.
_OF_PARTITION, _OF_TOPIC = 1_000, 50_000


def find_shape(
    source: Source,
    store: StateStore,
    missing: MissingValues,
    reader: InputReader,
    *,
    given: Sequence[str] = (),
    also: Iterable[str] = (),
) -> WindowShape | None:
    """Return what windows hold: the features `given` by a setting, or else those stored, those sent, and `also` these.

    None if there are no features yet, because no reading was sent. Blocks, bounded; raises RetriableError.
    """
    stored = stored_shape(source, store)
    length = stored.window_length if stored else WINDOW_LENGTH
    if given:
        features = tuple(given)
        return stored if stored and stored.features == features else WindowShape(features, length)
    sent = feature_names(newest_records(source, reader), missing, reader)
    if not sent and not stored:
        return None
    before = stored.features if stored else ()
    new = sorted({*sent, *also} - {*before})[: max(0, MOST_FEATURES - len(before))]
    return WindowShape((*before, *new), length, stored.counters if stored else ())


def stored_shape(source: Source, store: StateStore) -> WindowShape | None:
    """Return what the stored windows hold; None if there are none, or if the store does not answer."""
    try:
        metas = (store.meta(number) for number in sorted(source.partitions()))
        layouts = (shape_of_layout(meta.layout) for meta in metas if meta is not None)
        return next((shape for shape in layouts if shape is not None), None)
    except StoreUnavailableError as error:
        logger.warning("which features the stored windows hold is not known, because the state store is away: %s", error)
        return None


def newest_records(source: Source, reader: InputReader) -> Iterator[Record]:
    """Read the newest records of each partition, a bounded number. Raises RetriableError."""
    numbers = sorted(source.partitions())
    count = min(_OF_PARTITION, max(1, _OF_TOPIC // max(1, len(numbers))))
    for number in numbers:
        first, end = source.bounds(number)
        start = max(first, end - count)
        learn_before(source, reader, number, start)
        while start < end:
            chunk = source.read(number, start, end, count)
            yield from chunk.records
            start = chunk.stop
