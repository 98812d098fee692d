"""Turns settings and a model into the detector and its rules. The service and the offline commands share it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from stream_detector.detection.budget_resolution import resolution_of
from stream_detector.detection.calibration import Calibration, alarms_per_reading
from stream_detector.detection.decision_rules import DecisionRules, OwnPace
from stream_detector.detection.departure import HealthyRange
from stream_detector.detection.detector import Detector, WindowConfig
from stream_detector.detection.governor import Governor
from stream_detector.detection.model_spec import ModelSpec, tag_of
from stream_detector.detection.rules.fold import RuleConfig
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.rules.incidents import Pace
from stream_detector.detection.rules.limits import LimitOptions, rule_limits
from stream_detector.detection.scorer import Scorer
from stream_detector.detection.silence import SilenceRules
from stream_detector.errors import SettingsError
from stream_detector.ingest.dead_letters import DeadLetterLimit
from stream_detector.ingest.parsing import Parsing
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.pipeline.config import CommitPolicy, PipelineConfig, RestoreConfig
from stream_detector.readings import Float32Array
from stream_detector.settings.group import PREFIX
from stream_detector.settings.input_settings import HOLD_BUCKETS, InputSettings, missing_values, time_zone
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import AlertSettings, DeadLetterSettings, RuleSettings, Settings, StateSettings
from stream_detector.state.arena import Arena
from stream_detector.state.bucket_state import Assembly
from stream_detector.state.record_layout import KEPT_TYPES
from stream_detector.state.running_scale import MAXIMUM_LEARNED_COUNT, ScaleConfig
from stream_detector.timestamps import to_ms

#: Default: shortest time between two updates of an open incident.
UPDATE_SECONDS = 300.0
#: An incident lasts at least this many windows before it is accepted as the new normal: by then it fills the window.
ACCEPT_WINDOWS = 2
#: A sensor that the model does not know learns its scale from this many windows of readings, and from more until it settles.
SCALE_WINDOWS = 16
#: History that fills the windows where it is not known how often sensors are read.
LOOKBACK_SECONDS = 1800.0
#: Hexadecimal digits of a rules version, as many as in a model's version.
VERSION_DIGITS = 12


class TrainedScorer(Scorer, Protocol):
    """A scorer with the specification and calibration of its model."""

    spec: ModelSpec
    calibration: Calibration
    fallback_deviation: Float32Array  # [F] > 0
    healthy: HealthyData


def build_detector(
    scorer: TrainedScorer,
    state: StateSettings,
    alerts: AlertSettings,
    rules: RuleSettings | None = None,
    assembly: Assembly | None = None,
) -> Detector:
    """Build the detector that these settings describe; without settings of rules, it finds anomalies only."""
    model, calibration = scorer.spec, scorer.calibration
    shape = model.window_length, len(model.features), len(model.members), len(model.counters)
    return Detector(
        Arena(state.max_sensors, *shape, assembles=assembly is not None),
        scorer,
        model,
        decision_rules(model, calibration, state, alerts, rules, healthy=scorer.healthy),
        WindowConfig(
            max_gap_ms=max_gap_ms(state),
            scales=scale_config(model, calibration, scorer.healthy, scorer.fallback_deviation),
            stride=state.stride,
            interval_ms=1000.0 * model.sampling_interval_seconds,
            silences=silence_rules(rules),
            assembly=assembly,
        ),
    )


def scale_config(model: ModelSpec, calibration: Calibration, healthy: HealthyData, fallback: Float32Array) -> ScaleConfig:
    """Return on what the scales of sensors depend; `fallback` [F] > 0 is the fleet's typical deviation."""
    learned_count = min(SCALE_WINDOWS * model.window_length, MAXIMUM_LEARNED_COUNT)
    usual = HealthyRange.of(healthy, calibration.sensors)
    return ScaleConfig(calibration.sensors, fallback, learned_count, usual.low, usual.high, healthy.scored)


