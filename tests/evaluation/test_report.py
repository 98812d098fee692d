"""The report as JSON, as table cells, as an HTML page and as plots."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_detector.detection.budget_resolution import resolve_budget
from stream_detector.evaluation.attention_check import AttentionCheck
from stream_detector.evaluation.baselines import BASELINES
from stream_detector.evaluation.html_report import to_html
from stream_detector.evaluation.plots import plot_series
from stream_detector.evaluation.report import About, build_report, to_json
from stream_detector.evaluation.report_tables import (
    FIGURES,
    SUMMARY_HEADER,
    sensor_header,
    sensor_rows,
    summary_rows,
)
from stream_detector.evaluation.scorecard import (
    PRODUCT,
    EvaluationConfig,
    LabelledSeries,
    Scorecard,
    make_scorecard,
    split_by_sensor,
)
from stream_detector.readings import BoolArray
from tests.evaluation.test_scorecard import ROWS, faulty, scored, table

ABOUT = About(
    model="pumps <1>",
    model_version="v1",
    inputs=("in.csv",),
    labels="column label",
    budget_per_sensor_day=0.1,
    quiet_seconds=(5.0, 5.0),
    seed=0,
    notes=("a note",),
    members=("pca-8", "autoencoder"),
)
PNG = b"\x89PNG"


def evaluate(*labels: BoolArray) -> list[Scorecard]:
    """Return the scorecards of sensors with these labels, all of whose anomalous rows are alarmed.

    Of all rows together, the first two and the last have no score.
    """
    data = table(sensors=len(labels))
    together = np.stack(labels, axis=1).reshape(-1)
    result = replace(scored(len(together), together), is_late=np.arange(len(together)) == len(together) - 1)
    result.score[-1] = np.nan
    return [make_scorecard(series, None, EvaluationConfig(5_000, 1.0)) for series in split_by_sensor(data, together, result)]


def series(card: Scorecard, **changes: Any) -> LabelledSeries:  # noqa: ANN401 - fields of a dataclass
    return replace(card.series, **changes)


def test_the_mean_is_of_labelled_sensors_and_false_alarms_are_of_all() -> None:
    healthy = np.zeros(ROWS, np.bool_)
    judged = evaluate(faulty(), faulty(first=340), healthy)

    summary = build_report(ABOUT, judged)["detectors"][PRODUCT]

    rankings = [one.scores[PRODUCT].ranking for one in judged[:2]]
    assert summary["sensors"] == 3
    assert summary["mean_of_labelled_sensors"]["sensors"] == 2
    assert summary["mean_of_labelled_sensors"]["vus_pr"] == pytest.approx(np.mean([one.vus_pr for one in rankings if one]))
    assert summary["mean_of_labelled_sensors"]["event_recall"] == 1.0
    assert summary["pooled"]["sensor_days"] == pytest.approx(3 * ROWS / 86_400)
    assert (summary["pooled"]["f1"], summary["pooled"]["false_incidents"]) == (1.0, 0)


def test_a_baseline_is_summed_up_over_the_sensors_that_it_judged() -> None:
    judged = evaluate(faulty(), faulty(first=10))

    detectors = build_report(ABOUT, judged)["detectors"]

    assert (detectors[PRODUCT]["sensors"], detectors["random"]["sensors"]) == (2, 1)
    assert list(build_report(ABOUT, evaluate(faulty(first=10)))["detectors"]) == [PRODUCT]


def test_the_report_says_whether_the_budget_is_checked() -> None:
    judged = evaluate(faulty(), faulty(first=340))
    estimate, checked = (resolve_budget(budget, 14_400, 1, 60.0) for budget in (0.5, 1.0))

    whole, other = (build_report(replace(ABOUT, resolution=known), judged) for known in (estimate, checked))

    assert whole["budget_resolution"] == {
        "is_resolved": False,
        "smallest_resolved": 1.0,
        "finding": estimate.lines()[0],
        "advice": estimate.lines()[1],
    }
    assert (other["budget_resolution"]["is_resolved"], other["budget_resolution"]["advice"]) == (True, "")
    assert f'<p class="verdict">{checked.lines()[0]}</p>' in to_html(other, {})
    assert build_report(ABOUT, judged)["budget_resolution"] is None


def test_rows_are_counted_by_what_became_of_them() -> None:
    judged = evaluate(faulty(), faulty(first=340))
    judged[0].series.product.scores[100:105] = np.nan

    whole = build_report(ABOUT, judged)

    expected = {"total": 800, "anomalous": 40, "scored": 792, "warming": 2, "late": 1, "other": 5}
    assert whole["rows"] == expected
    assert whole["sensors"][0]["rows"] == {**expected, "total": 400, "anomalous": 20, "scored": 394, "warming": 1, "late": 0}


def test_what_a_reader_must_know_is_noted() -> None:
    notes = build_report(ABOUT, evaluate(faulty(), faulty(first=10), np.zeros(ROWS, np.bool_)))["notes"]

    assert notes[0] == "a note"
    assert notes[1].startswith("3 of 1,200 rows were not scored and rank last: 2 before their window was full, 1 late")
    assert notes[2].startswith("the simple detectors of 2 of 3 sensors are fitted to rows that they are also tested on")
    assert notes[3] == "1 of 3 sensors has no simple detectors: fewer than 64 rows to fit them to"
    assert notes[4] == "1 of 3 sensors has no anomalous row: it gives false-alarm figures only"
    assert len(notes) == 5


def test_json_has_null_where_there_is_no_figure() -> None:
    text = to_json(build_report(ABOUT, evaluate(np.zeros(ROWS, np.bool_))))

    pooled = json.loads(text)["detectors"][PRODUCT]["pooled"]
    assert (pooled["event_recall"], pooled["f1"], pooled["delay_seconds_median"]) == (None, None, None)
    assert pooled["false_alarm_rate_percent"] == 0.0
    assert "NaN" not in text


def test_equal_evaluations_give_equal_reports() -> None:
    assert to_json(build_report(ABOUT, evaluate(faulty()))) == to_json(build_report(ABOUT, evaluate(faulty())))


def test_tables_have_a_cell_under_each_header() -> None:
    whole = build_report(ABOUT, evaluate(faulty(), np.zeros(ROWS, np.bool_)))

    rows = summary_rows(whole)
    assert [len(row) for row in rows] == [len(SUMMARY_HEADER)] * (3 + len(BASELINES))
    assert [(row[0], row[SUMMARY_HEADER.index("events found")]) for row in rows[:3]] == [
        (PRODUCT, "1/1"),
        ("its score alone", "1/1"),
        ("its rules alone", "0/1"),
    ]
    assert [len(row) for row in sensor_rows(whole)] == [len(sensor_header(whole))] * 2
    first, second = (dict(zip(sensor_header(whole), row, strict=True)) for row in sensor_rows(whole))
    assert (first["sensor"], first["rows"], first["not scored"], first["events found"]) == ("s0", "400", "1", "1/1")
    assert (first["delay"], first["F1"], first["false rows %"]) == ("0 s", "1.000", "0.00")
    assert (second["VUS-PR"], second["events found"], second["delay"], second["F1"]) == ("-", "-", "-", "-")
    assert first["VUS-PR of random"] == f"{whole['sensors'][0]['detectors']['random']['vus_pr']:.3f}"


def test_the_page_needs_nothing_else_and_escapes_names() -> None:
    judged = evaluate(faulty())
    renamed = replace(judged[0], series=series(judged[0], sensor='<b>"s"'))

    text = to_html(build_report(ABOUT, [renamed]), {'<b>"s"': PNG})

    assert "<h1>How well the faults in these readings are found</h1>" in text
    assert "Model pumps &lt;1&gt;, version v1: its score comes from the network and 1 linear model." in text
    assert "<b>" not in text
    assert re.findall(r'(?:src|href)="(?!data:image/png;base64,)', text) == []
    assert not re.search(r"https?:|<script|@import|url\(", text)
    assert all(name in text for name in (*FIGURES, *BASELINES, "a note"))


def test_the_page_says_that_the_built_in_model_has_no_network() -> None:
    members = ("forecast-8", "level-8", "spread-64")

    text = to_html(build_report(replace(ABOUT, model="built-in", members=members), evaluate(faulty())), {})

    assert "3 linear models, made of random series; it is trained on no history and has no network" in text
    assert "train found" not in text


def test_the_page_says_that_the_network_has_no_part_in_a_score_without_it() -> None:
    text = to_html(build_report(replace(ABOUT, members=("pca-8", "change-32")), evaluate(faulty())), {})

    assert "its score comes from 2 linear models and the network has no part in it" in text


def test_the_page_and_the_counts_define_a_found_event_in_the_same_way() -> None:
    text = to_html(build_report(ABOUT, evaluate(faulty())), {})

    assert "labelled events with an alarm in their first half" in text
    assert "at least one row was alarmed" not in text


def test_the_page_says_how_many_sensors_are_not_drawn() -> None:
    whole = build_report(ABOUT, evaluate(faulty(), faulty()))

    assert "Pictures of 1 of 2 sensors" in to_html(whole, {"s0": PNG})
    assert "Pictures of" not in to_html(whole, {"s0": PNG, "s1": PNG})


def test_a_sensor_is_drawn_whatever_it_has() -> None:
    (judged,) = evaluate(faulty())
    one_row = split_by_sensor(table(rows=1), np.zeros(1, np.bool_), scored(1))
    never = replace(judged.series.product, scores=np.full(ROWS, np.nan), thresholds=np.full(ROWS, np.nan))

    drawn = [plot_series(one) for one in (judged.series, *one_row, series(judged, product=never))]

    assert all(picture.startswith(b"\x89PNG") for picture in drawn)
    assert drawn[0] != drawn[2]


def test_the_figures_and_detectors_in_the_documents_are_those_of_a_report() -> None:
    text = (Path(__file__).parents[2] / "docs" / "evaluate.md").read_text()
    sensor = build_report(ABOUT, evaluate(faulty()))["sensors"][0]

    cells = re.findall(r"^\| (`[a-z].*?) \|", text, re.MULTILINE)
    documented = re.findall(r"`([a-z0-9_]+)`", " ".join(cells))

    of_attention = {*AttentionCheck.__slots__, "ratio"}
    assert {name for name in documented if name not in sensor["detectors"][PRODUCT]} - of_attention == set()
    assert of_attention - set(documented) == {"windows", "steps"}
    assert len(documented) > 8
    assert [name for name in BASELINES if f"| {name} |" not in text] == []


def test_the_product_is_compared_on_the_sensors_that_have_baselines() -> None:
    judged = evaluate(faulty(), faulty(first=10))  # too few rows before the second label to fit baselines to
    judged[1] = replace(judged[1], scores={PRODUCT: judged[0].scores["random"]})

    report = build_report(ABOUT, judged)

    first = judged[0].scores[PRODUCT].ranking
    assert first is not None
    assert report["compared"] == {"sensors": 1, "vus_pr": first.vus_pr}
    assert report["detectors"][PRODUCT]["mean_of_labelled_sensors"]["vus_pr"] < first.vus_pr
