"""Trains the built-in model and writes its figures into the package: `python -m stream_detector.training.built_in`.

It learns from random series (simulation/random_series.py), so it holds no reading of a real machine: from half of them how the
newest rows follow from the older ones, from the other half what its errors do on a series of its own. Equal arguments give
equal figures on machines of one kind. Takes about a minute.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from stream_detector.built_in.members import LENGTH, NAMES, NEWEST
from stream_detector.built_in.model import PLACE, BuiltInModel
from stream_detector.built_in.scorer import BuiltIn
from stream_detector.detection.decision_rules import LEVEL_MEMORY_COUNT
from stream_detector.detection.own_tails import TAIL_SHARE, OwnTails
from stream_detector.model.input_scaling import fill, scale
from stream_detector.readings import Float32Array, Float64Array
from stream_detector.simulation.random_series import random_series
from stream_detector.state.record_layout import WindowShape, new_records
from stream_detector.state.running_scale import Scales

SERIES, READINGS, SEED = 600, 2_000, 1
#: Windows of each series from which the forecast is fitted, and the penalty of its ridge regression.
_WINDOWS, _RIDGE = 300, 0.1
#: Readings after which the scale of a series stands still, as a sensor's does.
_LEARNED = 16 * LENGTH
#: A series' own errors are told from the model's after so many.
_SETTLED = 500
_DIGITS = 6


def train_built_in(series: int, readings: int, seed: int) -> dict[str, Any]:
    """Return the figures of the model, as they are written. Blocks."""
    rng = np.random.default_rng(seed)
    matrix = _fit_forecast([_scaled_windows(rng, seed, number, readings) for number in range(series // 2)])
    figures: dict[str, Any] = {"matrix": np.round(matrix, _DIGITS).ravel().tolist()}
    trial = {**figures, "variance": [1.0] * len(NAMES), "typical": 0.0, "start": 0.0, "scale": 1.0}
    scorer = BuiltIn(WindowShape(("value",), LENGTH), BuiltInModel.parse(json.dumps({"figures": trial})))
    errors = np.stack([_errors(scorer, seed, number, readings) for number in range(series // 2, series)], axis=1)
    variance = np.median(_follow(errors, scorer, np.ones(len(NAMES)))[1], axis=0)
    surprise = _follow(errors, scorer, variance)[0][_SETTLED:]
    surprise = surprise[~np.isnan(surprise)]
    typical, start = float(surprise.mean()), float(np.quantile(surprise, 1.0 - TAIL_SHARE))
    figures["variance"] = np.round(variance, _DIGITS).tolist()
    # The median tells the scale of an exponential tail too, and few wild series do not move it.
    tail = {"typical": typical, "start": start - typical}
    tail["scale"] = float(np.median(surprise[surprise > start] - start) / np.log(2.0))
    figures |= {name: round(value, _DIGITS) for name, value in tail.items()}
    return {"recipe": {"series": series, "readings": readings, "seed": seed}, "figures": figures}


def _windows(seed: int, number: int, readings: int) -> tuple[Float32Array, Scales]:
    """Return the windows [N, LENGTH, 1] of a series, each on the scale of the readings up to its newest."""
    values = random_series(seed, number, readings)
    present, known = ~np.isnan(values), np.nan_to_num(values)
    count = np.maximum(np.cumsum(present), 1)
    mean = np.cumsum(known) / count
    deviation = np.sqrt(np.maximum(np.cumsum(np.square(known)) / count - np.square(mean), 0.0))
    at = np.minimum(np.arange(LENGTH - 1, readings), _LEARNED)
    location = mean[at, np.newaxis].astype(np.float32)
    usual = np.where(deviation > 0, deviation, 1.0)[at, np.newaxis].astype(np.float32)
    return sliding_window_view(values.astype(np.float32), LENGTH)[:, :, np.newaxis], Scales(location, usual)


def _scaled_windows(rng: np.random.Generator, seed: int, number: int, readings: int) -> Float32Array:
    """Return some scaled windows [K, LENGTH] of a series."""
    windows, scales = _windows(seed, number, readings)
    chosen = rng.choice(len(windows), min(_WINDOWS, len(windows)), replace=False)
    filled, _ = fill(windows[chosen], scales.location[chosen])
    return np.asarray(scale(filled, scales.location[chosen], scales.deviation[chosen])[:, :, 0])


def _fit_forecast(windows: Sequence[Float32Array]) -> Float64Array:
    """Return the matrix [LENGTH - NEWEST, NEWEST] that forecasts the newest rows of windows [K, LENGTH] best."""
    rows = np.concatenate(windows).astype(np.float64)
    older, newest = rows[:, :-NEWEST], rows[:, -NEWEST:]
    penalty = _RIDGE * len(rows) * np.eye(older.shape[1])
    return np.asarray(np.linalg.solve(older.T @ older + penalty, older.T @ newest))


def _errors(scorer: BuiltIn, seed: int, number: int, readings: int) -> Float32Array:
    """Return the log errors [N, M] of all windows of a series."""
    return scorer.start(*_windows(seed, number, readings))()


def _follow(errors: Float32Array, scorer: BuiltIn, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Let S series follow their errors [N, S, M]; return the surprises [N, S], and the variances in the end [S, M]."""
    own, tails = OwnTails(variance, 0.0, 1.0), scorer.calibration.tails
    state = new_records(errors.shape[1], LENGTH, 1, len(NAMES))["header"].copy()
    members, surprises = len(NAMES), np.full(errors.shape[:2], np.nan)
    for row, found in enumerate(errors.astype(np.float64)):
        own.begin(state, found, np.zeros(members))
        above = found - state["shift"][:, :members]
        surprises[row] = tails.surprise(above / own.deviations(state)).mean(axis=1)
        scored = ~np.isnan(surprises[row])
        own.follow(state, above, surprises[row], scored=scored, calm=scored, most=LEVEL_MEMORY_COUNT)
    return surprises, np.square(own.deviations(state))


def main() -> None:
    """Train the model with the recipe, or another, and write it into the package, or elsewhere."""
    parser = argparse.ArgumentParser(description="Train the built-in model on random series.")
    parser.add_argument("--output", type=Path, default=PLACE, metavar="FILE", help=f"(default: {PLACE})")
    for name, default in (("series", SERIES), ("readings", READINGS), ("seed", SEED)):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"(default: {default:,})")
    options = parser.parse_args()
    found = train_built_in(options.series, options.readings, options.seed)
    options.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{options.output}: {options.output.stat().st_size:,} bytes")  # noqa: T201 - a tool


if __name__ == "__main__":
    main()
