"""Findings about a sample of the input topic: keys, and records that would become dead letters."""

from __future__ import annotations

from collections.abc import Iterator

from stream_detector.checkup.findings import Finding, counted, ok, some, warning, wrong
from stream_detector.checkup.kafka_facts import LogFacts
from stream_detector.checkup.sample import Sample

_KEYS, _RECORDS = "keys", "records"
_DETAIL = 300
_IGNORE = "export STREAM_DETECTOR_INPUT__UNKNOWN_FEATURES=ignore"
_TRAIN = "stream-detector train --from-topic --output DIRECTORY"


def key_findings(sample: Sample, partitions: int, log: LogFacts | None, *, repartition: bool = False) -> Iterator[Finding]:
    """Say whether each sensor comes from one partition, as its window needs; with `repartition`, it need not."""
    if not sample.sensors or partitions < 2:
        return
    if repartition:
        yield ok(_KEYS, "run re-keys the readings by sensor first, as INPUT__REPARTITION says (docs/unkeyed.md)")
        return
    cure = (
        "export STREAM_DETECTOR_INPUT__REPARTITION=true, and run re-keys them (docs/unkeyed.md); or key every record by its "
        "sensor id in the producer, and write to a new topic: old readings stay where they are"
    )
    if sample.spread:
        names = [f"{name} (partitions {', '.join(map(str, found))})" for name, found in sample.spread.items()]
        yield wrong(
            _KEYS,
            f"{counted(len(names), 'sensor')} of {len(sample.sensors):,} "
            f"{'comes' if len(names) == 1 else 'come'} from several partitions, where each would fill a window of its own: "
            f"{some(names, 3)}",
            cure,
        )
    elif sample.unkeyed:
        yield warning(
            _KEYS,
            f"{sample.unkeyed:,} of {counted(sample.records, 'record')} have no key: a sensor's readings may go to any of the "
            f"{partitions} partitions",
            cure,
        )
    else:
        yield ok(_KEYS, f"each of {counted(len(sample.sensors), 'sensor')} comes from one partition")
    if log is not None and log.empty_partitions and log.records > 100 * partitions:
        yield warning(
            _KEYS,
            f"{counted(log.empty_partitions, 'partition')} of {partitions} "
            f"{'is' if log.empty_partitions == 1 else 'are'} empty: replicas that read them have nothing to do",
            "look at the keys: more different keys spread more evenly",
        )


def record_findings(sample: Sample, topic: str, max_share: float, *, ignores_unknown: bool) -> Iterator[Finding]:
    """Say how many of the records the stream would use, and why not the others."""
    if not sample.records:
        yield warning(_RECORDS, f"{topic} holds no record yet", "start the producer, and run the check again")
        return
    bad = sum(count for count, _ in sample.rejected.values())
    of_all = f"the {counted(sample.records, 'newest record')}"
    if not bad:
        yield ok(_RECORDS, f"all of {of_all} are readings, of {counted(len(sample.sensors), 'sensor')}")
        return
    stops = bad > max_share * sample.records
    for reason, (count, example) in sample.rejected.items():
        record = example.record
        place = f"partition {record.partition} offset {record.offset}"
        text = f"{count:,} of {of_all} would become dead letters: {reason}, for example {place}: {example.detail[:_DETAIL]}"
        advice = _advice(reason, ignores_unknown=ignores_unknown)
        yield (wrong if stops else warning)(_RECORDS, text, *advice)
    if stops:
        yield wrong(
            _RECORDS,
            f"{100 * bad / sample.records:.0f} % of the records would become dead letters; run stops at more than "
            f"{100 * max_share:.0f} %",
            "mend what the lines above name",
        )


def _advice(reason: str, *, ignores_unknown: bool) -> tuple[str, ...]:
    if reason == "unknown_features" and ignores_unknown:
        return (
            "send at least one feature under the name that the model has for it",
            f"or train with what the topic has: {_TRAIN}",
        )
    if reason == "unknown_features":
        return (f"{_IGNORE} (then a reading needs one feature that the model knows)", "or train with what the topic has")
    if reason == "time_in_future":
        return ("set the sensors' clocks, or export STREAM_DETECTOR_INPUT__TIME_ZONE=ZONE if the times are local",)
    if reason == "too_large":
        return ("export STREAM_DETECTOR_INPUT__MAX_RECORD_BYTES=NUMBER",)
    return (f"docs/input.md#dead-letters explains {reason}",)
