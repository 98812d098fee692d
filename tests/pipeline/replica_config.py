"""The configuration of the tests' replicas: a small model, a checksum as its score, and the service's pipeline settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from stream_detector.commands.input_payload import build_decoder
from stream_detector.detection.calibration import Tails
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.detector import Detector, WindowConfig
from stream_detector.detection.governor import Governor
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.own_tails import OwnTails
from stream_detector.detection.partial_windows import PartialTable
from stream_detector.detection.rules.fold import RuleConfig
from stream_detector.detection.rules.incidents import Pace
from stream_detector.detection.rules.limits import NEVER, RuleLimits
from stream_detector.detection.rules.turns import TurnLimits
from stream_detector.detection.silence import SilenceRules
from stream_detector.detection.sustained import NEVER as NEVER_SUSTAINED
from stream_detector.detection.transition import CLOCK, FLAPPING, MISSING_FEATURE, OUT_OF_RANGE
from stream_detector.ingest.dead_letters import DeadLetterLimit
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.pipeline.config import AT_ONCE, CommitPolicy, LagBounds, PipelineConfig, RestoreConfig
from stream_detector.pipeline.state_snapshot import WHOLE_BYTES
from stream_detector.ports import Decoder
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.input_settings import InputSettings, Preset
from stream_detector.state.arena import Arena
from stream_detector.state.bucket_state import Assembly
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.running_scale import ScaleConfig, Scales
from tests.fakes.scorer import ChecksumScorer

INPUT, ALERTS, DEAD_LETTERS, GROUP = "readings", "alerts", "dead-letters", "detectors"
MODEL = ModelSpec(
    name="checksum",
    version="v1",
    features=("a", "b"),
    window_length=3,
    sampling_interval_seconds=1.0,
    members=("checksum",),
)
#: The sensors that the model knows; the others that tests use, about as many, learn their scales as they go.
KNOWN = ("a", "s0", "s2", "s4", "pump-1", *(f"pump-{partition}-{name}" for partition in range(4) for name in "02a"))
#: The level of a known sensor's errors that are not anomalous: they are spread evenly over [0, 0.75).
LEVEL = 0.375
#: An unknown sensor starts with a level that is higher, and so its surprises are smaller, by so much.
UNKNOWN_ABOVE = 0.0625
TYPICAL = 0.5
START_MS = 1_700_000_000_000
SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS


@dataclass(frozen=True, slots=True)
class ReplicaConfig:
    """The configuration of detector and pipeline; each test changes only the fields that it examines."""

    model: ModelSpec = MODEL
    known: tuple[str, ...] = KNOWN
    margin: float = 0.25  # over the typical 0.5: anomalous from 0.75, one reading in four
    governor: Governor | None = None  # moves the margin; None: it stays
    rate: float = 0.1  # incidents per scored reading that the governor's budget allows
    sustained_margin: float = NEVER_SUSTAINED  # over the typical 0.5, of the running mean
    learned_count: int = 8
    start_rise_limit: float = 0.05
    accept_ms: int = 60 * MINUTE_MS
    update_ms: int = 3 * SECOND_MS
    quiet_ms: int = 2 * SECOND_MS
    max_gap_ms: int = MINUTE_MS
    stride: int = 1
    silent_s: int = 0  # a sensor may be without a reading for so long; 0: for ever
    max_sensors: int = 1000
    overlap_records: int = 4096  # a batch of fewer is carried through in one step
    commits: CommitPolicy = field(default_factory=lambda: CommitPolicy(seconds=0.5))
    whole_bytes: int = WHOLE_BYTES  # the largest record that is stored whole
    stores_late: bool = False  # when it is waited for, or when World.in_transit is told to arrive
    model_tag: int = 1
    rule_config: RuleConfig | None = None
    assembly: Assembly | None = None  # None: each message is a reading
    preset: Preset = "native"
    values: str | None = None  # the path of a reading's values; a record may be a list of readings then
    own: OwnTails | None = None  # with which sensors learn their own tails
    scores_partial: bool = False  # windows that are not full, of known sensors: their errors count less
    start: str | int = "earliest"
    lookback_ms: int = 10 * MINUTE_MS
    slice_records: int = 3
    bounds: LagBounds = field(default_factory=lambda: LagBounds(readings=1_000_000, seconds=1e9, retry_seconds=0.5))
    dead_letter_share: float = 1.0
    dead_letter_min_count: int = 1_000_000
    dead_letter_run: int = 1_000_000

    def sensors(self) -> SensorTable:
        """Return the table of known sensors, each with a scale of its own."""
        count, features = len(self.known), len(self.model.features)
        location = np.tile(np.arange(count, dtype=np.float32)[:, np.newaxis], (1, features))
        return SensorTable(
            rows={sensor: row for row, sensor in enumerate(self.known)},
            location=location,
            deviation=1 + location,
            levels=np.full((count, 1), LEVEL),
            counts=np.full(count, 6.0),
        )

    def scales_of(self, sensor: str) -> Scales:
        """Return the scale of one known sensor."""
        table = self.sensors()
        row = table.find([sensor])
        return Scales(table.location[row], table.deviation[row])

    def rules(self) -> DecisionRules:
        """Return rules under which a known sensor's surprise equals its error, as long as its level stays where it was."""
        table, members = self.sensors(), len(self.model.members)
        knots, starts = np.array([[-LEVEL, 1.0 - LEVEL]]), np.array([[LEVEL]] * len(table) + [[LEVEL + UNKNOWN_ABOVE]])
        return DecisionRules(
            margin=self.margin,
            typical=TYPICAL,
            tails=Tails(np.tile(knots, (members, 1)), surprises=np.array([0.0, 1.0]), scales=np.ones(members)),
            weights=np.full(members, 1.0 / members),
            starts=np.tile(starts, (1, members)),
            start_counts=np.append(table.counts, 0.0) + 4.0,
            update_ms=self.update_ms,
            quiet_ms=self.quiet_ms,
            accept_ms=self.accept_ms,
            model_tag=self.model_tag,
            level_memory_count=50.0,
            level_shift_limit=0.1,
            provisional_shift_limit=0.2,
            start_rise_limit=self.start_rise_limit,
            memory_share=0.25,
            ready_count=8.0,
            usual_spread=(0.0, np.inf),
            findings=self.rule_config,
            governor=self.governor,
            rate=self.rate,
            partial=self._partial() if self.scores_partial else None,
            sustained_margin=self.sustained_margin,
            sustained_cap=0.5,
            own=self.own,
        )

    def _partial(self) -> PartialTable:
        shape = self.model.window_length, len(self.model.members)
        shift, share = np.full(shape, 0.0625), np.full(shape, 0.9375)
        shift[-1], share[-1] = 0.0, 1.0
        return PartialTable(shift, share)

    def pipeline(self) -> PipelineConfig:
        """Return topics and bounds of the pipeline."""
        return PipelineConfig(INPUT, ALERTS, DEAD_LETTERS, overlap_records=self.overlap_records, commits=self.commits)

    def restore(self) -> RestoreConfig:
        """Return the start position of a new group, and the size of the slices of a restoration."""
        return RestoreConfig(self.start, self.lookback_ms, slice_records=self.slice_records, retry_seconds=0.5)

    def decoder(self) -> Decoder:
        """Return the decoder of the records."""
        assembles = self.assembly is not None
        limits = InputLimits(ignore_unknown_features=assembles or self.preset != "native", assembles=assembles)
        return build_decoder(input_reader(InputSettings(preset=self.preset, values=self.values)), self.model.features, limits)

    def dead_letter_limit(self) -> DeadLetterLimit:
        """Return the limit from which bad records stop the replica."""
        return DeadLetterLimit(self.dead_letter_share, self.dead_letter_min_count, self.dead_letter_run)

    def detector(self, scorer: ChecksumScorer | None = None) -> Detector:
        features = len(self.model.features)
        shape = self.model.window_length, features, len(self.model.members), len(self.model.counters)
        fallback = np.arange(2, 2 + features, dtype=np.float32)
        scales = ScaleConfig(self.sensors(), fallback, self.learned_count)
        silences = SilenceRules(self.silent_s * SECOND_MS, 2.0, 1.5, least_readings=1) if self.silent_s else None
        return Detector(
            Arena(self.max_sensors, *shape, assembles=self.assembly is not None),
            scorer or ChecksumScorer(len(self.model.members)),
            self.model,
            self.rules(),
            WindowConfig(self.max_gap_ms, scales, self.stride, silences, assembly=self.assembly),
        )