def rule_config(model: ModelSpec, healthy: HealthyData, rules: RuleSettings, update_seconds: float) -> RuleConfig:
    """Return the rules in force and their limits; raise SettingsError if a limit names no feature of the model."""
    if unknown := [name for name in (*rules.limits, *rules.units) if name not in model.features]:
        msg = (
            f"{PREFIX}RULES__LIMITS or RULES__UNITS names {unknown[0]}, which the model does not have; "
            f"its features are {', '.join(model.features)}"
        )
        raise SettingsError(msg)
    options = LimitOptions(
        frozen_readings=rules.frozen_readings,
        frozen_row_readings=rules.frozen_row_readings,
        missing_readings=rules.missing_readings,
        flapping_turns=rules.flapping_turns,
        healthy_factor=rules.healthy_factor,
        range_spans=rules.range_spans,
        ranges=rules.limits,
        units=rules.units,
    )
    return RuleConfig(
        limits=rule_limits(healthy, model.features, options),
        types=frozenset(name for name in KEPT_TYPES if getattr(rules, name)),
        pace=Pace(rules.quiet_readings or max(1, model.window_length // 2), max(1, round(1000 * update_seconds))),
        healthy_factor=rules.healthy_factor,
        own=None if healthy.readings.any() else options,
    )


def silence_rules(rules: RuleSettings | None) -> SilenceRules | None:
    """Return for how long a sensor may be without a reading; None: for ever."""
    if rules is None or not rules.silent_seconds:
        return None
    return SilenceRules(round(1000 * rules.silent_seconds), rules.silent_intervals, rules.silent_pauses)


def decision_rules(
    model: ModelSpec,
    calibration: Calibration,
    state: StateSettings,
    alerts: AlertSettings,
    of_rules: RuleSettings | None = None,
    *,
    healthy: HealthyData | None = None,
) -> DecisionRules:
    """Return the rules: the alarm budget as a margin, times in milliseconds; with settings of rules, those that need no model.

    Where the settings leave a time to the window, it follows from each sensor's own interval; so does the margin. Raises
    SettingsError.
    """
    interval_seconds = model.sampling_interval_seconds or 1.0
    budget = budget_per_sensor_day(calibration, alerts)
    times = _times(alerts, model.window_length)
    of_model = {f"{name}_ms": round(max(least, 1000 * share * interval_seconds)) for name, (least, share) in times.items()}
    rules = DecisionRules.of(
        calibration,
        alarms_per_reading(budget, interval_seconds * state.stride),
        model_tag=model_tag(model),
        **of_model,
    )
    return replace(
        rules,
        rules_version=rules_version(budget, interval_seconds * state.stride, of_rules, **of_model),
        findings=rule_config(model, healthy, of_rules, update_seconds(model, alerts)) if of_rules and healthy else None,
        budget_per_sensor_day=budget,
        governor=Governor.of(budget),
        healthy_range=HealthyRange.of(healthy, calibration.sensors) if healthy else None,
        pace=OwnPace.of(calibration, budget, state.stride, times),
        resolution=resolution_of(calibration, budget, state.stride, interval_seconds),
    )


def _times(alerts: AlertSettings, window_length: int) -> dict[str, tuple[int, float]]:
    """Return the times of an incident: each the least in milliseconds, and the least in intervals of the sensor."""
    return {
        "update": _least(alerts.update_seconds or UPDATE_SECONDS, 0 if alerts.update_seconds else window_length),
        "quiet": _least(alerts.quiet_seconds or 0.001, 0 if alerts.quiet_seconds else window_length / 2),
        "accept": _least(alerts.accept_seconds, ACCEPT_WINDOWS * window_length),
    }


def _least(seconds: float, intervals: float) -> tuple[int, float]:
    return max(1, round(1000 * seconds)), intervals


def update_seconds(model: ModelSpec, alerts: AlertSettings) -> float:
    """Return the shortest time between two updates of an open incident."""
    return alerts.update_seconds or max(UPDATE_SECONDS, model.window_length * model.sampling_interval_seconds)


def rules_version(
    budget_per_sensor_day: float,
    reading_interval_seconds: float,
    of_rules: RuleSettings | None = None,
    *,
    update_ms: int,
    quiet_ms: int,
    accept_ms: int,
) -> str:
    """Return a hash of all settings that affect decisions, and of nothing else.

    It leaves out the model, which has its own version, and whether the budget was set per sensor or per fleet.
    """
    content = {
        "alarms_per_reading": alarms_per_reading(budget_per_sensor_day, reading_interval_seconds),
        "budget_per_sensor_day": budget_per_sensor_day,
        "update_ms": update_ms,
        "quiet_ms": quiet_ms,
        "accept_ms": accept_ms,
        **({} if of_rules is None else {"rules": of_rules.model_dump(mode="json")}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:VERSION_DIGITS]


def budget_per_sensor_day(calibration: Calibration, alerts: AlertSettings) -> float:
    """Return the false alarms accepted per sensor and day."""
    if alerts.budget_per_fleet_day is None:
        return alerts.budget_per_sensor_day
    return alerts.budget_per_fleet_day / (alerts.fleet_size or max(1, len(calibration.sensors)))


def model_tag(model: ModelSpec) -> int:
    """Return the number by which sensor records identify a model; 0 means none."""
    return tag_of(model.version)


def max_gap_ms(state: StateSettings) -> int | None:
    """Return the longest pause within a window, or None if it follows from each sensor's own pace."""
    return None if state.max_gap_seconds is None else round(1000 * state.max_gap_seconds)


def input_assembly(settings: InputSettings) -> Assembly | None:
    """Return how readings are assembled of messages; None if each message is a reading."""
    if settings.assemble_seconds is None:
        return None
    hold_seconds = settings.hold_seconds or HOLD_BUCKETS * settings.assemble_seconds
    return Assembly(round(1000 * settings.assemble_seconds), round(1000 * hold_seconds))


def input_parsing(settings: InputSettings, model: ModelSpec | None = None) -> Parsing:
    """Return how values and times are read, in files and in the stream: as the settings and the model's training say."""
    missing = missing_values(settings.missing_values)
    zone = time_zone(settings.time_zone) if settings.time_zone else None
    return Parsing(missing | model.missing_values if model else missing, zone)


def input_limits(settings: InputSettings, model: ModelSpec | None = None, *, ignores_unknown: bool = False) -> InputLimits:
    """Return the limits for a record, and how its values are read; `ignores_unknown` features whatever the settings say."""
    return InputLimits(
        max_record_bytes=settings.max_record_bytes,
        max_sensor_id_bytes=settings.max_sensor_id_bytes,
        max_future_ms=round(1000 * settings.max_future_seconds),
        ignore_unknown_features=ignores_unknown or settings.unknown_features == "ignore",
        assembles=settings.assemble_seconds is not None,
        parsing=input_parsing(settings, model),
    )


def dead_letter_limit(settings: DeadLetterSettings) -> DeadLetterLimit:
    """Return the limit at which bad input stops the service."""
    return DeadLetterLimit(settings.max_share, settings.min_count, settings.max_run)


def pipeline_config(settings: Settings) -> PipelineConfig:
    """Return the topic names and the bounds of a step."""
    kafka = settings.kafka
    return PipelineConfig(
        kafka.input_topic,
        kafka.alerts_topic,
        kafka.dead_letter_topic,
        settings.dead_letters.max_value_bytes,
        overlap_records=kafka.max_poll_records,  # a full poll shows that more readings are waiting
        commits=CommitPolicy(kafka.commit_seconds, kafka.max_poll_records),
    )


def restore_config(model: ModelSpec, settings: Settings, slowest_interval_ms: float = 0.0) -> RestoreConfig:
    """Return where a new consumer group starts, and how much history fills the windows, of the slowest sensor too."""
    interval_seconds = max(model.sampling_interval_seconds, slowest_interval_ms / 1000.0)
    window_seconds = model.window_length * interval_seconds if interval_seconds else LOOKBACK_SECONDS
    assembly = input_assembly(settings.input)
    held_ms = assembly.hold_ms + assembly.bucket_ms if assembly else 0  # values from before that no longer stand
    return RestoreConfig(
        start=start_position(settings.kafka),
        lookback_ms=round(1000 * window_seconds * settings.state.lookback_margin) + held_ms,
        max_lookback_records=settings.state.max_lookback_records,
        slice_records=settings.kafka.max_poll_records,
    )


def start_position(kafka: KafkaSettings) -> str | int:
    """Return latest, earliest, or milliseconds since 1970."""
    if kafka.start in ("latest", "earliest"):
        return kafka.start
    return to_ms(datetime.fromisoformat(kafka.start))
