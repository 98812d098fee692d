"""Findings about a model beside a sample of the topic: features, units, intervals and sensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stream_detector.amounts import number
from stream_detector.checkup.findings import Finding, counted, ok, some, warning, wrong
from stream_detector.checkup.sample import Sample
from stream_detector.checkup.units import misfit
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.ingest.renamed import renamings
from stream_detector.readings import Float64Array
from stream_detector.state.known_sensors import UNKNOWN, SensorTable
from stream_detector.timestamps import duration

#: The intervals of topic and model may differ by this factor.
_FACTOR = 2.0
_TRAIN = "stream-detector train --from-topic --output DIRECTORY"
_IGNORE = "export STREAM_DETECTOR_INPUT__UNKNOWN_FEATURES=ignore"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model expects of the topic."""

    spec: ModelSpec
    sensors: SensorTable
    healthy: HealthyData


def feature_findings(model: ModelFacts, sample: Sample, *, ignores_unknown: bool) -> Iterator[Finding]:
    """Compare the features of the sample with those of the model."""
    about, wanted = "features", model.spec.features
    sent = {name for name, share in zip(sample.features, sample.counts.tolist(), strict=True) if share > 0}
    lacking, unknown = [name for name in wanted if name not in sent], sorted(sent - set(wanted))
    renamed = renamings(lacking, unknown)
    for name in lacking:
        other = renamed.get(name)
        yield wrong(
            about,
            f"{name}, a feature of the model, has no value in any of {counted(sample.readings, 'reading')}"
            + (f"; the topic has {other}, which the model does not know: renamed?" if other else ""),
            f"send it as {name}" if other else f"send {name}",
            f"or train with what the topic has: {_TRAIN}",
        )
    strangers = [name for name in unknown if name not in renamed.values()]
    if strangers and not ignores_unknown:
        yield wrong(
            about,
            f"the model does not know {some(strangers)}: a reading with a feature that it does not know becomes a dead letter",
            _IGNORE,
            f"or train with them: {_TRAIN}",
        )
    elif strangers:
        yield ok(about, f"the model does not know {some(strangers)}, which the settings let it ignore")
    if not lacking:
        yield ok(about, f"every feature of the model has values ({len(wanted)})")
    for name, share in zip(sample.features, sample.counts.tolist(), strict=True):
        if name in wanted and 0 < share < 0.5:
            yield warning(
                about,
                f"{name} has a value in {100 * share:.0f} % of the readings only; what is missing adds nothing to the score",
                "send all features of a sensor in one reading",
            )


def unit_findings(model: ModelFacts, sample: Sample) -> Iterator[Finding]:
    """Say of which features the values look as if they were in another unit than in training."""
    about, features = "units", model.spec.features
    rows = model.sensors.find(sample.sensors)
    is_well = True
    for column, name in enumerate(sample.features):
        if name not in features or name in model.spec.counters:
            continue
        low, high = _ranges(model.healthy, rows, features.index(name))
        found = misfit(sample.medians[:, column], low, high)
        if found is None:
            continue
        is_well = False
        text = (
            f"{name}: the usual value is {number(found.median)}, and healthy readings had {number(found.low)} to "
            f"{number(found.high)} ({found.sensors} of {counted(found.of, 'sensor')})"
        )
        if found.conversion:
            yield wrong(
                about,
                f"{text}: as if they were {found.conversion.text}",
                f"send {name} in the unit of the training",
                f"or train with what the topic has: {_TRAIN}",
            )
        else:
            yield warning(about, text, "look at the machines, and at what the producer sends")
    if is_well and sample.sensors:
        yield ok(about, "usual values are where healthy readings had them")


def _ranges(healthy: HealthyData, rows: np.ndarray, feature: int) -> tuple[Float64Array, Float64Array]:
    """Return the healthy range [S] of each sensor, of the whole fleet where the model does not know the sensor."""
    lowest, highest = (bound[:, feature].astype(np.float64) for bound in (healthy.lowest, healthy.highest))
    if not np.isfinite(lowest).any():
        unknown = np.full(len(rows), np.nan)
        return unknown, unknown
    known = (rows != UNKNOWN) & np.isfinite(lowest[rows])
    return np.where(known, lowest[rows], np.nanmin(lowest)), np.where(known, highest[rows], np.nanmax(highest))


def interval_findings(model: ModelFacts, sample: Sample) -> Iterator[Finding]:
    """Compare the time between the readings of the sample's sensors with that of the training."""
    about = "interval"
    expected_ms, _ = model.sensors.pace(model.sensors.find(sample.sensors), 1000 * model.spec.sampling_interval_seconds)
    known = np.isfinite(sample.interval_ms) & (expected_ms > 0)
    if not known.any():
        yield warning(
            about,
            "the sample has too few readings of a sensor to show how often it is read",
            "stream-detector check --sample 20000",
        )
        return
    now, then = (duration(float(np.median(values[known])) / 1000) for values in (sample.interval_ms, expected_ms))
    ratio = float(np.median(sample.interval_ms[known] / expected_ms[known]))
    if 1 / _FACTOR <= ratio <= _FACTOR:
        yield ok(about, f"a sensor has a reading every {now}; in training every {then}")
        return
    yield warning(
        about,
        f"a sensor has a reading every {now}, in training every {then}: a window of {model.spec.window_length} readings spans "
        f"{'longer' if ratio > 1 else 'shorter'} than the model knows",
        f"train on readings at the topic's pace: {_TRAIN}",
    )


def sensor_findings(model: ModelFacts, sample: Sample) -> Iterator[Finding]:
    """Say how many of the sample's sensors the model knows."""
    about, known_names = "sensors", list(model.sensors.rows)
    if not sample.sensors or model.sensors.takes_any:
        return
    rows = model.sensors.find(sample.sensors)
    strangers = [name for name, row in zip(sample.sensors, rows.tolist(), strict=True) if row == UNKNOWN]
    if not strangers:
        yield ok(about, f"the model knows every sensor of the sample ({len(sample.sensors):,})")
        return
    text = (
        f"the model does not know {len(strangers):,} of {counted(len(sample.sensors), 'sensor')}: {some(strangers)}; it learns "
        "them as they run, and marks their events provisional"
    )
    if len(strangers) == len(sample.sensors):
        text += f". It knows {some(known_names, 3)}: are the names written differently?"
    yield warning(about, text, f"train with readings of these sensors: {_TRAIN}")
