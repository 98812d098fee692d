"""`stream-detector dead-letters`: group the records that could not be used by reason; `replay` sends them back after a fix."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from stream_detector.checkup.dead_letter_groups import (
    START_BYTES,
    Group,
    groups_of,
    key_text,
    letter_json,
    shown,
    value_start,
)
from stream_detector.checkup.findings import counted
from stream_detector.checkup.replay_choice import Tally, choice
from stream_detector.commands.argument_types import count, moment
from stream_detector.commands.settings_options import add_settings_options, copyable, settings_arguments, settings_of
from stream_detector.errors import StreamDetectorError
from stream_detector.ingest.dead_letter_origin import SHOWN_OF, DeadLetter, read_dead_letter
from stream_detector.ingest.document import REASONS
from stream_detector.logs import silence_kafka_client
from stream_detector.readings import Header, Record
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import Settings
from stream_detector.timestamps import to_ms

#: Most records that --since shows.
MOST = 100_000
_LAST = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", nargs="?", choices=("list", "replay"), default="list", help="what to do")
    parser.add_argument("--reason", action="append", choices=REASONS, metavar="REASON", help="only this reason; repeatable")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--last", type=count, metavar="N", help=f"list the newest N dead letters (usually {_LAST:,})")
    which.add_argument("--since", type=moment, metavar="TIME", help="only dead letters written since then")
    parser.add_argument("--show", action="store_true", help="list each dead letter, not only the reasons")
    parser.add_argument("--yes", action="store_true", help="replay: do it, instead of only saying what it would do")
    parser.add_argument("--json", action="store_true", help="print JSON; with --show, one dead letter a line")
    add_settings_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """List dead letters, or send them back. Every wait is bounded."""
    whole = settings_of(arguments)
    settings = whole.kafka
    silence_kafka_client()
    since_ms = to_ms(arguments.since) if isinstance(arguments.since, datetime) else None
    if arguments.action == "replay":
        return _replay(whole, arguments, since_ms)
    if arguments.yes:
        msg = "--yes goes with replay: stream-detector dead-letters replay --yes"
        raise StreamDetectorError(msg)
    letters = _read(settings, arguments.last, since_ms)
    if arguments.reason:
        letters = [letter for letter in letters if letter.reason in arguments.reason]
    if arguments.show:
        _show_each(letters, as_json=arguments.json)
    else:
        _show_groups(groups_of(letters), letters, settings, as_json=arguments.json)
        if letters and not arguments.json:
            after = "\nafter a fix: stream-detector dead-letters replay --reason REASON"
            _print(copyable(after, settings_arguments(arguments)))
    return 0


@dataclass(frozen=True, slots=True)
class Start:
    """A record of which only the start of the value is kept, so that many fit into memory."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


def _start_of(record: Record) -> Record:
    """Keep the start of a record's value, and our headers."""
    value = record.value
    ours = [header for header in record.headers if header[0].startswith("stream_detector.")]
    if value is not None and len(value) > 2 * START_BYTES:
        headers = [*ours, (SHOWN_OF, str(len(value)).encode())]
        start = value[: 2 * START_BYTES]
        return Start(record.topic, record.partition, record.offset, record.timestamp, record.key, start, headers)
    return record


def _read(settings: KafkaSettings, last: int | None, since_ms: int | None) -> list[DeadLetter]:
    from stream_detector.adapters.kafka.newest import NewestRecords

    with closing(NewestRecords(settings, settings.dead_letter_topic)) as newest:
        if not newest.bounds:
            msg = f"there is no topic {settings.dead_letter_topic} at {settings.brokers}"
            raise StreamDetectorError(msg)
        if since_ms is None:
            return [read_dead_letter(record) for record in newest.last(last or _LAST, _start_of)]
        found = newest.since(since_ms, MOST, _start_of)
    if len(found) >= MOST:
        _warn(f"these are the first {len(found):,}; there are more: name a later time in --since")
    return [read_dead_letter(record) for record in found]


def _show_groups(groups: Sequence[Group], letters: Sequence[DeadLetter], settings: KafkaSettings, *, as_json: bool) -> None:
    topic = settings.dead_letter_topic
    if as_json:
        _print(
            json.dumps({"topic": topic, "looked_at": len(letters), "reasons": [group.as_json() for group in groups]}, indent=2)
        )
        return
    if not groups:
        _print(f"no dead letter in {topic}")
        return
    _print(f"{counted(len(letters), 'dead letter')} in {topic}, the newest looked at:")
    for group in groups:
        _print("\n".join(["", *_group_lines(group)]))