def some_rules() -> RuleConfig:
    """Return rules that find a value missing twice in a row, values of 8 and more, steps back and forth, and wrong clocks."""
    shape = len(KNOWN) + 1, len(MODEL.features)
    limits = RuleLimits(
        unchanged=np.full(shape, NEVER),
        row=np.full(shape[0], NEVER),
        absent=np.full(shape, 2, np.int32),
        low=np.full(shape, -1.0, np.float32),
        high=np.full(shape, 7.5, np.float32),
        longest=np.zeros(shape, np.int32),
        row_longest=np.zeros(shape[0], np.int32),
        longest_absent=np.zeros(shape, np.int32),
        is_set=np.zeros(shape[1], np.bool_),
        units=("",) * shape[1],
        least_run=int(NEVER),
        flapping=TurnLimits(
            step=np.full(shape, 4.0, np.float32),
            counts_gaps=np.ones(shape, np.bool_),
            span=np.full(shape, 3, np.int32),
            turns=np.full(shape, 3, np.int32),
            most=np.zeros(shape, np.int32),
        ),
    )
    types = frozenset({MISSING_FEATURE, OUT_OF_RANGE, FLAPPING, CLOCK})
    return RuleConfig(limits, types, Pace(2, 5 * SECOND_MS), 3.0)


def committing_at_once(config: ReplicaConfig) -> ReplicaConfig:
    """Return a configuration that commits every batch at once; a small batch still completes in one step."""
    return replace(config, commits=AT_ONCE)


def every_batch_in_flight(config: ReplicaConfig) -> ReplicaConfig:
    """Return a configuration that scores every batch, even a small one, while the previous one is being committed."""
    return replace(config, overlap_records=0, commits=AT_ONCE)


def changed(plant: ReplicaConfig, model: ModelSpec | None = None, **changes: object) -> ReplicaConfig:
    """Return a copy with some fields changed."""
    if model is not None:
        changes["model"] = model
    return replace(plant, **changes)  # type: ignore[arg-type] # checked by the dataclass


def reading(sensor: str, time_ms: int, *values: float | None, features: Sequence[str] = MODEL.features) -> bytes:
    """Return a reading as a producer writes it."""
    return json.dumps({"sensor_id": sensor, "timestamp": time_ms, "values": dict(zip(features, values, strict=True))}).encode()
