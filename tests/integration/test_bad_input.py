"""Hostile records among good ones, through the full pipeline: each is accounted for, and no other sensor's alerts change."""

from __future__ import annotations

from pathlib import Path

from kafka.record import MemoryRecordsBuilder

from tests.chaos.bad_input import MAX_MESSAGE_BYTES, CorpusSize, run
from tests.chaos.corpus import Corpus, batch_bytes, longest
from tests.servers.valkey import Valkey


def test_every_hostile_record_is_accounted_for_and_changes_nothing_for_its_neighbours(
    kafka_brokers: str, own_valkey: Valkey, tmp_path: Path
) -> None:
    outcome = run(kafka_brokers, own_valkey.url, tmp_path, CorpusSize(records=20_000, seed=7, max_sensors=4096))

    assert outcome.findings == []


def test_equal_seeds_give_equal_records() -> None:
    first, again, other = (list(Corpus(seed, 4, MAX_MESSAGE_BYTES).records(2000)) for seed in (1, 1, 2))

    assert first == again != other
    assert sum(len({record.key for record in records}) for records in (first, other)) > 1500


def test_a_record_at_the_brokers_limit_fills_its_batch() -> None:
    length = longest(MAX_MESSAGE_BYTES, lambda size: batch_bytes(None, size))
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1 << 21)
    builder.append(timestamp=1, key=None, value=bytes(length), headers=[])
    builder.close()

    assert len(builder.buffer()) == batch_bytes(None, length) == MAX_MESSAGE_BYTES
