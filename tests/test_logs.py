"""Structured logs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import datetime

import pytest

from stream_detector.logs import JsonFormatter, set_up_logging
from tests.logging_state import logging_restored


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    with logging_restored():
        yield


def formatted(**fields: object) -> dict[str, object]:
    record = logging.makeLogRecord(
        {"name": "stream_detector.part", "levelno": logging.INFO, "levelname": "INFO", "created": 1_767_225_600.25} | fields
    )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_a_line_has_time_level_logger_and_message() -> None:
    assert formatted(msg="partition %d", args=(3,)) == {
        "time": "2026-01-01T00:00:00.250+00:00",
        "level": "INFO",
        "logger": "stream_detector.part",
        "message": "partition 3",
    }


def test_what_the_caller_adds_is_its_own_field_whatever_its_type() -> None:
    line = formatted(msg="m", partition=3, since=datetime(2026, 1, 1), names={"a"})  # noqa: DTZ001 - shown as it is

    assert line["partition"] == 3
    assert line["since"] == "2026-01-01 00:00:00"
    assert line["names"] == "{'a'}"


def test_a_traceback_is_one_field_of_the_same_line() -> None:
    try:
        json.loads("{")
    except ValueError:
        line = formatted(msg="two\nlines", exc_info=sys.exc_info())

    assert line["message"] == "two\nlines"
    assert str(line["traceback"]).startswith("Traceback (most recent call last):\n")


def test_the_level_is_that_of_our_own_messages(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "json")

    logging.getLogger("stream_detector.part").debug("ours, debug")
    logging.getLogger("stream_detector.part").info("ours, info")
    logging.getLogger("library").info("theirs, info")
    logging.getLogger("library").warning("theirs, warning")

    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == ["ours, info", "theirs, warning"]


def test_the_kafka_client_is_silent_but_can_be_listened_to(capsys: pytest.CaptureFixture[str]) -> None:
    """Only its log has the reason for a failed connection; the adapters put it into their errors."""
    set_up_logging("INFO", "json")
    heard: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("kafka.net.manager")
    logger.addHandler(listener)

    try:
        logger.warning("Connection failed: refused")
        logger.error("gave up")
    finally:
        logger.removeHandler(listener)

    assert heard == ["Connection failed: refused", "gave up"]
    assert capsys.readouterr().err == ""


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("DEBUG", "text")

    logging.getLogger("stream_detector.part").debug("partition %d", 3)

    assert capsys.readouterr().err.endswith("DEBUG   stream_detector.part: partition 3\n")


def test_setting_up_twice_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "json")
    set_up_logging("INFO", "json")

    logging.getLogger("stream_detector").warning("once")

    assert capsys.readouterr().err.count("once") == 1
