"""An event drawn for the terminal."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len

from stream_detector.alert_view import (
    ASCII,
    UNICODE,
    Palette,
    printable,
    render_event,
    render_unreadable,
    sparkline,
    wrapped,
)
from stream_detector.detection.events import read_event


def event(**changes: object) -> bytes:
    body: dict[str, Any] = {
        "schema_version": 1,
        "type": "anomaly",
        "status": "opened",
        "sensor_id": "pump-7",
        "timestamp": "2026-11-23T07:12:00.250Z",
        "score": 4.21,
        "threshold": 2.0,
        "severity": "medium",
        "sensor_state": "ready",
        "attention": [0.0, 0.25, 0.5, 0.25],
        "step_shares": [0.0, 0.0, 0.0, 1.0],
        "features": [
            {"name": "temperature", "value": 61.2, "expected": 44.0, "share": 0.75, "imputed": False},
            {"name": "flow", "value": None, "expected": 30.5, "share": 0.25, "imputed": True},
            {"name": "current", "value": 1.0, "expected": 1.0, "share": 0.0, "imputed": False},
        ],
        "incident": {"opened_at": "2026-11-23T07:11:00.250Z", "peak_score": 6.5},
    }
    return json.dumps(body | changes).encode()


def drawn(value: bytes, palette: Palette = UNICODE) -> list[str]:
    return render_event(read_event(value), palette).plain.split("\n")


def test_times_are_shown_in_a_zone_with_its_offset_or_else_in_utc() -> None:
    winter, summer = event(), event(timestamp="2026-07-23T07:12:00Z")

    def headline(value: bytes) -> str:
        return render_event(read_event(value), UNICODE, zone=ZoneInfo("Europe/Berlin")).plain.split("\n")[0]

    assert headline(winter) == "● opened  medium   pump-7    2026-11-23 08:12:00.250+01:00"
    assert headline(summer) == "● opened  medium   pump-7    2026-07-23 09:12:00+02:00"
    assert drawn(summer)[0].endswith("2026-07-23 07:12:00Z")


def test_an_opened_event_shows_first_what_is_off_and_by_how_much() -> None:
    assert drawn(event()) == [
        "● opened  medium   pump-7    2026-11-23 07:12:00.250Z",
        "  temperature 61.2, expected 44.0 (+17.2) 75 % of the score",
        "  flow missing, expected 30.5 (imputed) 25 % of the score",
        "  score 4.21, threshold 2",
        "  score by step ▁▁▁█ newest of 4 readings at right",
        "  attention     ▁▅█▅",
    ]


def test_the_usual_attention_is_drawn_below_and_a_shift_is_said() -> None:
    lines = drawn(event(usual_attention=[0.5, 0.25, 0.25, 0.0]))

    assert lines[-4:] == [
        "  attention     ▁▅█▅",
        "  usually       █▅▅▁",
        "  50 % of the attention is elsewhere than usual, mostly on the newest third of",
        "    the readings",
    ]


@pytest.mark.parametrize(
    ("usual", "told"),
    [
        ([0.0, 0.25, 0.45, 0.3], "  attention is where it usually is"),
        ([0.0, 0.0, 0.5, 0.5], "  25 % of the attention is elsewhere than usual, mostly on the middle third of"),
    ],
)
def test_a_shift_of_attention_is_said_only_if_it_is_one(usual: list[float], told: str) -> None:
    assert told in drawn(event(usual_attention=usual))


def test_without_attention_or_in_a_window_that_fills_there_is_no_word_of_the_usual_one() -> None:
    usual = [0.25] * 4

    without = drawn(event(attention=[], usual_attention=usual))
    filling = drawn(event(usual_attention=usual, sensor_state="warming"))

    assert not any("usual" in line for line in without)
    assert [line for line in filling if "usual" in line] == ["  usually       ████"]


def test_without_attention_there_is_no_line_for_it() -> None:
    lines = drawn(event(attention=[], attention_reason="not_a_member"))

    assert not any("attention" in line for line in lines)
    assert lines[-1].startswith("  score by step")


def test_an_event_of_a_rule_shows_its_sentence_and_no_score() -> None:
    what = "temperature has not changed for 35 readings; healthy data repeats a value at most 4 times"

    assert drawn(
        event(type="frozen", severity="high", what=what, score=None, threshold=None, step_shares=[], attention=[])
    ) == [
        "● opened  high     frozen pump-7    2026-11-23 07:12:00.250Z",
        "  temperature has not changed for 35 readings; healthy data repeats a value at",
        "  most 4 times",
    ]


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
@pytest.mark.parametrize("status", ["opened", "closed"])
@pytest.mark.parametrize("long", ["a long name of a column [°C] of a plant", "北门泵站的温度传感器" * 4])
def test_every_line_fits_the_terminal(width: int, status: str, long: str) -> None:
    features = [{"name": long, "value": 71.31, "expected": 62.04, "share": 1.0}]
    incident = {"opened_at": "2026-11-23T07:11:00.250Z", "peak_score": 6.5, "reason": "accepted"}
    value = event(
        status=status,
        sensor_id=f"{long} at the north gate",
        what=f"{long} and {long}" if status == "closed" else "",
        severity="critical",
        sensor_state="provisional",
        margin_factor=1.5,
        features=features,
        attention=[0.015625] * 64,
        usual_attention=[0.03125] * 32 + [0.0] * 32,
        step_shares=[0.015625] * 64,
        incident=incident,
    )

    lines = render_event(read_event(value), UNICODE, width).plain.split("\n")

    assert max(map(cell_len, lines)) <= width


def test_two_large_numbers_are_shown_as_far_as_they_differ() -> None:
    meter = {"name": "energy", "value": 18_228_934.02, "expected": 18_228_935.57, "share": 1.0, "imputed": False}

    assert drawn(event(features=[meter]))[1] == "  energy 18228934.0, expected 18228935.6 (-1.6) 100 % of the score"


def test_a_terminal_without_unicode_gets_plain_ascii() -> None:
    lines = drawn(event(sensor_id="Pumpe-ü"), ASCII)

    assert all(line.isascii() for line in lines)
    assert lines[0] == "! opened  medium   Pumpe-\\xfc 2026-11-23 07:12:00.250Z"
    assert lines[-1] == "  attention     _=#="


@pytest.mark.parametrize(("encoding", "palette"), [("UTF-8", UNICODE), ("utf8", UNICODE), ("latin-1", ASCII), (None, ASCII)])
def test_the_palette_follows_the_encoding(encoding: str | None, palette: Palette) -> None:
    assert Palette.for_encoding(encoding) is palette


def test_a_closed_event_says_how_long_and_how_bad() -> None:
    assert drawn(event(status="closed", score=None, threshold=None, attention=[], features=[])) == [
        "○ closed  medium   pump-7    2026-11-23 07:12:00.250Z after 60 s, peak 6.5"
    ]


def test_an_event_that_closes_on_a_clock_that_was_set_back_has_no_duration() -> None:
    (first, *_) = drawn(event(status="closed", incident={"opened_at": "2026-11-23T09:11:00.250Z", "peak_score": 6.5}))

    assert "after" not in first


def test_missing_fields_are_left_out() -> None:
    assert drawn(b'{"sensor_id": "a", "timestamp": "2026-01-01T00:00:00Z", "news": 1}') == [
        "? anomaly          a         2026-01-01 00:00:00Z"
    ]


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("quiet", "the score is normal again"),
        ("accepted", "accepted as the new normal"),
        ("silent", "the sensor fell silent"),
        ("clock_right", "the clock is right again"),
        ("new", "new"),
    ],
)
def test_a_closed_event_says_why(reason: str, shown: str) -> None:
    incident = {"opened_at": "2026-11-23T07:11:00.250Z", "peak_score": 6.5, "reason": reason}

    lines = drawn(event(status="closed", incident=incident))

    assert " ".join(" ".join(lines).split()).endswith(f"after 60 s, peak 6.5, {shown}")


def test_a_closed_event_of_a_rule_speaks_of_no_score() -> None:
    incident = {"opened_at": "2026-11-23T07:11:00.250Z", "reason": "quiet"}

    (first, *_) = drawn(event(type="frozen", status="closed", what="It changed again", incident=incident))

    assert first.endswith("after 60 s, over")


def test_a_sensor_that_is_back_is_not_called_silent() -> None:
    incident = {"opened_at": "2026-11-23T07:11:00.250Z", "reason": "returned"}

    text = " ".join(drawn(event(type="silent", status="closed", sensor_state="silent", what="It speaks", incident=incident)))

    assert "the sensor is back" in " ".join(text.split())
    assert "(silent)" not in text


def test_the_chart_of_a_default_window_says_where_its_newest_reading_is() -> None:
    (chart,) = [line for line in drawn(event(step_shares=[0.0] * 63 + [1.0], attention=[])) if "score by step" in line]

    assert chart == "  score by step " + 31 * "▁" + "█ newest of 64 readings at right"


def test_times_are_shown_in_utc() -> None:
    changes = {"timestamp": "2026-11-23T08:12:00+01:00", "incident": {"opened_at": "2026-11-23T07:11:30"}}

    assert "2026-11-23 07:12:00Z after 30 s" in drawn(event(status="closed", **changes))[0]


def test_a_sensor_not_ready_is_marked() -> None:
    assert drawn(event(sensor_state="provisional"))[0].endswith("07:12:00.250Z (still being learned)")
    assert drawn(event(sensor_state="relearning"))[0].endswith("(being learned again)")
    assert "(later)" in drawn(event(sensor_state="later"))[0]


@pytest.mark.parametrize(
    ("factor", "shown"),
    [
        (1.15, "  score 4.21, threshold 2, limit raised by its own alarms (margin 1.15 x)"),
        (0.8, "  score 4.21, threshold 2, limit lowered, as alarms were few (margin 0.8 x)"),
        (0.75, "  score 4.21, threshold 2, limit lowered: small, but lasting (margin 0.75 x)"),
        (1.02, "  score 4.21, threshold 2"),
        (None, "  score 4.21, threshold 2"),
    ],
)
def test_a_limit_that_the_sensors_own_alarms_moved_is_told(factor: float | None, shown: str) -> None:
    assert drawn(event(margin_factor=factor))[3] == shown


def test_control_characters_of_a_topic_do_not_reach_the_terminal() -> None:
    nasty = "\x1b]0;gotcha\x07\u202e\n\u2028"
    lines = drawn(event(sensor_id=nasty, severity=nasty, features=[{"name": nasty, "share": 1.0}]))

    assert all(character.isprintable() for line in lines for character in line)
    assert "\\x1b]0;gotcha\\x07\\u202e\\n\\u2028" in lines[0]


def test_an_unreadable_record_is_described() -> None:
    with pytest.raises(ValueError, match="JSON is malformed") as refused:
        read_event(b"\x1b[31mno")

    line = render_unreadable(b"\x1b[31mno", str(refused.value), "sensor-alerts 2/17").plain

    assert line.startswith("? unreadable alert at sensor-alerts 2/17: JSON is malformed")
    assert line.endswith("; 7 bytes: \\x1b[31mno")


def test_a_long_window_is_drawn_in_equal_stretches() -> None:
    weights = [0.0] * 50 + [1.0] * 50

    assert sparkline(weights, UNICODE, width=4) == "▁▁██"


def test_weights_of_zero_are_a_flat_line() -> None:
    assert sparkline([0.0, 0.0], UNICODE) == "▁▁"
    assert sparkline([], UNICODE) == ""


def test_long_text_is_cut() -> None:
    assert printable("x" * 50, 10) == "xxxxxxx..."
    assert printable("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize(
    ("text", "length", "shown"),
    [
        ("pump-7", 6, "pump-7"),
        ("pump-77", 6, "pum..."),
        ("温度温度", 8, "温度温度"),
        ("温度温度温", 8, "温度 ..."),  # five columns have room for two letters and a half
        ("e\u0301" * 8, 8, "e\u0301" * 8),
        ("e\u0301" * 30, 8, "e\u0301" * 5 + "..."),
    ],
)
def test_names_are_cut_by_the_columns_that_they_take(text: str, length: int, shown: str) -> None:
    assert printable(text, length) == shown


def test_text_is_wrapped_by_the_columns_that_it_takes() -> None:
    assert wrapped("泵 at 温度温度温度 up", 8, "> ") == ["> 泵 at", "温度温度", "温度 up"]
    assert wrapped("one two three", 8, "> ", "  ") == ["> one", "  two", "  three"]
    assert wrapped("", 8) == []
    assert wrapped("a \u0301 泵", 8) == ["a \u0301 泵"]  # an accent alone takes no column
