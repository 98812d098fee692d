"""Renders a report as a single self-contained HTML file: no network, no scripts, plots embedded."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from stream_detector.built_in.model import BUILT_IN
from stream_detector.evaluation.budget_choice import CAPTION, HEADER, budget_cells
from stream_detector.evaluation.explanation_words import explanation_lines
from stream_detector.evaluation.figure_marks import wins, with_arrows
from stream_detector.evaluation.report_tables import SUMMARY_HEADER, sensor_header, sensor_rows, summary_rows
from stream_detector.evaluation.verdict import verdict_lines
from stream_detector.model_store.validation import AUTOENCODER

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #202124; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.25rem; margin-top: 2.5rem; }
.wide { overflow-x: auto; margin: 1.25rem 0; border: 1px solid #dadce0; border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .8rem; text-align: right; white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; white-space: normal; background: #f1f3f4; border-bottom: 2px solid #bdc1c6; }
td { border-top: 1px solid #e8eaed; }
th:first-child, td:first-child { text-align: left; }
tbody tr:nth-child(even) { background: #f8f9fa; }
tbody tr:hover { background: #e8f0fe; }
table.summary tbody tr:first-child { background: #e6f4ea; }
td.best { font-weight: 700; }
.verdict { font-size: 1.1em; }
figure { margin: 1.5rem 0; }
figcaption { font-weight: 600; }
img { max-width: 100%; }
dt { font-weight: 600; margin-top: .75rem; }
dd { margin-left: 1rem; }
@media print { .wide { overflow: visible; } }
"""
_HOW_TO_READ = (
    "An arrow says whether more or less is better. The product's figures are bold where they are better than all others. "
    "Below it is how many events its score finds alone, and how many its rules do; both can find the same event."
)
_GUIDE = (
    (
        "random",
        "scores drawn by lot, with an alarm as often as chance gives one: what a detector gets that knows nothing. It finds "
        "long faults too, by accident. A detector is worth only what it is better than that.",
    ),
    (
        "VUS-PR, AUC-PR",
        "how well the score ranks anomalous rows above normal ones, without a threshold, from 0 to 1: the mean over sensors "
        "that have anomalous rows. VUS-PR also credits rows near an event. Compare with the random scores: chance gives the "
        "share of anomalous rows in AUC-PR, and more in VUS-PR.",
    ),
    (
        "events found",
        "labelled events with an alarm in their first half; one that is alarmed when it is half over is found too late, "
        "and does not count. An event is a run of anomalous rows, or a labelled time in which the sensor was silent.",
    ),
    (
        "false per sensor day, per 1000 rows",
        "incidents without a single row of an event. For every detector, alarms that follow each other within the quiet time "
        "are one incident; those of the product last, as in service, while the score stays above a quarter of the margin or a "
        "value outside the range of healthy training data, until they are accepted as the new normal. An alarm that lasts is a "
        "single incident: see false rows %.",
    ),
    (
        "pictures",
        "what became of each labelled fault and of each alarm, in words. The bar of an alarm lasts until its incident closed, "
        "which is a while after its last anomalous reading. One that opened while the window still held a fault says so. For "
        "each fault that was not found in time a panel shows the feature that was farthest from what the model expected.",
    ),
    ("delay", "median time from the first anomalous row of a found event to its first alarm."),
    (
        "F1, false rows %",
        "by single rows, over all sensors: F1 of the alarms, and the share of normal rows that are alarmed. Where many rows "
        "are anomalous, a detector that always alarms has a high F1: read the two together.",
    ),
)


def to_html(report: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Return the HTML text; `pictures` holds a PNG by sensor."""
    model = report["model"]
    title = "How well the faults in these readings are found"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style></head><body>',
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(_model(model))}</p>",
        *(f'<p class="verdict">{escape(line)}</p>' for line in verdict_lines(report)),
        f"<p>{escape(_facts(report))}</p>",
        _table(with_arrows(SUMMARY_HEADER), summary_rows(report), "summary", wins(report)),
        f"<p>{escape(_HOW_TO_READ)}</p>",
        _budgets(report),
        _list(report["notes"]),
        _list(explanation_lines(report)),
        "<h2>What the figures mean</h2>",
        "<dl>" + "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in _GUIDE) + "</dl>",
        "<h2>Sensors</h2>",
        _table(with_arrows(sensor_header(report)), sensor_rows(report), "sensors"),
        _omission(len(report["sensors"]), len(pictures)),
        *(_figure(sensor, picture) for sensor, picture in pictures.items()),
        "</body></html>\n",
    ]
    return "\n".join(filter(None, parts))


def _model(model: Mapping[str, Any]) -> str:
    """Say which model it is and what makes its score."""
    others = [name for name in model["members"] if name != AUTOENCODER]
    linear = f"{len(others)} linear model{'s' if len(others) != 1 else ''}"
    if model["name"] == BUILT_IN:
        parts = f"its score comes from {linear}, made of random series; it is trained on no history and has no network"
    elif len(others) == len(model["members"]):
        parts = f"its score comes from {linear} and the network has no part in it: train found that it did not help"
    else:
        parts = f"its score comes from the network{f' and {linear}' if others else ' alone'}"
    return f"Model {model['name']}, version {model['version']}: {parts}. The rules, such as frozen and silent, alarm beside it."


def _facts(report: Mapping[str, Any]) -> str:
    rows = report["rows"]
    quiet, longest = report["quiet_seconds"], report["longest_quiet_seconds"]
    slower = f", up to {longest:.6g} s for a sensor that is read more rarely," if longest > quiet else ""
    return (
        f"{', '.join(report['inputs'])}: {rows['total']:,} rows of "
        f"{len(report['sensors']):,} sensors, {rows['anomalous']:,} anomalous by {report['labels']}. Alarm budget "
        f"{report['budget_per_sensor_day']:g} per sensor and day. An incident ends after {quiet:.6g} s{slower} without an "
        "alarm or a score that is nearly one."
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], kind: str, best: frozenset[int] = frozenset()) -> str:
    """Return a table; cells of the first row in the columns `best` are bold."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="best">{escape(cell)}</td>' if number == 0 and column in best else f"<td>{escape(cell)}</td>"
            for column, cell in enumerate(row)
        )
        + "</tr>"
        for number, row in enumerate(rows)
    )
    return f'<div class="wide"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _budgets(report: Mapping[str, Any]) -> str:
    """Return the table of what other budgets find; empty if they were not tried."""
    cells = budget_cells(report)
    if not cells:
        return ""
    return f"<p>{' '.join(CAPTION)}</p>{_table(HEADER, cells, 'budgets')}"


def _list(notes: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>" if notes else ""


def _omission(sensors: int, pictures: int) -> str:
    return f"<p>Pictures of {pictures:,} of {sensors:,} sensors; --pictures N draws more.</p>" if pictures < sensors else ""


def _figure(sensor: str, picture: bytes) -> str:
    encoded = base64.b64encode(picture).decode()
    name = escape(sensor)
    return f'<figure><figcaption>{name}</figcaption><img alt="score of {name}" src="data:image/png;base64,{encoded}"></figure>'
