"""Findings about how long the input topic keeps readings, beside what a restart reads again."""

from __future__ import annotations

from collections.abc import Iterator

from stream_detector.checkup.findings import Finding, ok, warning, wrong
from stream_detector.checkup.kafka_facts import LogFacts, TopicFacts
from stream_detector.timestamps import duration

_ABOUT = "retention"


def retention_findings(topic: TopicFacts, log: LogFacts | None, lookback_ms: int) -> Iterator[Finding]:
    """Compare the retention with the look-back: the history that fills the windows of a new group, or of a lost Redis."""
    if topic.configs is None:
        yield _unknown(topic, log, lookback_ms)
        return
    needed = duration(lookback_ms / 1000)
    retention_ms = int(topic.configs.get("retention.ms", "-1"))
    retention_bytes = int(topic.configs.get("retention.bytes", "-1"))
    kept = "readings for ever" if retention_ms < 0 else f"readings for {duration(retention_ms / 1000)}"
    command = "kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name"
    longer = f"{command} {topic.name} --add-config retention.ms={max(2 * lookback_ms, 86_400_000)}"
    if 0 <= retention_ms < lookback_ms:
        yield wrong(
            _ABOUT,
            f"{topic.name} keeps {kept}, and a restart may read back {needed}: windows could not be filled again",
            longer,
        )
    elif 0 <= retention_ms < 2 * lookback_ms:
        yield warning(_ABOUT, f"{topic.name} keeps {kept}, hardly more than the {needed} that a restart may read back", longer)
    elif retention_bytes >= 0 and log is not None and _span_ms(log) < lookback_ms:
        yield warning(
            _ABOUT,
            f"{topic.name} keeps at most {retention_bytes:,} bytes of a partition, which hold {duration(_span_ms(log) / 1000)} "
            f"now; a restart may read back {needed}",
            f"{command} {topic.name} --add-config retention.bytes=-1",
        )
    else:
        yield ok(_ABOUT, f"{topic.name} keeps {kept}; a restart reads back at most {needed}")


def _unknown(topic: TopicFacts, log: LogFacts | None, lookback_ms: int) -> Finding:
    held = f"; it holds {duration(_span_ms(log) / 1000)} now" if log is not None and log.oldest_ms is not None else ""
    return warning(
        _ABOUT,
        f"this user may not read how long {topic.name} keeps readings, and a restart may read back "
        f"{duration(lookback_ms / 1000)}{held}",
        f"kafka-configs.sh --bootstrap-server HOST:PORT --describe --entity-type topics --entity-name {topic.name} --all",
        f"or grant DescribeConfigs on topic {topic.name} for the check",
    )


def _span_ms(log: LogFacts) -> int:
    if log.oldest_ms is None or log.newest_ms is None:
        return 0
    return max(0, log.newest_ms - log.oldest_ms)
