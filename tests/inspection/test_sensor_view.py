"""One sensor: its plot in the terminal, its document, and its page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from stream_detector.alert_view import ASCII, UNICODE, Palette
from stream_detector.inspection.alarms import OpenIncident
from stream_detector.inspection.plot import BOTH, EMPTY, EXPECTED, MEASURED, plot
from stream_detector.inspection.scored_window import Scored
from stream_detector.inspection.sensor_view import Found, SensorView, names_like, sensor_view
from stream_detector.inspection.sensors import sensors_of
from stream_detector.inspection.show_html import sensor_page
from stream_detector.inspection.show_json import sensor_document
from stream_detector.inspection.show_view import render_sensor
from stream_detector.inspection.window import StoredWindow
from stream_detector.state.record_layout import KEPT_TYPES, Records
from tests.inspection.records import judge, record, stored
from tests.pipeline.replica_config import START_MS

NAN = float("nan")
VALUES = np.array([[1.0, 10.0], [NAN, 10.0], [5.0, 10.0]], np.float32)
WINDOW = StoredWindow(VALUES, START_MS + np.array([-2000, -1000, 0]), np.ones(3, np.bool_), 3, VALUES[-1])
SCORED = Scored(
    score=6.0,
    threshold=3.0,
    margin_factor=1.0,
    expected=np.array([[1.0, 10.0], [1.0, 10.0], [1.0, 10.0]]),
    feature_share=np.array([0.95, 0.05], np.float32),
    step_share=np.array([0.0, 0.0, 1.0], np.float32),
)


def view(scored: Scored | None = SCORED, *, sensor: str = "pump-1", records: Records | None = None) -> SensorView:
    records = record(incident_offset=5, incident_time_ms=START_MS) if records is None else records
    (status,), _ = sensors_of(0, stored({sensor: records}), judge(), [])
    return sensor_view(
        Found(status, records, judge()),
        WINDOW,
        scored,
        {"a": "°C"},
        input_topic="plant",
        not_scored="" if scored else "there is no model in model; the rules watch",
        events=[
            OpenIncident(sensor, "anomaly", START_MS, "high", "a 5, expected 1 (+4)"),
            OpenIncident("b", "frozen", 1, "", ""),
        ],
    )


def drawn(of: SensorView, palette: Palette = UNICODE, width: int = 80, features: int = 6) -> list[str]:
    return [line.plain for line in render_sensor(of, palette, width, features, START_MS + 5_000)]


def test_a_plot_has_a_column_for_each_reading_and_shows_both_curves() -> None:
    lines = plot(np.array([1.0, NAN, 3.0]), np.array([1.0, 2.0, 1.0]), 80, 3)

    assert [line.label.strip() for line in lines] == ["3", "", "1"]
    assert [line.cells for line in lines] == [
        (EMPTY, EMPTY, MEASURED),
        (EMPTY, EXPECTED, EMPTY),
        (BOTH, EMPTY, EXPECTED),
    ]


def test_a_plot_of_a_constant_is_a_line_in_the_middle_and_one_without_values_is_empty() -> None:
    constant = plot(np.array([4.0, 4.0]), None, 80, 3)

    assert [(line.label.strip(), line.cells) for line in constant] == [("", (0, 0)), ("4", (MEASURED, MEASURED)), ("", (0, 0))]
    assert plot(np.array([NAN, NAN]), None, 80, 3) == []


def test_more_readings_than_columns_show_the_farthest_from_what_was_expected() -> None:
    measured = np.array([1.0, 1.0, 9.0, 1.0])
    lines = plot(measured, np.ones(4), 11 + 2, 3)

    assert lines[0].cells == (EMPTY, MEASURED)


def test_the_terminal_shows_what_is_blamed_first_with_its_unit_its_values_and_what_was_expected() -> None:
    lines = drawn(view())

    assert lines[0] == "pump-1"
    assert lines[3] == "score     6, threshold 3: anomalous, high"
    assert lines[4] == "          ● high anomaly since 2023-11-14 22:13:20Z: a 5, expected 1 (+4)"
    assert lines[lines.index("a [°C]") :][:3] == ["a [°C]", "  5.0, expected 1.0 (+4.0); 95 % of the score", "        5 │  ●"]
    assert [line for line in lines if line == "b"] == ["b"]


def test_a_score_below_a_limit_that_was_lowered_is_not_called_as_usual() -> None:
    def score(value: float, factor: float) -> str:
        of = view(replace(SCORED, score=value, margin_factor=factor))
        return " ".join(line.strip() for line in drawn(of)[3:5] if "since" not in line)

    assert score(1.0, 1.0) == "score     1, threshold 3: as usual"
    assert score(1.0, 0.5) == "score     1, threshold 3: below the threshold; limit lowered: small, but lasting (margin 0.5 x)"


def test_an_open_incident_says_what_it_waits_for_in_the_terminal_on_the_page_and_in_the_document() -> None:
    records = record(incident_offset=5, incident_time_ms=START_MS - 9_000, last_anomalous_ms=START_MS - 3_000)
    of = view(replace(SCORED, score=1.0), records=records)

    assert drawn(of)[5] == "          quiet for 3 s"
    assert "a 5, expected 1 (+4) (quiet for 3 s)" in sensor_page(of, START_MS)
    assert sensor_document(of, START_MS)["incidents"][0]["closing"]["quiet_seconds"] == 3.0


def test_a_score_that_still_holds_an_incident_open_is_not_called_as_usual() -> None:
    held = replace(SCORED, score=1.5, held_above=1.2)
    records = record(incident_offset=5, incident_time_ms=START_MS - 9_000, last_anomalous_ms=START_MS)
    lines = drawn(view(held, records=records))

    assert lines[3] == "score     1.5, threshold 3: below the threshold"
    assert " ".join(line.strip() for line in lines[5:7]) == (
        "still open: its score of 1.5 is below the threshold, but closes it only below 1.2"
    )
    assert drawn(view(held, records=record()))[3] == "score     1.5, threshold 3: as usual"


def test_times_are_shown_in_the_zone_of_the_view() -> None:
    of = replace(view(), zone=ZoneInfo("Europe/Berlin"))
    page = sensor_page(of, START_MS)

    assert "2023-11-14 23:13:20+01:00" in drawn(of)[2]
    assert "high anomaly since 2023-11-14 23:13:20+01:00" in page
    assert "22:13:20" not in page


def test_without_a_model_the_values_are_shown_and_what_the_rules_say() -> None:
    records = record()
    records["rules"]["incidents"]["frozen"]["offset"] = 3
    records["rules"]["involved"][0, 1] = 1 << KEPT_TYPES.index("frozen")
    records["unchanged"][0] = [0, 40]
    of = view(None, records=records)
    lines = drawn(of)

    assert "score     no score: there is no model in model; the rules watch" in lines
    assert "  10; rule frozen" not in lines
    assert "  10, the same 41 times; rule frozen" in lines
    assert [of.is_marked(one) for one in of.features] == [True, False]


def test_an_incident_without_an_event_names_its_features() -> None:
    records = record()
    records["rules"]["incidents"]["frozen"]["offset"] = 3
    records["rules"]["involved"][0, 1] = 1 << KEPT_TYPES.index("frozen")

    assert [(one.type, one.about) for one in view(None, records=records).incidents] == [("frozen", "b")]


def test_features_that_do_not_fit_are_counted() -> None:
    assert "1 more feature; --features N, --json and --html show more" in " ".join(drawn(view(), features=1))


@example(name="一号泵站" * 30, width=80, is_plain=False)
@given(name=st.text(max_size=100) | st.text("泵站温度 a", max_size=200), width=st.integers(40, 160), is_plain=st.booleans())
def test_no_line_is_wider_than_the_terminal(name: str, width: int, is_plain: bool) -> None:
    lines = drawn(view(sensor=name), ASCII if is_plain else UNICODE, width)

    assert max(map(cell_len, lines)) <= width
    assert all(line.isprintable() for line in lines)


def test_the_document_has_values_expected_values_and_times() -> None:
    told = json.loads(json.dumps(sensor_document(view(), START_MS)))

    assert (told["score"], told["threshold"], told["is_anomalous"], told["severity"]) == (6.0, 3.0, True, "high")
    assert told["features"][0] == {
        "name": "a",
        "unit": "°C",
        "is_rise_per_hour": False,
        "marked": True,
        "share": 0.95,
        "rules": [],
        "unchanged_readings": 0,
        "readings_without_value": 0,
        "values": [1.0, None, 5.0],
        "expected": [1.0, 1.0, 1.0],
    }
    assert len(told["times"]) == len(told["step_shares"]) == 3


def page(of: SensorView) -> ET.Element:
    """Return the body of the page, as XML."""
    text = sensor_page(of, START_MS)
    body = re.search(r"<body>.*</body>", text, re.DOTALL)
    assert body is not None
    return ET.fromstring(body.group(0))


def test_the_page_draws_values_and_expected_values_over_time_and_marks_the_blamed_feature() -> None:
    sections = page(view()).findall("section")

    assert [one.findtext("h2") for one in sections] == ["a [°C]", "b"]
    assert [one.get("class") for one in sections] == ["marked", None]
    chart = sections[0].find(".//svg")
    assert chart is not None
    lines = [one.get("class") for one in chart.findall("polyline")]
    assert lines == ["expected", "measured", "measured"]  # a value is missing between the two measured ones
    tips = [one.findtext("title") for one in chart.iter("circle")]
    assert tips == ["2023-11-14 22:13:18Z: 1, expected 1", "2023-11-14 22:13:20Z: 5, expected 1"]
    assert len([one for one in chart.findall("rect") if one.get("class") == "blamed"]) == 1


def test_higher_values_are_drawn_higher_and_later_ones_further_right() -> None:
    (chart, *_) = [one.find(".//svg") for one in page(view()).findall("section")]
    assert chart is not None
    first, last = list(chart.iter("circle"))

    assert float(last.get("cx") or 0) > float(first.get("cx") or 0)
    assert float(last.get("cy") or 0) < float(first.get("cy") or 0)


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    text = sensor_page(view(), START_MS)

    assert "<script" not in text
    assert re.findall(r"(?:src|href)=", text) == []
    assert "http" not in text


def test_names_from_a_topic_cannot_inject_markup_into_the_page() -> None:
    text = sensor_page(view(sensor="<script>alert(1)</script>"), START_MS)

    assert "<script" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("pmp-1", ["pump-1"]), ("PUMP-1", ["pump-1"]), ("press", ["plant/press-17"]), ("zzz", [])],
)
def test_a_name_that_does_not_exist_brings_those_like_it(wanted: str, expected: list[str]) -> None:
    assert names_like(wanted, ["pump-1", "oven", "plant/press-17"])[: len(expected) or 1] == expected
