"""Dead letters in groups, and which of them go back."""

from __future__ import annotations

from dataclasses import replace

from stream_detector.checkup.dead_letter_groups import groups_of, letter_json
from stream_detector.checkup.replay_choice import Tally, choice
from stream_detector.ingest.dead_letter_origin import DeadLetter, read_dead_letter
from stream_detector.ingest.dead_letters import dead_letter
from stream_detector.readings import Rejected
from tests.checkup.test_model_findings import START_MS, Sent


def letter(reason: str, offset: int = 0, key: bytes | None = b"pump-1", value: bytes = b"{}", limit: int = 1000) -> DeadLetter:
    origin = Sent(value, 1, 100 + offset, key)
    message = dead_letter(Rejected(origin, reason, f"detail of {offset}"), "dead", limit)
    record = Sent(message.value or b"", 0, offset, message.key, "dead", START_MS + 1000 * offset, message.headers)
    return read_dead_letter(record)


def test_letters_are_grouped_by_reason_with_times_keys_and_the_newest_as_the_example() -> None:
    letters = [
        letter("not_json", 1),
        letter("no_value", 2, b"pump-2"),
        letter("not_json", 3, b"pump-2"),
        letter("not_json", 4, b"pump-1"),
        letter("not_json", 5, None),
    ]

    first, second = groups_of(letters)

    assert (first.reason, first.count, first.keys, first.key_count) == ("not_json", 4, (("pump-1", 2), ("pump-2", 1)), 2)
    assert (first.first_ms, first.last_ms) == (START_MS + 1000, START_MS + 5000)
    assert (first.example.detail, first.example.offset) == ("detail of 5", 105)
    assert (second.reason, second.count) == ("no_value", 1)


def test_a_letter_as_json_has_its_origin_and_the_start_of_its_value() -> None:
    document = letter_json(letter("not_json", 1, b"\xff", b"x" * 300))

    assert document["origin"] == {"topic": "readings", "partition": 1, "offset": 101, "time": "2026-01-01T01:00:00.000Z"}
    assert document["key"] == "\\xff"
    assert document["value"] == "x" * 200 + "..."
    assert document["value_bytes"] == 300


def test_what_becomes_of_a_letter_follows_from_reason_position_time_and_origin() -> None:
    chosen = choice({"readings": None, "re-keyed": None}, ["not_json"], START_MS + 3000)
    fates = [
        chosen.fate(letter("no_value", 9), 0),
        chosen.fate(letter("not_json", 4), 5),
        chosen.fate(letter("not_json", 2), 0),
        chosen.fate(replace(letter("not_json", 5), topic="elsewhere"), 5),
        chosen.fate(letter("not_json", 5, value=b"x" * 30, limit=20), 5),
        chosen.fate(letter("not_json", 5), 5),
        chosen.fate(replace(letter("not_json", 5), topic="re-keyed"), 5),
    ]

    assert fates == ["another reason", "sent before", "older", "of another topic", "cannot return", "sent", "sent"]


def test_without_a_reason_all_that_the_service_gives_are_chosen() -> None:
    chosen = choice({"readings": None}, None, None)

    assert [chosen.fate(letter(reason), 0) for reason in ("not_json", "too_large", "unknown")] == [
        "sent",
        "sent",
        "another reason",
    ]


def test_a_tally_keeps_one_that_cannot_return() -> None:
    tally = Tally()
    kept = choice({"readings": 10 * START_MS, "re-keyed": None}, None, None)
    tally.count(letter("not_json"), "sent", is_removed=kept.is_removed(letter("not_json")))
    tally.count(letter("not_json", 7), "cannot return")

    assert (tally.fates["sent"], tally.sent["not_json"], tally.fates["cannot return"]) == (1, 1, 1)
    assert tally.removed == 1
    assert tally.topics == {"readings": 1}
    assert not kept.is_removed(replace(letter("not_json"), topic="re-keyed"))
    assert tally.kept_back is not None
    assert tally.kept_back.record.offset == 7
