"""Builds dead letters from rejected records, and stops the service when too many records are bad."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from stream_detector.errors import DeadLetterLimitError
from stream_detector.places import offsets_of
from stream_detector.readings import Decoded, Header, Int64Array, Message, Readings, Rejected

#: Prefix of the headers that this module adds.
_OUR_HEADERS = "stream_detector."
#: A sensor that says that it has no value is no fault of the producer, however long it lasts. Nor is a message of a node whose
#: birth was never read: all goes on when the node is born again.
HARMLESS = frozenset(("no_value", "alias_unknown"))
_HINTS = {
    "unknown_features": "With STREAM_DETECTOR_INPUT__UNKNOWN_FEATURES=ignore, the default, a record needs one feature that the "
    "model knows. ",
}


class DeadLetterLimit:
    """Counts good and bad records over all polls, without regard to their content or the time."""

    def __init__(self, max_share: float, min_count: int, max_run: int) -> None:
        self._max_share = max_share
        self._min_count = min_count
        self._max_run = max_run
        self._seen = self._bad = 0
        self._runs: dict[int, int] = {}
        self._example: Rejected | None = None

    def check(self, decoded: Decoded) -> None:
        """Count a batch; raise DeadLetterLimitError if it exceeds a limit. The caller must not commit such a batch."""
        bad = [one for one in decoded.rejected if one.reason not in HARMLESS]
        self._seen += len(decoded.rejected) + len(decoded.readings)
        self._bad += len(bad)
        good_partitions = np.unique(decoded.readings.partitions).tolist()
        if bad:
            self._example = bad[-1]
            self._check_runs(decoded.readings, bad)
        for partition in set(good_partitions).difference(one.record.partition for one in bad):
            self._runs[partition] = 0
        if self._seen >= self._min_count:
            if self._bad > self._max_share * self._seen:
                self._fail(f"{self._bad} of the last {self._seen} records could not be used")
            # Halving gives recent records more weight without remembering any.
            self._seen, self._bad = self._seen // 2, self._bad // 2

    def forget(self) -> None:
        """Start counting over, because the counted records will be read again."""
        self._seen = self._bad = 0
        self._runs.clear()

    def forget_run(self, partition: int) -> None:
        """Forget a partition's current run of bad records, because another replica may continue with it."""
        self._runs.pop(partition, None)

    def _check_runs(self, readings: Readings, bad: Sequence[Rejected]) -> None:
        bad_partition = np.array([one.record.partition for one in bad])
        bad_offset = np.array([one.record.offset for one in bad])
        for partition in np.unique(bad_partition).tolist():
            good = offsets_of(readings.places[readings.partitions == partition])
            runs = _run_lengths(good, bad_offset[bad_partition == partition])
            runs[0] += self._runs.get(partition, 0)
            self._runs[partition] = int(runs[-1])
            if runs.max() > self._max_run:
                self._fail(f"{runs.max()} records in a row of partition {partition} could not be used")

    def _fail(self, excess: str) -> None:
        assert self._example is not None  # only bad records exceed a limit
        record, reason, detail = self._example.record, self._example.reason, self._example.detail
        msg = (
            f"{excess}; stopped before the topic drains into the dead-letter topic. For example {record.topic} partition "
            f"{record.partition} offset {record.offset}: {reason}, {detail}. No record of this batch was "
            f"committed, so the bad records are still in the topic. {_HINTS.get(reason, '')}Fix the producer (or train with "
            f"the features that it sends). Then either let the bad records through to the dead-letter topic: set "
            f"STREAM_DETECTOR_DEAD_LETTERS__MAX_SHARE=1 and raise STREAM_DETECTOR_DEAD_LETTERS__MAX_RUN (now {self._max_run}) "
            f"for one start; or stop all replicas and move the consumer group past them."
        )
        raise DeadLetterLimitError(msg)


def _run_lengths(good: Int64Array, bad: Int64Array) -> Int64Array:
    """Return how many bad offsets lie before the first good one, between neighbours, and after the last [G + 1]."""
    return np.bincount(np.searchsorted(good, bad), minlength=len(good) + 1)


def dead_letter(rejected: Rejected, topic: str, max_value_bytes: int) -> Message:
    """Wrap a rejected record: its value, key and headers (all cut to a limit), and headers with the reason and its origin."""
    record = rejected.record
    value, key = record.value, record.key
    ours: list[Header] = [
        ("stream_detector.reason", rejected.reason.encode()),
        ("stream_detector.detail", rejected.detail.encode(errors="replace")),
        ("stream_detector.topic", record.topic.encode()),
        ("stream_detector.partition", str(record.partition).encode()),
        ("stream_detector.offset", str(record.offset).encode()),
        ("stream_detector.timestamp", str(record.timestamp).encode()),
    ]
    for name, part in (("value", value), ("key", key)):
        if part is not None and len(part) > max_value_bytes:
            ours.append((f"stream_detector.{name}_bytes", str(len(part)).encode()))
            ours.append((f"stream_detector.{name}_sha256", hashlib.sha256(part).hexdigest().encode()))
    return Message(
        topic=topic,
        key=None if key is None else key[:max_value_bytes],
        value=None if value is None else value[:max_value_bytes],
        headers=(*_limited_headers(_without_our_headers(record.headers), max_value_bytes), *ours),
    )


def _without_our_headers(headers: Sequence[Header]) -> list[Header]:
    """Drop headers with our prefix, because a dead letter that is fed in again must not carry two reasons."""
    return [header for header in headers if not header[0].startswith(_OUR_HEADERS)]


def _limited_headers(headers: Sequence[Header], max_bytes: int) -> list[Header]:
    """Return the first headers that together fit into `max_bytes`, and a header that counts the dropped ones."""
    kept: list[Header] = []
    used = 0
    for name, content in headers:
        used += len(name.encode()) + len(content or b"")
        if used > max_bytes:
            return [*kept, ("stream_detector.headers_dropped", str(len(headers) - len(kept)).encode())]
        kept.append((name, content))
    return kept
