"""Trains on a case and scores it by the functions of the commands `train` and `score`, with their defaults.

The readings go through CSV files, as a user's would. The errors of the windows are computed once, and decided on once for each
budget: decisions are a fold over errors.
"""

from __future__ import annotations

import contextlib
import io
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from stream_detector import cli
from stream_detector.assembly import TrainedScorer, budget_per_sensor_day, input_parsing
from stream_detector.commands.evaluate import evaluation_config
from stream_detector.commands.progress import score_with_progress
from stream_detector.errors import StreamDetectorError
from stream_detector.evaluation.offline_scoring import ScoredRows
from stream_detector.evaluation.scorecard import EvaluationConfig
from stream_detector.readings import Float32Array
from stream_detector.settings.schema import AlertSettings, Settings
from stream_detector.state.running_scale import Scales
from stream_detector.tables.dataset import Dataset, read_dataset
from tests.judge.cases import Case, Rows, rows_to_score, rows_to_train

if TYPE_CHECKING:
    from stream_detector.adapters.keras_scorer import KerasScorer

#: By name, the budgets that everything is decided at, per sensor and day; None: as the settings have it.
BUDGETS: dict[str, float | None] = {"default": None, "1": 1.0, "10": 10.0}


class RefusedError(Exception):
    """The product refuses the data; the text is what it says."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the product says about the test rows, and the last training rows before them."""

    dataset: Dataset
    by_budget: dict[str, ScoredRows]
    budgets: dict[str, float]  # per sensor and day
    config: EvaluationConfig
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Files:
    """Where a case's files are, and the options of the training."""

    test: Path
    model: Path
    options: tuple[str, ...]

    @classmethod
    def write(cls, case: Case, directory: Path, train_options: str, known_model: Path | None = None) -> Files:
        """Write the readings of a case, whose model is there already or will be."""
        train_file, test_file, model = directory / "train.csv", directory / "test.csv", directory / "model"
        write_csv(train_file, case, rows_to_train(case))
        write_csv(test_file, case, rows_to_score(case))
        options = ("--input", str(train_file), "--output", str(model), *shlex.split(train_options))
        return cls(test_file, known_model or model, options)


def keep(model: Path, place: Path) -> None:
    """Copy a model to a place, instead of one that is there."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(model, place)


def alerts_at_budgets(settings: Settings) -> dict[str, AlertSettings]:
    """Return the settings of each of BUDGETS, with names in its order."""
    changes = {"budget_per_fleet_day": None, "fleet_size": None}
    return {
        name: settings.alerts.model_copy(update={} if budget is None else {"budget_per_sensor_day": budget, **changes})
        for name, budget in BUDGETS.items()
    }


def score(files: Files, scorer: KerasScorer, settings: Settings) -> Outcome:
    """Score the test as the command does, and decide on it at each of BUDGETS; raise RefusedError."""
    try:
        dataset = read_dataset([files.test], scorer.spec.features, parsing=input_parsing(settings.input, scorer.spec))
        remembering = RememberingScorer(scorer)
        rows = {}
        for name, alerts in alerts_at_budgets(settings).items():
            remembering.rewind()
            changed = settings.model_copy(update={"alerts": alerts})
            rows[name] = score_with_progress(cast("TrainedScorer", remembering), dataset, changed)
    except StreamDetectorError as error:
        raise RefusedError(str(error)) from None
    budgets = {name: budget_per_sensor_day(scorer.calibration, alerts) for name, alerts in alerts_at_budgets(settings).items()}
    return Outcome(dataset, rows, budgets, evaluation_config(scorer, settings), scorer.spec.members)


def open_scorer(files: Files, settings: Settings) -> KerasScorer:
    """Load and compile the model as the commands do."""
    from stream_detector.adapters.keras_scorer import KerasScorer, usual_threads  # imports TensorFlow

    return KerasScorer(files.model, settings.model.tile_rows, settings.model.threads or usual_threads())


def train(options: Sequence[str]) -> None:
    """Run the command; raise RefusedError with its last line if it fails."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = cli.main(["train", *options])
    if code:
        raise RefusedError((said.getvalue().strip().splitlines() or ["no message"])[-1])


class RememberingScorer:
    """A scorer that computes the errors of equal batches in equal order once.

    A batch is equal if it has as many windows, with the same newest rows. Only windows whose scale is another than before,
    because a decision changed it, are scored again.
    """

    def __init__(self, scorer: TrainedScorer) -> None:
        self._scorer = scorer
        self._batches: list[_Batch] = []
        self._position = 0
        self.scored = 0  # windows that were given to the scorer

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the scorer has
        return getattr(self._scorer, name)

    def rewind(self) -> None:
        """Start again with the first batch."""
        self._position = 0

    def start(self, windows: Float32Array, scales: Scales) -> Callable[[], Float32Array]:
        """See detection.scorer.Scorer."""
        at, self._position = self._position, self._position + 1
        known = self._batches[at] if at < len(self._batches) else None
        if known is None or not known.has_rows_of(windows):
            del self._batches[at:]
            errors = self._errors(windows, scales)
            self._batches.append(_Batch(windows[:, -1].copy(), _cells(scales), errors))
            return lambda: errors
        changed = (known.scales != _cells(scales)).any(axis=1)
        if not changed.any():
            return lambda: known.errors
        errors = known.errors.copy()
        errors[changed] = self._errors(windows[changed], scales.take(changed))
        return lambda: errors

    def _errors(self, windows: Float32Array, scales: Scales) -> Float32Array:
        self.scored += len(windows)
        return self._scorer.start(windows, scales)()


@dataclass(frozen=True, slots=True)
class _Batch:
    """The newest rows, scales and errors of the windows of a batch."""

    newest: Float32Array
    scales: Float32Array
    errors: Float32Array

    def has_rows_of(self, windows: Float32Array) -> bool:
        return len(windows) == len(self.newest) and np.array_equal(windows[:, -1], self.newest, equal_nan=True)


def _cells(scales: Scales) -> Float32Array:
    """Return everything that the scales [M] hold, side by side."""
    hidden = np.zeros(scales.location.shape) if scales.hidden is None else scales.hidden
    return np.concatenate([scales.location, scales.deviation, hidden], axis=1, dtype=np.float32)


def write_csv(path: Path, case: Case, rows: Rows) -> None:
    """Write readings as a user would have them; an empty cell is a missing value."""
    import pyarrow as pa
    import pyarrow.csv

    names = pa.DictionaryArray.from_arrays(rows.codes, [one.sensor for one in case.sensors]).cast(pa.string())
    columns = {name: pa.array(rows.values[:, at], from_pandas=True) for at, name in enumerate(case.features)}
    table = pa.table({"sensor_id": names, "timestamp": pa.array(rows.times_ms), **columns})
    pyarrow.csv.write_csv(table, path)