def _group_lines(group: Group) -> list[str]:
    letter = group.example
    record = letter.record
    first, last = shown(group.first_ms) or "unknown", shown(group.last_ms) or "unknown"
    lines = [f"{group.reason}  {group.count:,}  from {first} to {last}"]
    if group.keys:
        keys = ", ".join(f"{_printable(name)} ({number:,})" for name, number in group.keys)
        more = group.key_count - len(group.keys)
        lines.append(f"  keys     {keys}{f' and {more:,} more' if more else ''}")
    if group.cut:
        lines.append(f"  cut      {counted(group.cut, 'record')} cannot be sent back")
    lines += [
        f"  example  {_printable(letter.detail)}",
        f"  from     {letter.topic or 'unknown'} partition {letter.partition} offset {letter.offset}",
        f"  value    {_printable(value_start(record.value or b''))}",
    ]
    return lines


def _show_each(letters: Sequence[DeadLetter], *, as_json: bool) -> None:
    for letter in letters:
        if as_json:
            _print(json.dumps(letter_json(letter)))
            continue
        record = letter.record
        key = "no key" if record.key is None else f"key {_printable(key_text(record.key))}"
        _print(f"{shown(record.timestamp) or 'unknown'}  {letter.reason}: {_printable(letter.detail)}")
        _print(f"  {letter.topic or 'unknown'} partition {letter.partition} offset {letter.offset}, {key}")
        _print(f"  {_printable(value_start(record.value or b''))}")


def _replay(whole: Settings, arguments: argparse.Namespace, since_ms: int | None) -> int:
    from stream_detector.commands.dead_letters_replay import kept_since_ms, replay
    from stream_detector.commands.rekey_engine import behind

    if arguments.last is not None or arguments.show:
        msg = "replay takes --reason and --since: --last and --show belong to the list"
        raise StreamDetectorError(msg)
    settings, now_ms = whole.kafka, int(1000 * time.time())
    topics = sorted({settings.input_topic, behind(whole).kafka.input_topic})
    chosen = choice({topic: kept_since_ms(settings, topic, now_ms) for topic in topics}, arguments.reason, since_ms)
    tally = replay(settings, chosen, does_it=arguments.yes, sent=_progress)
    if arguments.json:
        _print(json.dumps(_tally_json(tally, done=arguments.yes)))
    else:
        _print("\n".join(_tally_lines(tally, settings, done=arguments.yes)))
    return 0


def _progress(sent: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{sent:,} sent back")
        sys.stderr.flush()


def _tally_json(tally: Tally, *, done: bool) -> dict[str, object]:
    return {
        "done": done,
        "sent": tally.fates["sent"],
        "by_reason": dict(tally.sent),
        "by_topic": dict(tally.topics),
        "older_than_retention": tally.removed,
        "sent_before": tally.fates["sent before"],
        "older_than_since": tally.fates["older"],
        "of_another_topic": tally.fates["of another topic"],
        "cannot_be_replayed": tally.fates["cannot return"],
    }


def _tally_lines(tally: Tally, settings: KafkaSettings, *, done: bool) -> list[str]:
    fates = tally.fates
    verb = "sent" if done else "would send"
    topics = sorted(tally.topics) or [settings.input_topic]
    lines = [f"{verb} {counted(fates['sent'], 'record')} back to {' and '.join(topics)}"]
    lines += [f"  {tally.topics[topic]:,} to {topic}" for topic in topics if len(topics) > 1]
    lines += [f"  {number:,} {reason}" for reason, number in tally.sent.most_common()]
    if tally.removed:
        where = topics[0] if len(topics) == 1 else "their topic"
        lines.append(
            f"{tally.removed:,} of them are older than {where} keeps records: Kafka removes them soon. "
            "Raise retention.ms of the topic first"
        )
    if fates["sent before"]:
        lines.append(f"{fates['sent before']:,} were sent back before, and are not sent twice")
    if fates["cannot return"] and tally.kept_back is not None:
        record = tally.kept_back.record
        place = f"{record.topic} partition {record.partition} offset {record.offset}"
        lines.append(f"{fates['cannot return']:,} cannot be sent back; {place}: {tally.kept_back.cannot_return}")
    if fates["of another topic"]:
        lines.append(f"{fates['of another topic']:,} are of another input topic, and stay")
    if fates["older"]:
        passed = (
            "were passed over: no later replay sends them" if done else "would be passed over, and no later replay sends them"
        )
        lines.append(f"{fates['older']:,} are older than --since and {passed}")
    if fates["sent"]:
        lines.append(
            "A reading that is not newer than its sensor's newest is late: the detector drops and counts it. So sensors that "
            "went on sending meanwhile get no score for these readings (docs/dead-letters.md#late-readings)"
        )
    if not done:
        lines.append("nothing was sent; to do it: add --yes")
    return lines


def _printable(text: str) -> str:
    """Return the text without control characters: it comes from records."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _print(text: str) -> None:
    print(text)  # noqa: T201 - the command line prints


def _warn(text: str) -> None:
    print(f"stream-detector dead-letters: {text}", file=sys.stderr)  # noqa: T201 - the command line prints
