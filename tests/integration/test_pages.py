"""The pages that the product writes, in a real browser, on a wide screen and on a telephone."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from stream_detector.evaluation.html_report import to_html
from stream_detector.evaluation.report import build_report
from stream_detector.inspection.show_html import sensor_page
from tests.evaluation.test_report import ABOUT, evaluate
from tests.evaluation.test_scorecard import faulty
from tests.inspection.test_sensor_view import SCORED, view
from tests.pipeline.replica_config import START_MS
from tests.servers.browser import Box, Page, shown

WIDE, TELEPHONE = 1200, 400
pytestmark = pytest.mark.usefixtures("browser")


@pytest.fixture(params=[WIDE, TELEPHONE], ids=["wide", "telephone"])
def width(request: pytest.FixtureRequest) -> int:
    chosen: int = request.param
    return chosen


def report_page() -> str:
    drawn = io.BytesIO()
    Figure(figsize=(12, 3)).savefig(drawn, format="png")
    return to_html(build_report(ABOUT, evaluate(faulty(), faulty())), {"s0": drawn.getvalue()})


def check_layout(page: Page, width: int) -> None:
    assert page.texts
    assert page.width <= width, "the page is wider than the screen"
    assert page.overlapping() == []
    assert not page.ran_a_script


def test_a_sensor_s_page_fits_the_screen_and_its_curves_lie_in_their_charts(tmp_path: Path, width: int) -> None:
    page = shown(sensor_page(view(), START_MS), tmp_path, width)

    check_layout(page, width)
    assert [kind for kind, _, _ in page.curves] == ["expected", "measured", "measured", "expected", "measured"]
    assert all(curve.is_in(chart) for _, curve, chart in page.curves)
    assert all(chart.right - chart.left >= 300 for _, _, chart in page.curves)


def test_what_a_chart_says_can_be_read_on_every_screen(tmp_path: Path, width: int) -> None:
    page = shown(sensor_page(view(), START_MS), tmp_path, width)

    (highest,) = [box for text, box in page.texts if text == "5"]
    assert highest.bottom - highest.top >= 10


def test_expected_values_follow_the_values_where_they_agree(tmp_path: Path) -> None:
    agreeing = replace(SCORED, expected=np.array([[1.0, 10.0], [1.0, 10.0], [5.0, 10.0]]))

    page = shown(sensor_page(view(agreeing), START_MS), tmp_path, WIDE)

    kinds = {kind: box for kind, box, chart in page.curves if chart == page.curves[-1][2]}
    assert kinds["expected"] == kinds["measured"]


def test_the_report_fits_the_screen_and_shows_its_pictures(tmp_path: Path, width: int) -> None:
    page = shown(report_page(), tmp_path, width)

    assert page.image_widths == [1200]
    assert page.width <= width
    assert not page.ran_a_script


@pytest.mark.parametrize("name", ["<script>parent.ran = true</script>", '"><img src=x onerror="parent.ran = true">'])
def test_a_sensor_s_name_runs_nothing(tmp_path: Path, name: str) -> None:
    page = shown(sensor_page(view(sensor=name), START_MS), tmp_path, WIDE)

    assert page.texts[0][0] == name
    assert not page.ran_a_script


def test_a_script_would_be_noticed(tmp_path: Path) -> None:
    assert shown("<p>a</p><script>parent.ran = true</script>", tmp_path, WIDE).ran_a_script


def test_texts_that_lie_on_each_other_would_be_noticed(tmp_path: Path) -> None:
    page = shown('<p style="position: absolute">one</p><p style="position: absolute">two</p>', tmp_path, WIDE)

    assert page.overlapping() == [("one", "two")]
    assert not Box(0, 0, 10, 10).overlaps(Box(10, 0, 20, 10))
