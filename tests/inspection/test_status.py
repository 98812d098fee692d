"""A status: what is wrong, and how it looks in a terminal and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from stream_detector.alert_view import ASCII, UNICODE, Palette
from stream_detector.ingest.input_reader import InputReader
from stream_detector.inspection.alarms import Alarms, NewestRecords, OpenIncident
from stream_detector.inspection.closing import Closing
from stream_detector.inspection.dead_letters import DeadLetter, DeadLetters, ReasonGroup, Senders, dead_letters_of
from stream_detector.inspection.learning_words import LearningWords, read_words, written_words
from stream_detector.inspection.progress import (
    GroupProgress,
    PartitionProgress,
    Speed,
    record_share,
    records_waiting,
    speed_between,
)
from stream_detector.inspection.sensors import FILLING, IN_INCIDENT, LEARNING, READY, SILENT, Judged, OpenType, SensorStatus
from stream_detector.inspection.status import KafkaPart, Outage, Status, Subject, problems_of
from stream_detector.inspection.status_json import status_document
from stream_detector.inspection.status_view import render_status
from stream_detector.inspection.stored import Note, StoredSensors
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings
from tests.inspection.test_alarms import Found

NOW_MS = 1_796_000_000_000
SUBJECT = Subject(
    brokers="kafka:9092",
    input_topic="plant",
    group_id="detectors",
    alerts_topic="alerts",
    dead_letter_topic="dead",
    redis="redis:6379",
    model="model",
    model_name="pumps v1",
    model_problem="",
    has_built_in=True,
    budget_per_sensor_day=0.5,
)
PARTITIONS = PartitionProgress(0, 100, Note(90, "")), PartitionProgress(1, 50, Note(50, "")), PartitionProgress(2, 7, None)
GROUP = GroupProgress(10.0, PARTITIONS, members=2, group_state="Stable")
SENSORS = (
    SensorStatus(
        "pump-1", 0, IN_INCIDENT, NOW_MS - 2_000, 64, 64, is_known=True, incidents=(OpenType("anomaly", 5, NOW_MS - 60_000),)
    ),
    SensorStatus("pump-2", 0, SILENT, NOW_MS - 600_000, 64, 64, is_known=True),
    SensorStatus("pump-3", 1, FILLING, NOW_MS - 1_000, 12, 64, is_known=False),
    SensorStatus("pump-4", 1, LEARNING, NOW_MS - 1_000, 64, 64, is_known=False, learned=300, to_learn=1024),
    SensorStatus("pump-5", 1, READY, NOW_MS, 64, 64, is_known=True),
)
STORED = StoredSensors(
    persisted={0: 90, 1: 50},
    counts={IN_INCIDENT: 1, SILENT: 1, FILLING: 1, LEARNING: 1, READY: 1},
    unknown=2,
    sensors=SENSORS,
    is_cut=False,
)
LETTER = DeadLetter(NOW_MS - 5_000, "not_json", "ends early", "plant partition 0 offset 3")
KAFKA = KafkaPart(
    group=GROUP,
    speed=Speed(412.0, 400.0),
    standing_s=0.0,
    alarms=Alarms(3, 1, is_complete=True, open=(OpenIncident("pump-1", "anomaly", NOW_MS - 60_000, "high", "flow 3, not 1"),)),
    dead_letters=DeadLetters(2, is_complete=True, newest=(LETTER,), groups=(ReasonGroup(2, LETTER),)),
)
STATUS = Status(NOW_MS, SUBJECT, KAFKA, None, STORED, None)


def drawn(status: Status, palette: Palette = UNICODE, width: int = 80, limit: int = 20) -> list[str]:
    return [line.plain for line in render_status(status, palette, width, limit)]


def codes(status: Status) -> list[str]:
    return [one.code for one in problems_of(status)]


def test_all_is_well_draws_what_is_watched_in_lines_of_80_columns() -> None:
    assert drawn(STATUS) == [
        "status of  plant, group detectors at 2026-11-30 00:53:20Z",
        "model      pumps v1",
        "detectors  2 running",
        "input      3 partitions, 412 records/s arrive, 400/s are dealt with, lag 10",
        "           records",
        "sensors    5: 1 in an incident, 1 silent, 1 filling, 1 learning its scale,",
        "           1 ready; 2 unknown to the model",
        "  pump-1                     in an incident: anomaly                2 s ago",
        "  pump-2                     silent                                 10 min ago",
        "  pump-3                     filling 12 of 64, unknown              1 s ago",
        "  pump-4                     learning its scale, 300 of 1,024       1 s ago",
        "  pump-5                     ready                                  0 s ago",
        "alarms     3 of the score in 24 h, 2.5 allowed (0.5 per sensor and day); 1 of",
        "           the rules",
        "open       1 incident",
        "  ● pump-1 high since 2026-11-30 00:52:20Z",
        "    flow 3, not 1",
        "unusable   2 records in the last hour (dead letters)",
        "  2 x not_json, the last 5 s ago: ends early (plant partition 0 offset 3)",
    ]


def in_use(tag: int, **of_subject: object) -> str:
    subject = replace(SUBJECT, model_tag=7, built_in_tag=8, **of_subject)  # type: ignore[arg-type] # fields of the subject
    alarms = replace(KAFKA.alarms, models={9: "pumps v0"})
    stored = replace(STORED, newest=Judged(NOW_MS, tag))
    return " ".join(drawn(replace(STATUS, subject=subject, kafka=replace(KAFKA, alarms=alarms), stored=stored), width=200)[1:2])


def test_a_detector_that_runs_another_model_than_the_directory_holds_is_told_with_what_takes_that_up() -> None:
    assert in_use(7) == "model      pumps v1"
    assert in_use(9, model_ms=NOW_MS - 60_000) == (
        "model      pumps v0 judged the newest reading; model holds pumps v1, written 2026-11-30 00:52:20Z: "
        "a restart takes it up"
    )
    assert in_use(5) == "model      another model judged the newest reading; model holds pumps v1: a restart takes it up"
    assert in_use(8).startswith("model      the built-in model judged the newest reading; ")
    assert in_use(8).endswith(": a restart or SIGHUP takes it up")


def test_which_model_judges_is_in_the_document() -> None:
    def told(tag: int) -> tuple[str | None, str | None]:
        subject = replace(SUBJECT, model_tag=7)
        document = status_document(replace(STATUS, subject=subject, stored=replace(STORED, newest=Judged(NOW_MS, tag))), 5)
        return document["model"], document["model_in_use"]

    assert told(7) == ("pumps v1", "pumps v1")
    assert told(5) == ("pumps v1", "another model")
    assert status_document(STATUS, 5)["model_in_use"] is None


def test_an_open_incident_says_what_it_waits_for() -> None:
    waits = Closing(40_000, 120_000, NOW_MS + 80_000)
    sensors = (replace(SENSORS[0], incidents=(OpenType("anomaly", 5, NOW_MS - 60_000, waits),)), *SENSORS[1:])
    status = replace(STATUS, stored=replace(STORED, sensors=sensors))
    lines = drawn(status, width=100)

    assert lines[lines.index("    flow 3, not 1") + 1] == (
        "    quiet for 40 s; closes after 2 min of quiet, about 2026-11-30 00:54:40Z"
    )
    (told,) = status_document(status, 5)["open_incidents"]
    assert (told["closing"]["quiet_seconds"], told["closing"]["closes_at"]) == (40.0, "2026-11-30T00:54:40.000Z")


def test_a_limit_names_what_needs_attention_and_counts_the_rest() -> None:
    lines = drawn(STATUS, limit=1)

    assert "... and 4 more; --limit N shows more" in "\n".join(lines)
    assert not any("pump-2" in line for line in lines)


def test_a_look_that_was_cut_says_so() -> None:
    lines = " ".join(drawn(replace(STATUS, stored=replace(STORED, is_cut=True))))

    assert "the first 5 (there are more)" in lines
    assert "2.5 or more allowed" in lines


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (STATUS, []),
        (replace(STATUS, kafka=None, kafka_outage=Outage(3.0, "no broker")), ["kafka"]),
        (replace(STATUS, redis_outage=Outage(12.0, "refused")), ["redis"]),
        (replace(STATUS, kafka=replace(KAFKA, group=replace(GROUP, partitions=()))), ["no_topic"]),
        (replace(STATUS, kafka=replace(KAFKA, group=replace(GROUP, members=0))), ["no_detector"]),
        (replace(STATUS, kafka=replace(KAFKA, standing_s=20.0)), ["standing"]),
        (replace(STATUS, stored=replace(STORED, persisted={}, counts={}, sensors=())), ["no_state"]),
        (replace(STATUS, stored=replace(STORED, foreign_layouts=("8:64:8:a",))), ["layout"]),
        (replace(STATUS, stored=replace(STORED, fits_model=False)), ["other_model"]),
        (replace(STATUS, subject=replace(SUBJECT, model_name="", model_problem="damaged")), ["model"]),
        (replace(STATUS, subject=replace(SUBJECT, model_name="")), []),
    ],
)
def test_what_is_wrong_with_the_detector_is_a_problem_and_what_is_wrong_with_a_sensor_is_not(
    status: Status, expected: list[str]
) -> None:
    assert codes(status) == expected


def test_while_redis_is_away_what_it_said_last_is_shown_with_for_how_long() -> None:
    text = " ".join(" ".join(drawn(replace(STATUS, redis_outage=Outage(12.0, "refused")))).split())

    assert "Redis has not answered for 12 s, and what it said then is shown: refused" in text
    assert "pump-1" in text


def test_nothing_known_yet_draws_a_title_only() -> None:
    assert drawn(Status(NOW_MS, SUBJECT, None, None, None, None)) == [
        "status of  plant, group detectors at 2026-11-30 00:53:20Z",
        "model      pumps v1",
    ]


def test_the_document_has_the_same_facts() -> None:
    told = json.loads(json.dumps(status_document(STATUS, 2)))

    assert told["detector"]["lag"] == 10
    assert [one["lag"] for one in told["detector"]["partitions"]] == [10, 0, None]
    assert told["sensors"]["states"] == {"in_incident": 1, "silent": 1, "filling": 1, "learning": 1, "idle": 0, "ready": 1}
    assert [one["sensor_id"] for one in told["sensors"]["sensors"]] == ["pump-1", "pump-2"]
    assert told["sensors"]["sensors"][1]["seconds_ago"] == 600.0
    assert told["alarms"]["allowed_in_24_hours"] == 2.5
    assert told["open_incidents"][0]["about"] == "flow 3, not 1"


def test_the_speed_is_that_between_two_looks() -> None:
    later = replace(GROUP, at_s=12.0, partitions=(replace(PARTITIONS[0], end=120, committed=Note(96, "")), *PARTITIONS[1:]))

    assert speed_between(GROUP, later) == Speed(10.0, 3.0)
    assert speed_between(None, later) == Speed(None, None)
    assert speed_between(GROUP, replace(later, at_s=10.1)) == Speed(None, None)


def test_a_low_speed_is_that_of_the_last_minute_by_the_records_timestamps() -> None:
    """36 of 100 records are of the last minute, 30 of them dealt with: 0.6 and 0.5 a second."""
    earlier = replace(GROUP, partitions=(PartitionProgress(0, 100, Note(94, ""), 64), PartitionProgress(1, 7, None, None)))
    later = replace(earlier, at_s=12.0)
    faster = replace(later, partitions=(PartitionProgress(0, 120, Note(114, ""), 84), PartitionProgress(1, 7, None, None)))

    assert speed_between(earlier, later) == Speed(0.6, 0.5)
    assert speed_between(earlier, faster) == Speed(10.0, 10.0)  # twenty records are enough to tell it


def test_marks_of_transactions_are_no_records_and_do_not_count_in_the_speed() -> None:
    """Every second position of the first partition is a mark: 36 positions of the last minute are 18 records, 30 are 15."""
    earlier = replace(GROUP, partitions=(PartitionProgress(0, 100, Note(94, ""), 64, 0.5), PartitionProgress(1, 7, None, None)))
    later = replace(earlier, at_s=12.0)
    faster = replace(later, partitions=(PartitionProgress(0, 180, Note(174, ""), 84, 0.5), PartitionProgress(1, 7, None, None)))

    assert speed_between(earlier, later) == Speed(0.3, 0.25)
    assert speed_between(earlier, faster) == Speed(20.0, 20.0)


def test_the_share_of_records_is_of_the_positions_from_the_first_that_was_read_to_the_end() -> None:
    assert record_share([10, 12, 14], 16) == 0.5
    assert record_share([10, 11], 12) == 1.0
    assert record_share([10, 11, 12], 12) == 1.0  # the last came after the end was looked up
    assert record_share([], 7) == 1.0


def test_records_that_wait_are_counted_without_the_marks_of_transactions() -> None:
    assert records_waiting([10, 12, 14], 12, 16) == 2
    assert records_waiting([10, 12, 14], 15, 16) == 0  # only the mark of the last transaction is not committed
    assert records_waiting([10, 12, 14], 4, 16) == 6  # half of the positions from 4 to 10, and all that are known
    assert records_waiting([10, 12, 16], 12, 16) == 1  # the last came after the end was looked up
    assert records_waiting([], 3, 5) == 0


def test_the_lag_of_a_partition_with_marks_is_its_records() -> None:
    with_marks = GroupProgress(0.0, (PartitionProgress(0, 20, Note(10, ""), waiting=5), PartitionProgress(1, 9, None)), 1, "")

    assert [one.lag for one in with_marks.partitions] == [5, None]
    assert with_marks.lag == 5


def test_a_status_shows_times_in_the_zone_that_is_asked_for() -> None:
    text = "\n".join(line.plain for line in render_status(STATUS, UNICODE, 100, 5, ZoneInfo("Europe/Berlin")))

    assert "+01:00" in text or "+02:00" in text
    assert "Z\n" not in text


def test_while_a_model_is_learned_it_says_how_far_that_is() -> None:
    words = LearningWords(NOW_MS - 3_000, "collecting", "collecting: 312 of 2,000 readings of 12 sensors, about 28 minutes")
    learning = replace(STATUS, subject=replace(SUBJECT, model_name=""), stored=replace(STORED, learning=words))
    late = replace(learning, stored=replace(STORED, learning=LearningWords(NOW_MS - 300_000, "training", "training: 10 %")))

    assert drawn(learning, width=100)[2:4] == [
        "learning   collecting: 312 of 2,000 readings of 12 sensors, about 28 minutes",
        "detectors  2 running",
    ]
    assert "learning   training: 10 % (said 5 min ago)" in drawn(late)
    assert status_document(learning, 2)["learning"] == {
        "at": "2026-11-30T00:53:17.000Z",
        "stage": "collecting",
        "text": words.text,
    }
    assert not any(line.startswith("learning") for line in drawn(replace(STATUS, stored=replace(STORED, learning=words))))


@pytest.mark.parametrize("stored", [b"", b"{}", b"not json", b'{"at_ms": "1", "stage": "a", "text": "b"}', b"\xff"])
def test_words_that_nobody_of_us_left_are_none(stored: bytes) -> None:
    assert read_words(stored) is None
    assert read_words(written_words(LearningWords(1, "a", "b"))) == LearningWords(1, "a", "b")


def dead(minutes_ago: int, reason: str, detail: str) -> Found:
    headers = (("stream_detector.reason", reason.encode()), ("stream_detector.detail", detail.encode()))
    return Found(b"", NOW_MS - 60_000 * minutes_ago, 100 - minutes_ago, headers)


def test_equal_dead_letters_are_one_line_with_their_number_and_the_newest() -> None:
    records = [dead(70, "too_long", "old")] + [dead(at, "not_json", f"number {at}") for at in (9, 5, 1)]
    found = dead_letters_of(NewestRecords([*records, dead(7, "bad_time", "noon")], is_cut=False), frozenset({"plant"}), NOW_MS)
    lines = drawn(replace(STATUS, kafka=replace(KAFKA, dead_letters=found)), width=120)

    assert lines[-3:] == [
        "unusable   4 records in the last hour (dead letters)",
        "  3 x not_json, the last 60 s ago: number 1 (? partition  offset )",
        "  bad_time 7 min ago: noon (? partition  offset )",
    ]
    only_old = dead_letters_of(NewestRecords(records[:1], is_cut=False), frozenset({"plant"}), NOW_MS)
    assert [(one.count, one.newest.detail) for one in only_old.groups] == [(1, "old")]
    assert only_old.last_hour == 0


#: Letters that are two columns wide, with blanks.
WIDE = st.text("泵站温度 a", max_size=200)


@given(
    width=st.integers(40, 200),
    name=st.text(max_size=60) | WIDE,
    about=st.text(max_size=500) | WIDE,
    is_plain=st.booleans(),
)
def test_no_line_is_wider_than_the_terminal_whatever_sensors_are_called(
    width: int, name: str, about: str, is_plain: bool
) -> None:
    sensors = tuple(replace(one, sensor=name) for one in SENSORS)
    incident = OpenIncident(name, "frozen", NOW_MS, "high", about)
    kafka = replace(KAFKA, alarms=replace(KAFKA.alarms, open=(incident,)))
    lines = drawn(replace(STATUS, kafka=kafka, stored=replace(STORED, sensors=sensors)), ASCII if is_plain else UNICODE, width)

    assert max(map(cell_len, lines)) <= width
    assert all(line.isprintable() for line in lines)


def test_of_a_silent_sensor_it_says_that_its_records_since_its_last_reading_are_dead_letters() -> None:
    """pump-2 sent its last reading ten minutes ago. By their key, and by the sensor that a record names."""
    named = json.dumps({"sensor_id": "pump-2", "timestamp": 1, "values": {"flow": 1}}).encode()
    letters = [
        replace(dead(11, "not_json", "older"), key=b"pump-2"),
        replace(dead(9, "not_json", "first"), key=b"pump-2"),
        replace(dead(8, "not_json", "of another"), key=b"pump-1"),
        replace(dead(1, "time_in_future", "last"), value=named),
    ]
    found = dead_letters_of(NewestRecords(letters, is_cut=False), frozenset({"plant"}), NOW_MS, Senders(InputReader()))
    status = replace(STATUS, kafka=replace(KAFKA, dead_letters=found))
    lines, told = drawn(status, width=100), status_document(status, 5)["sensors"]["sensors"]

    at = next(number for number, line in enumerate(lines) if line.startswith("  pump-2"))
    assert lines[at + 1] == ("    but it sends: 2 records became dead letters since 2026-11-30 00:44:20Z, the last 60 s ago:")
    assert lines[at + 2] == "    time_in_future"
    assert [one["dead_letters"] for one in told if one["sensor_id"] != "pump-2"] == [None] * 4
    assert told[1]["dead_letters"] == {
        "count": 2,
        "since": "2026-11-30T00:44:20.000Z",
        "last": "2026-11-30T00:52:20.000Z",
        "reason": "time_in_future",
    }


def test_with_re_keying_the_dead_letters_of_both_topics_count_and_each_is_read_in_its_form() -> None:
    """The plant's records have no key, and say their sensor in a form of their own."""
    native = json.dumps({"sensor_id": "pump-1", "timestamp": 1, "values": {"flow": 1}}).encode()
    flat = json.dumps({"machine": "pump-2", "flow": 1}).encode()
    letters = [
        replace(dead(minutes, "time_missing", topic), value=value, headers=(("stream_detector.topic", topic.encode()),))
        for minutes, topic, value in ((3, "plant", flat), (2, "copy", native), (1, "elsewhere", native))
    ]
    plant = input_reader(InputSettings(preset="flat", sensor="machine"))
    senders = Senders(InputReader(), {"plant": plant})
    found = dead_letters_of(NewestRecords(letters, is_cut=False), frozenset({"copy", "plant"}), NOW_MS, senders)

    assert found.last_hour == 2
    assert {sensor: len(records) for sensor, records in found.of_sensors.items()} == {"pump-2": 1, "pump-1": 1}
