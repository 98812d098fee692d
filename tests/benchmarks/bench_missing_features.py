"""What alarms do while features are missing, on labelled series, with the linear members and the product's own decision.

    python -m tests.benchmarks.bench_missing_features RESULTS.jsonl SERIES.npz... [--rows 1500] [--patterns 2]
    python -m tests.benchmarks.bench_missing_features RESULTS.jsonl

A file FAMILY__NAME.npz holds `train` [n0, F], `test` [n1, F], the labels `y` [n1] of the test rows, and `seconds` between two
rows. Of the test part, `--rows` rows around its first event are scored: with all features, and with single features and pairs,
drawn at random among those that vary in training, missing in all of them. Each is compared with a model that was trained
without these features: what it finds is visible in the others. An event is found by an alarm in its first half.

Each pattern is a line of RESULTS.jsonl; what is there already is not measured again. Without series, the lines are summed up
by family: the share of the normal rows that are alarmed, at the default budget, and of the visible events that are found.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stream_detector.assembly import build_detector
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.scorer import WindowErrors
from stream_detector.evaluation.offline_scoring import join, score_dataset
from stream_detector.model.error_normalization import fit_error_normalization
from stream_detector.model.input_scaling import scale
from stream_detector.model.linear_members import CHANGE, fit_linear, linear_specs
from stream_detector.readings import BoolArray, Float32Array, Int64Array
from stream_detector.settings.schema import AlertSettings, StateSettings
from stream_detector.state.running_scale import Scales
from stream_detector.tables.dataset import Dataset
from stream_detector.training.calibration_fit import fit_calibration
from stream_detector.training.data_split import gather
from stream_detector.training.healthy_fit import fit_healthy
from stream_detector.training.missing_fit import corrected, measure_missing_levels
from stream_detector.training.preparation import Prepared, TrainingConfig, prepare

START_MS = 1_767_225_600_000
CHUNK_WINDOWS = 2_048


@dataclass(frozen=True, slots=True)
class Series:
    """A labelled series of one sensor."""

    name: str
    seconds: float
    train: Float32Array  # [n0, F]
    test: Float32Array  # [n1, F]
    labels: BoolArray  # [n1]

    @property
    def events(self) -> list[slice]:
        """The rows of each labelled event of the test part."""
        edges = np.flatnonzero(np.diff(self.labels.astype(np.int8), prepend=0, append=0)).tolist()
        return [slice(first, last) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def read(path: Path, rows: int) -> Series:
    """Read a series, with `rows` rows of its test part around the first event."""
    content = np.load(path)
    labels = content["y"].astype(np.bool_)
    first = int(labels.argmax()) - rows // 2 if labels.any() else 0
    part = slice(max(0, min(first, len(labels) - rows)), max(0, min(first, len(labels) - rows)) + rows)
    return Series(path.stem, float(content["seconds"]), content["train"], content["test"][part], labels[part])


def dataset_of(values: Float32Array, seconds: float) -> Dataset:
    """Return the rows [N, F] of one sensor as a dataset."""
    count, features = values.shape
    return Dataset(
        features=tuple(f"f{number}" for number in range(features)),
        sensors=("s",),
        codes=np.zeros(count, np.int32),
        times_ms=START_MS + np.round(1000 * seconds * np.arange(count)).astype(np.int64),
        values=values.astype(np.float32),
        rows=np.arange(count),
    )


def patterns(series: Series, most: int) -> list[tuple[int, ...]]:
    """Return the single features and the pairs to hide, at most `most` of each; none if nothing would be left."""
    rng = np.random.default_rng(0)
    varying = np.flatnonzero(np.ptp(series.train, axis=0) > 0)
    singles = np.sort(rng.permutation(varying)[:most]).tolist() if len(varying) > 1 else []
    pairs = list(itertools.combinations(varying.tolist(), 2)) if len(varying) > 2 else []
    drawn = np.sort(rng.permutation(len(pairs))[:most]).tolist()
    return [*((feature,) for feature in singles), *(pairs[number] for number in drawn)]


class LinearScorer:
    """The linear members of a model, each with the same weight, without its network: trained and run in seconds."""

    def __init__(self, prepared: Prepared) -> None:
        config, split, length = prepared.config, prepared.split, prepared.config.window_length
        chosen = split.fit[:: max(1, len(split.fit) // config.max_linear_windows)]
        windows, _ = prepared.scaled_windows(chosen)
        self._members = fit_linear(windows, linear_specs(length))
        self._imputation, names = prepared.imputation, tuple(member.spec.name for member in self._members)
        ends = split.calibration_ends(config.max_calibration_windows, config.seed)
        parts = [self.errors(*_raw(prepared, part)) for part in np.array_split(ends, -(-len(ends) // CHUNK_WINDOWS))]
        errors, seen = (np.concatenate(all_of) for all_of in zip(*parts, strict=True))
        self._normalization = fit_error_normalization(errors, seen, prepared.scored)
        rows_read = np.array([member.spec.rows_read + (member.spec.kind == CHANGE) for member in self._members])
        self._levels = measure_missing_levels(self._log_errors, prepared, ends, rows_read)
        log_errors = np.asarray(self._normalization.log_errors(errors, seen), np.float32)
        self.calibration = fit_calibration(
            corrected(prepared, self._levels, ends, log_errors),
            prepared.dataset.codes[ends],
            sensors=prepared.dataset.sensors,
            scales=prepared.scales,
            paces=prepared.paces,
            members=names,
            weights=np.full(len(names), 1.0 / len(names)),
            quiet_readings=length // 2,
        )
        self.spec = ModelSpec("linear", "", prepared.dataset.features, length, prepared.interval_seconds, names)
        self.healthy, self.fallback_deviation = fit_healthy(prepared.dataset, prepared.scored), prepared.scales.fleet.deviation

    def _log_errors(self, windows: Float32Array, scales: Scales) -> Float32Array:
        return np.asarray(self._normalization.log_errors(*self.errors(windows, scales)), np.float32)

    def errors(self, windows: Float32Array, scales: Scales) -> tuple[Float32Array, BoolArray]:
        """Return the errors of each feature, as model/members.py computes them, and whether it was seen, [N, M, F]."""
        filled, present = self._imputation.fill(windows, scales)
        scaled = np.asarray(scale(filled, scales.location, scales.deviation), np.float32)
        errors, seen = [], []
        for member in self._members:
            actual, expected = member.expect(scaled)
            rows = member.spec.rows_predicted
            counts = present[:, -rows:] & present[:, -1:]
            if member.spec.kind == CHANGE:
                counts = counts & present[:, -rows - 1 : -1]
            number = counts.sum(axis=1)
            errors.append((np.square(actual - expected) * counts).sum(axis=1) / np.maximum(number, 1))
            seen.append(number > 0)
        return np.stack(errors, axis=1).astype(np.float32), np.stack(seen, axis=1)

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See detection.scorer.Scorer."""
        if not len(windows):
            return lambda: np.empty((0, len(self._members)), np.float32)
        found = self._log_errors(windows, scales)
        return lambda: self._levels.correct(found, windows)

    def explain(self, windows: Float32Array, scales: Scales) -> list[WindowErrors]:  # noqa: ARG002 - nothing is explained here
        """See detection.scorer.Scorer."""
        count, (steps, features) = len(self._members), windows.shape[1:]
        even = np.full((count, features), 1.0 / features, np.float32), np.full((count, steps), 1.0 / steps, np.float32)
        return [WindowErrors(np.empty(0, np.float32), one[-8:], *even, np.isnan(one[-1])) for one in windows]


