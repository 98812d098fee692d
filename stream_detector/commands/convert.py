"""`stream-detector convert`: write files of any form as one table in the product's own form, and say what was understood."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_detector.commands.argument_types import missing
from stream_detector.commands.column_options import names
from stream_detector.commands.file_options import add_exclude_option, add_file_options, file_options
from stream_detector.commands.parsing_options import parsing_of
from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.commands.zone_option import add_zone_option
from stream_detector.errors import InputDataError, SettingsError
from stream_detector.files import check_new_file, replaced_file
from stream_detector.timestamps import duration, iso_time
from stream_detector.values import NO_MISSING_VALUES

if TYPE_CHECKING:
    import pyarrow as pa

    from stream_detector.tables.dataset import Dataset
    from stream_detector.tables.foreign.read import ReadFiles

_SUFFIXES = (".csv", ".parquet")
_SHOWN = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--input",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="text tables, Parquet, archives, or folders of these",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="CSV or Parquet, by its ending: timestamp, sensor_id, features"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what was understood")
    parser.add_argument("--json", action="store_true", help="say it as one JSON object")
    add_file_options(parser)
    parser.add_argument("--ignore-columns", type=names, default=(), metavar="A,B", help="columns or tags that are left out")
    parser.add_argument(
        "--missing-values", type=missing, metavar="A,B,NAME=C", help="words and numbers that stand for a missing value"
    )
    add_exclude_option(parser)
    add_zone_option(parser, reads=True)
    add_settings_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Convert; return the exit code."""
    from stream_detector.tables.dataset import clean
    from stream_detector.tables.foreign.read import read_files
    from stream_detector.tables.row_choice import without_spans

    _check_output(arguments)
    parsing = parsing_of(arguments, settings_of(arguments))
    parsing = replace(parsing, missing=parsing.missing | (arguments.missing_values or NO_MISSING_VALUES))
    read = read_files(arguments.input, None, arguments.ignore_columns, parsing, file_options(arguments))
    dataset, repairs = clean(read.dataset)
    dataset, left_out = without_spans(dataset, arguments.exclude, parsing.zone)
    notes = [*read.dataset.notes, *(f"repaired: {repair}" for repair in repairs), *left_out]
    output = None if arguments.dry_run else arguments.output
    if output is not None:
        _write(dataset, output)
    if arguments.json:
        _print(json.dumps(_as_json(read, dataset, notes, output), ensure_ascii=False, indent=1))
    else:
        _print("\n".join(_lines(read, dataset, notes, output)))
    return 0


def _check_output(arguments: argparse.Namespace) -> None:
    if arguments.dry_run:
        return
    output: Path | None = arguments.output
    if output is None:
        msg = "name a file with --output, or only look with --dry-run"
        raise SettingsError(msg)
    if output.suffix not in _SUFFIXES:
        msg = f"--output {output}: the name must end in {' or '.join(_SUFFIXES)}"
        raise InputDataError(msg)
    for source in arguments.input:
        check_new_file(output, source)


def _write(dataset: Dataset, path: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    write = pyarrow.csv.write_csv if path.suffix == ".csv" else pyarrow.parquet.write_table
    with replaced_file(path) as unfinished:
        write(_table(dataset, as_text=path.suffix == ".csv"), unfinished)


def _table(dataset: Dataset, *, as_text: bool) -> pa.Table:
    """Return the readings in order of time, with their time as text or as a timestamp."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    order = np.argsort(dataset.times_ms, kind="stable")
    codes = dataset.codes[order]
    times = pa.array(dataset.times_ms[order], pa.timestamp("ms", "UTC"))
    columns = {
        "timestamp": pc.strftime(times, "%Y-%m-%dT%H:%M:%SZ") if as_text else times,
        "sensor_id": pa.DictionaryArray.from_arrays(codes, list(dataset.sensors)).cast(pa.string()),
    }
    for position, name in enumerate(dataset.features):
        values = np.asarray(dataset.values[order, position], np.float64)
        columns[name] = pa.array(values, mask=np.isnan(values))
    return pa.table(columns)


def _as_json(read: ReadFiles, dataset: Dataset, notes: list[str], output: Path | None) -> dict[str, Any]:
    import numpy as np

    times, counts = dataset.times_ms, np.bincount(dataset.codes, minlength=len(dataset.sensors))
    missing_share = np.isnan(dataset.values).mean(axis=0)
    return {
        "files": [one.as_json() for one in read.files],
        "joined": read.joined.as_json() if read.joined else None,
        "readings": len(dataset),
        "first": iso_time(int(times.min())),
        "last": iso_time(int(times.max())),
        "interval_seconds": _interval(dataset),
        "sensors": {name: int(count) for name, count in zip(dataset.sensors, counts, strict=True)},
        "features": {name: round(float(share), 6) for name, share in zip(dataset.features, missing_share, strict=True)},
        "notes": notes,
        "output": str(output) if output else None,
    }


def _lines(read: ReadFiles, dataset: Dataset, notes: list[str], output: Path | None) -> list[str]:
    import numpy as np

    lines: list[str] = []
    for one in (*read.files, *([read.joined] if read.joined else [])):
        lines += [f"{one.name}{' (rows made of tags)' if one is read.joined else ''}"]
        lines += [f"  {about + ':':<14} {what}" for about, what in one.facts.items()]
        lines += [f"  {note}" for note in one.notes]
    lines += notes
    missing_cells = int(np.isnan(dataset.values).sum())
    interval = _interval(dataset)
    lines.append(
        f"readings: {len(dataset):,}, {iso_time(int(dataset.times_ms.min()))} to {iso_time(int(dataset.times_ms.max()))}"
    )
    lines.append(
        f"interval: {f'{duration(interval)} in the median' if interval else 'unknown, for no sensor has two readings'}"
    )
    lines.append(f"sensors:  {_counted(dataset.sensors)}")
    lines.append(f"features: {_counted(dataset.features)}")
    lines.append(
        f"missing:  {missing_cells:,} of {dataset.values.size:,} values ({missing_cells / max(1, dataset.values.size):.1%})"
    )
    lines.append(f"written:  {output}" if output else "written:  nothing (--dry-run)")
    return lines


def _counted(listed: tuple[str, ...]) -> str:
    return f"{len(listed):,} ({', '.join(listed[:_SHOWN])}{', ...' if len(listed) > _SHOWN else ''})"


def _interval(dataset: Dataset) -> float | None:
    from stream_detector.tables.dataset import sampling_interval_seconds

    try:
        return sampling_interval_seconds(dataset)
    except InputDataError:
        return None


def _print(text: str) -> None:
    print(text, file=sys.stdout)  # noqa: T201 - the command line prints
