"""`stream-detector score`: a file offline, as the stream would score it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.errors import InputDataError, StreamDetectorError
from stream_detector.rules import build_detector

if TYPE_CHECKING:
    import pyarrow as pa

    from stream_detector.dataset import Dataset
    from stream_detector.detector import Detector

_WRITERS = (".csv", ".parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="directory written by train")
    parser.add_argument(
        "--input", type=Path, required=True, metavar="FILE", help="CSV or Parquet: sensor_id, timestamp, features"
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="CSV or Parquet, a row for each row in: sensor_id, timestamp, score, threshold, is_anomaly",
    )
    add_settings_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Score the file; return the exit code."""
    from stream_detector.adapters.keras_scorer import KerasScorer
    from stream_detector.dataset import read_dataset

    if arguments.output.suffix not in _WRITERS:
        msg = f"--output {arguments.output}: the name must end in {' or '.join(_WRITERS)}"
        raise InputDataError(msg)
    settings = settings_of(arguments)
    scorer = KerasScorer(arguments.model, settings.model.tile_rows)
    dataset = read_dataset([arguments.input], scorer.spec.features)
    state = settings.state.model_copy(update={"max_sensors": max(1, len(dataset.sensors))})
    detector = build_detector(scorer, scorer.spec, scorer.calibration, state, settings.alerts)
    _write(_score(detector, dataset), arguments.output)
    return 0


def _score(detector: Detector, dataset: Dataset) -> pa.Table:
    """Score with a progress bar on stderr, where it does not mix with output."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    from rich.console import Console
    from rich.progress import track

    from stream_detector.offline import score_dataset

    batches = track(score_dataset(detector, dataset), "scoring", console=Console(stderr=True), disable=not os.isatty(2))
    parts = list(batches)
    score = np.concatenate([part.score for part in parts])
    threshold = np.concatenate([part.threshold for part in parts])
    names = pa.DictionaryArray.from_arrays(dataset.codes, list(dataset.sensors)).cast(pa.string())
    return pa.table(
        {
            "sensor_id": names,
            "timestamp": pc.strftime(pa.array(dataset.times_ms, pa.timestamp("ms", "UTC")), "%Y-%m-%dT%H:%M:%SZ"),
            "score": pa.array(score, mask=np.isnan(score)),
            "threshold": pa.array(threshold, mask=np.isnan(threshold)),
            "is_anomaly": pa.array(np.concatenate([part.is_anomaly for part in parts]).astype(np.int8)),
        }
    )


def _write(table: pa.Table, path: Path) -> None:
    """Write the table beside its place, then move it there: a reader never sees half a file."""
    import pyarrow.csv
    import pyarrow.parquet

    unfinished = path.with_name(f".{path.name}.unfinished")
    write = pyarrow.csv.write_csv if path.suffix == ".csv" else pyarrow.parquet.write_table
    try:
        write(table, unfinished)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        msg = f"cannot write {path}: {error}"
        raise StreamDetectorError(msg) from None
