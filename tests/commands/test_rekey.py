"""`rekey`: its options, where a first copy begins, and how long the copy keeps readings."""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import pytest

from stream_detector.cli import main
from stream_detector.commands.rekey import Totals
from stream_detector.commands.rekey_engine import behind, retention_seconds, route_of
from stream_detector.commands.rekey_start import Ages, begin_ms, retention_ms
from stream_detector.rekey.engine import EARLIEST, LATEST, Report
from stream_detector.service.companion import News
from stream_detector.settings.input_settings import InputSettings
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import Settings
from tests.logging_state import logging_restored

NOW_MS = 1_767_300_000_000
HOUR_MS = 3_600_000
AGES = Ages(oldest_ms=NOW_MS - 10 * HOUR_MS, newest_ms=NOW_MS - 2 * HOUR_MS)


def test_a_first_copy_begins_the_look_back_before_the_newest_record() -> None:
    assert begin_ms("latest", HOUR_MS, AGES, NOW_MS) == NOW_MS - 3 * HOUR_MS
    assert begin_ms(NOW_MS - 5 * HOUR_MS, HOUR_MS, AGES, NOW_MS) == NOW_MS - 6 * HOUR_MS
    assert begin_ms("earliest", HOUR_MS, AGES, NOW_MS) == EARLIEST
    assert begin_ms("latest", HOUR_MS, Ages(None, None), NOW_MS) == NOW_MS - HOUR_MS


def test_a_record_from_the_future_does_not_move_the_beginning() -> None:
    assert begin_ms("latest", HOUR_MS, Ages(NOW_MS, NOW_MS + 9 * HOUR_MS), NOW_MS) == NOW_MS - HOUR_MS


def test_the_copy_keeps_what_it_gets_for_as_long_as_asked_however_old_it_is() -> None:
    assert retention_ms(7200, EARLIEST, AGES, NOW_MS) == 12 * HOUR_MS
    assert retention_ms(7200, NOW_MS - 3 * HOUR_MS, AGES, NOW_MS) == 5 * HOUR_MS
    assert retention_ms(7200, LATEST, AGES, NOW_MS) == 2 * HOUR_MS
    assert retention_ms(7200, EARLIEST, Ages(None, None), NOW_MS) == 2 * HOUR_MS


def test_the_retention_is_a_day_or_twice_the_look_back_unless_it_is_set() -> None:
    assert retention_seconds(InputSettings(), 100.0) == 86_400
    assert retention_seconds(InputSettings(), 100_000.0) == 200_000
    assert retention_seconds(InputSettings(repartition_retention_seconds=5), 100_000.0) == 5


def test_the_topic_between_has_the_names_of_group_and_topic_so_that_each_group_has_its_own() -> None:
    settings = Settings(kafka=KafkaSettings(input_topic="plant", group_id="group"), input=InputSettings(repartition=True))

    assert route_of(settings).to_topic == behind(settings).kafka.input_topic == "group-plant-by-sensor"
    assert route_of(settings).group_id == "group-rekey"
    assert behind(settings).kafka.group_id == "group"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "a"], "--to: name the topic to write"),
        (["--from", "a", "--to", "a"], "--from and --to are both a"),
    ],
)
def test_a_route_that_leads_nowhere_is_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_restored():
        assert main(["rekey", *options]) == 1
    assert message in capsys.readouterr().err


def test_what_it_tells_run_names_dead_letters_and_what_was_left_out() -> None:
    totals = Totals()
    totals.add(Report(records=3, readings=1, dead_letters=Counter(not_json=2), excluded=Counter(reading=1)))
    state = {"lag": 0, "partitions": 1, "is_member": True}

    news = msgspec.json.decode(json.dumps({**totals.as_json(), **state}), type=News)

    assert (news.records, news.dead_letters, news.excluded) == (3, {"not_json": 2}, {"reading": 1})
