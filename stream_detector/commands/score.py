"""`stream-detector score`: score a file offline, exactly as the service would."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stream_detector.assembly import budget_per_sensor_day, decision_rules
from stream_detector.commands.file_options import add_file_options, add_state_option
from stream_detector.commands.file_scorer import file_scorer
from stream_detector.commands.progress import print_to_stderr, score_with_progress
from stream_detector.commands.score_rows import idle_line
from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.commands.zone_option import add_zone_option, shown_zone
from stream_detector.errors import InputDataError
from stream_detector.files import check_output_file, replaced_file
from stream_detector.settings.group import BUDGET_VARIABLE
from stream_detector.settings.schema import AlertSettings

if TYPE_CHECKING:
    import pyarrow as pa

    from stream_detector.evaluation.offline_scoring import ScoredRows
    from stream_detector.tables.dataset import Dataset

_SUFFIXES = (".csv", ".parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", type=Path, metavar="DIR", help="directory written by train (default: the built-in model)")
    parser.add_argument(
        "--input",
        type=Path,
        required=True,
        metavar="FILE",
        help="CSV or Parquet, sorted by time: sensor_id, timestamp, the model's features (without --model, any "
        "measurements); other columns are ignored. Other tables are read as `convert` reads them",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="CSV or Parquet, one row per input row: sensor_id, timestamp, score, threshold, is_anomaly (0 or 1), "
        "rule (the types of the open incidents of rules, such as frozen); "
        "score and threshold are empty in a row that is not scored",
    )
    add_state_option(parser)
    add_zone_option(parser, reads=True, shows=True)
    add_settings_options(parser)
    add_file_options(parser.add_argument_group("form of the file (default: as it looks)"))


def main(arguments: argparse.Namespace) -> int:
    """Score the file; return the exit code."""
    import numpy as np

    from stream_detector.evaluation.incident_list import IncidentList
    from stream_detector.evaluation.incident_past import FileRows
    from stream_detector.tables.time_checks import check_order

    output: Path = arguments.output
    if output.suffix not in _SUFFIXES:
        msg = f"--output {output}: the name must end in {' or '.join(_SUFFIXES)}"
        raise InputDataError(msg)
    check_output_file(output, arguments.input, arguments.model)
    settings = settings_of(arguments)
    found = file_scorer(arguments, settings)
    scorer, dataset = found.scorer, found.dataset
    out_of_order = check_order(str(arguments.input), dataset.codes, dataset.times_ms, dataset.sensors)
    for note in (*found.notes, *out_of_order, *found.about_model):
        print_to_stderr(note)
    incidents = IncidentList()
    dataset = replace(dataset, rows=np.arange(len(dataset)))
    rows = score_with_progress(scorer, dataset, settings, incidents.add)
    if line := idle_line(rows.is_idle, scorer.spec):
        print_to_stderr(line)
    _write(_table(dataset, rows), output)
    zone = shown_zone(arguments, settings.input)
    for line in incidents.lines(FileRows(dataset, rows, scorer.spec.counters, zone), zone):
        print_to_stderr(line)
    print_to_stderr(budget_line(budget_per_sensor_day(scorer.calibration, settings.alerts), settings.alerts))
    rules = decision_rules(scorer.spec, scorer.calibration, settings.state, settings.alerts)
    if rules.resolution is not None:
        print_to_stderr("\n".join(rules.resolution.lines()))
    print_to_stderr(_summary(rows, settings.state.stride))
    return 0


def budget_line(budget: float, alerts: AlertSettings) -> str:
    """Say at which budget was decided, and whether anybody chose it."""
    decided = f"decided at {budget:g} false alarms per sensor and day"
    if alerts.model_fields_set & {"budget_per_sensor_day", "budget_per_fleet_day"}:
        return f"{decided}, as the settings say"
    return f"{decided}, the default: no settings with another were given (--config FILE, or {BUDGET_VARIABLE})"


def _table(dataset: Dataset, rows: ScoredRows) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    return pa.table(
        {
            **_names_and_times(dataset),
            "score": pa.array(rows.score, mask=np.isnan(rows.score)),
            "threshold": pa.array(rows.threshold, mask=np.isnan(rows.threshold)),
            "is_anomaly": pa.array(rows.is_anomaly.astype(np.int8)),
            "rule": pa.array(_rules_of(dataset, rows)),
        }
    )


def _names_and_times(dataset: Dataset) -> dict[str, pa.Array]:
    import pyarrow as pa
    import pyarrow.compute as pc

    return {
        "sensor_id": pa.DictionaryArray.from_arrays(dataset.codes, list(dataset.sensors)).cast(pa.string()),
        "timestamp": pc.strftime(pa.array(dataset.times_ms, pa.timestamp("ms", "UTC")), "%Y-%m-%dT%H:%M:%SZ"),
    }


def _rules_of(dataset: Dataset, rows: ScoredRows) -> list[str]:
    """Return for each row the types of the open incidents of rules, separated by spaces."""
    import numpy as np

    from stream_detector.evaluation.offline_scoring import rule_incidents

    names = np.full(len(dataset), "", object)
    for name, is_open in sorted(rule_incidents(dataset, rows).items()):
        names[is_open] = np.where(names[is_open] == "", name, names[is_open] + f" {name}")
    return list(names.tolist())


def _summary(rows: ScoredRows, stride: int) -> str:
    """Return one line: how many rows were scored, and why the others were not."""
    import numpy as np

    scored, late, warming = (int(part.sum()) for part in (~np.isnan(rows.score), rows.is_late, rows.is_warming))
    idle = int(rows.is_idle.sum())
    others = len(rows.score) - scored - late - warming - idle
    skipped = f", or not one of every {stride}" if stride > 1 else ""
    reasons = [
        f"{idle:,} idle" if idle else "",
        f"{warming:,} before their window was full" if warming else "",
        f"{late:,} late or repeated (not newer than their sensor's newest)" if late else "",
        f"{others:,} without a value in their window{skipped}" if others else "",
    ]
    not_scored = ", ".join(filter(None, reasons))
    summary = f"{len(rows.score):,} rows: {scored:,} scored, {int(rows.is_anomaly.sum()):,} anomalous"
    return f"{summary}; {not_scored}" if not_scored else summary


def _write(table: pa.Table, path: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    write = pyarrow.csv.write_csv if path.suffix == ".csv" else pyarrow.parquet.write_table
    with replaced_file(path) as unfinished:
        write(table, unfinished)