def _raw(prepared: Prepared, ends: Int64Array) -> tuple[Float32Array, Scales]:
    windows = gather(prepared.dataset.values, ends, prepared.config.window_length)
    return windows, prepared.scales.of(prepared.dataset.codes[ends])


def fitted(series: Series, kept: Sequence[int], options: argparse.Namespace) -> LinearScorer:
    """Train on some of the features."""
    return LinearScorer(prepare(dataset_of(series.train[-options.train_rows :, kept], series.seconds), TrainingConfig()))


def judge(scorer: LinearScorer | None, series: Series, values: Float32Array) -> dict[str, Any]:
    """Return the share of normal rows that are alarmed in the test part with these values [n1, F], and the found events."""
    assert scorer is not None
    detector = build_detector(scorer, StateSettings(), AlertSettings())
    alarmed = join(list(score_dataset(detector, dataset_of(values, series.seconds)))).is_anomaly
    found = [bool(alarmed[event.start : (event.start + event.stop + 1) // 2].any()) for event in series.events]
    return {"alarmed": float(alarmed[~series.labels].mean()), "found": found}


def measure(series: Series, done: set[tuple[str, str]], options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a line for each pattern: what is alarmed with it, and by a model that was trained without its features."""
    everything = range(series.test.shape[1])
    missing = [hidden for hidden in [(), *patterns(series, options.patterns)] if (series.name, str(hidden)) not in done]
    scorer = fitted(series, everything, options) if missing else None
    for hidden in missing:
        values, kept = series.test.copy(), [feature for feature in everything if feature not in hidden]
        values[:, list(hidden)] = np.nan
        line = {"series": series.name, "hidden": str(hidden), "count": len(hidden), "now": judge(scorer, series, values)}
        yield line | ({"without": judge(fitted(series, kept, options), series, series.test[:, kept])} if hidden else {})


def summary(lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a row for each family."""
    yield "family (series) | all | one missing: alarmed mean (worst), trained without; found, others found | two missing"
    for family, of_family in itertools.groupby(sorted(lines, key=_family), _family):
        group = list(of_family)
        cells = [f"{family} ({len({line['series'] for line in group})})"]
        for count in (0, 1, 2):
            chosen = [line for line in group if line["count"] == count]
            cells.append(_cell(chosen) if chosen else "-")
        yield " | ".join(cells)


def _family(line: dict[str, Any]) -> str:
    return str(line["series"]).split("__")[0]


def _cell(lines: Sequence[dict[str, Any]]) -> str:
    alarmed = np.array([line["now"]["alarmed"] for line in lines])
    found = [one for line in lines for one in line["now"]["found"]]
    if "without" not in lines[0]:
        return f"{alarmed.mean():.1%}, {sum(found)} of {len(found)}"
    reference = np.array([line["without"]["alarmed"] for line in lines])
    visible = [one for line in lines for one in line["without"]["found"]]
    both = sum(a and b for a, b in zip(found, visible, strict=True))
    return (
        f"{alarmed.mean():.1%} ({alarmed.max():.1%}), {reference.mean():.1%} ({reference.max():.1%}); "
        f"{both} of {sum(visible)}, {sum(found) - both}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("series", type=Path, nargs="*")
    parser.add_argument("--rows", type=int, default=1_500)
    parser.add_argument("--train-rows", type=int, default=4_000, help="newest rows of the training part")
    parser.add_argument("--patterns", type=int, default=2, help="single features, and pairs, of a series")
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in arguments.results.read_text().splitlines()] if arguments.results.exists() else []
    done = {(line["series"], line["hidden"]) for line in lines}
    for path in arguments.series:
        for line in measure(read(path, arguments.rows), done, arguments):
            with arguments.results.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(line, flush=True)
    if not arguments.series:
        print("\n".join(summary(lines)))


if __name__ == "__main__":
    main()
