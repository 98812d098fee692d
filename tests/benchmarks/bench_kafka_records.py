"""Measures the cost of parsing a broker's answer into records: by the client's own class and by ours, in turns.

    python -m tests.benchmarks.bench_kafka_records [--records 8000] [--rounds 9]

Prints the CPU time per record in microseconds, the least of all rounds. Readings of about 110 bytes with a key of 12.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Sequence

from kafka.consumer.fetcher import Fetcher
from kafka.record import MemoryRecords

from stream_detector.adapters.kafka.client_patches.damaged_batches import DeliverableBatches
from stream_detector.adapters.kafka.client_patches.partition_records import partition_records
from stream_detector.readings import Header, Record
from tests.adapters.kafka.kafka_bytes import TP, Row, batch

LZ4 = 3
START_MS = 1_700_000_000_000
HEADER: tuple[Header, ...] = (("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),)
#: Records in a batch, its compression, and the headers of each record.
SHAPES: tuple[tuple[int, int, tuple[Header, ...]], ...] = (
    (1, 0, ()),
    (10, 0, ()),
    (500, 0, ()),
    (500, LZ4, ()),
    (4000, 0, ()),
    (4000, LZ4, ()),
    (500, 0, HEADER),
)


def reading(number: int) -> bytes:
    """Return a reading as a sensor sends it; no two are alike."""
    noise = number * 2654435761 % 1000
    return (
        b'{"sensor_id":"sensor-%05d","timestamp":%d,"values":{"temperature":20.%03d,"pressure":1.%03d,"vibration":0.%03d}}'
        % (number % 9973, START_MS + number, noise, noise * 7 % 1000, noise * 13 % 1000)
    )


def log(records: int, size: int, codec: int, headers: Sequence[Header]) -> bytes:
    """Return batches of `size` records each."""
    rows = [
        Row(START_MS + number // 3, b"sensor-%05d" % (number % 9973), reading(number), headers) for number in range(records)
    ]
    return b"".join(batch(start, rows[start : start + size], codec=codec) for start in range(0, records, size))


def by_client(content: bytes) -> list[Record]:
    """Parse as the client does."""
    records: list[Record] = Fetcher.PartitionRecords(0, TP, MemoryRecords(content)).take()
    return records


def by_us(content: bytes) -> list[Record]:
    """Parse as the source and the reader do."""
    batches = DeliverableBatches(MemoryRecords(content), 0, lambda: None, lambda _: True)
    records: list[Record] = partition_records(0, TP, batches).take()
    return records


def seconds(parse: Callable[[bytes], list[Record]], content: bytes, records: int) -> float:
    """Return the CPU time that parsing takes."""
    gc.collect()
    begun = time.process_time()
    parsed = parse(content)
    taken = time.process_time() - begun
    assert len(parsed) == records
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_kafka_records", description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=8000, help="records of each log (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each (default: %(default)s)")
    options = parser.parse_args()
    print(f"{'records a batch':>15} {'compression':>11} {'headers':>7} {'client':>8} {'ours':>8}")
    for size, codec, headers in SHAPES:
        content = log(options.records, size, codec, headers)
        turns = [[seconds(parse, content, options.records) for parse in (by_client, by_us)] for _ in range(options.rounds)]
        client, ours = (1e6 * min(column) / options.records for column in zip(*turns, strict=True))
        print(f"{size:15} {'lz4' if codec else 'none':>11} {len(headers):7} {client:8.2f} {ours:8.2f}")


if __name__ == "__main__":
    main()
