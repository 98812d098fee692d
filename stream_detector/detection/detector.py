"""Takes a batch of readings through append, score and decide, in memory. The service and `score` both run it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stream_detector.detection.alert_events import AlertEvents
from stream_detector.detection.batch_decision import BatchDecision, fill_in, no_errors, start_scoring
from stream_detector.detection.decision import reset_for_model
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.detected import Detected
from stream_detector.detection.events import Event
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.new_names import NewNames
from stream_detector.detection.open_incidents import OpenIncident, write_incident
from stream_detector.detection.partial_windows import is_scorable
from stream_detector.detection.pending_batch import PendingBatch
from stream_detector.detection.rules.batch import RuleBatch
from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.rules.fold import fold_rules
from stream_detector.detection.scored_readings import ScoredReadings
from stream_detector.detection.scorer import Scorer
from stream_detector.detection.silence import SilenceRules
from stream_detector.detection.silence_events import silence_changes
from stream_detector.detection.silence_watch import Returns, SilenceWatch, SilentSensor
from stream_detector.detection.unfilled import UnfilledWindows
from stream_detector.readings import BoolArray, Death, Int32Array, Int64Array, Message, Readings, Unknown
from stream_detector.state.appended import Appended
from stream_detector.state.arena import Arena
from stream_detector.state.assembling import Assembled, assemble
from stream_detector.state.bucket_state import Assembly
from stream_detector.state.idle import OnlyWhile, are_idle, enter_state
from stream_detector.state.known_sensors import UNKNOWN, SensorTable
from stream_detector.state.pace import begin_pace
from stream_detector.state.record_layout import NO_INCIDENT, Records, layout_name, new_records
from stream_detector.state.running_scale import ScaleConfig, Scales, learn
from stream_detector.state.windows import append


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """When a window restarts, on which scale it is scored, and which readings are scored."""

    max_gap_ms: int | None  # None: by the sensor's own pace
    scales: ScaleConfig
    stride: int = 1
    silences: SilenceRules | None = None  # None: nothing is ever silent
    interval_ms: float = 0.0  # usual time between readings of a sensor that the model does not know; 0: not known
    assembly: Assembly | None = None  # None: each message is a reading


class Detector:
    """The sensors' state, and the scorer and rules that change it. Not thread-safe."""

    def __init__(
        self,
        arena: Arena,
        scorer: Scorer,
        model: ModelSpec,
        decision_rules: DecisionRules,
        window_config: WindowConfig,
    ) -> None:
        self.arena = arena
        self.model = model
        self._scorer = scorer
        self._rules = decision_rules
        self._windows = window_config
        self.silences = SilenceWatch(arena, window_config.silences)
        self.new_names = NewNames(model.features)
        self.unfilled = UnfilledWindows(arena)
        self._events = AlertEvents(scorer, model, arena, window_config.scales.sensors)
        self._strangers: list[str] = []
        self._only_while = OnlyWhile.parse(model.only_while, model.features)

    @property
    def sensor_table(self) -> SensorTable:
        """The sensors that the model knows."""
        return self._windows.scales.sensors

    def take_strangers(self) -> list[str]:
        """Return the sensors added since the last call that neither the model knows nor the store had."""
        strangers, self._strangers = self._strangers, []
        return strangers

    @property
    def layout(self) -> str:
        """The name of the layout of the sensors' records; state with another name cannot be admitted."""
        model = self.model
        return layout_name(model.window_length, model.features, len(model.members), model.counters, self._windows.assembly)

    @property
    def assembly(self) -> Assembly | None:
        """How readings are assembled of messages; None: each message is a reading."""
        return self._windows.assembly

    @property
    def assembles(self) -> bool:
        """Whether readings are assembled of messages, so that records have a pending bucket."""
        return self._windows.assembly is not None

    @property
    def rules(self) -> DecisionRules:
        """The rules in force."""
        return self._rules

    def use_rules(self, rules: DecisionRules) -> None:
        """Decide by other rules from the next batch on; state, model and open incidents stay as they are."""
        self._rules = rules

    @property
    def slowest_interval_ms(self) -> float:
        """The interval of the slowest sensor of the model, or the model's."""
        return float(self._windows.scales.sensors.interval_ms.max(initial=self._windows.interval_ms))

    def admit_new(self, partition: int, sensors: Sequence[str]) -> None:
        """Add sensors that were never seen; the arena must have room."""
        model = self.model
        shape = model.window_length, len(model.features), len(model.members), len(model.counters)
        records = new_records(len(sensors), *shape, assembles=self.assembles)
        self.admit(partition, sensors, records, np.zeros(len(sensors), np.bool_))

    def admit(self, partition: int, sensors: Sequence[str], records: Records, is_stored: BoolArray) -> None:
        """Add sensors with these records [N]; the arena must have room. `is_stored` [N]: the store has exactly this record."""
        table_rows = self._windows.scales.sensors.find(sensors)
        self._strangers += [sensors[at] for at in np.flatnonzero((table_rows == UNKNOWN) & ~is_stored).tolist()]
        header = records["header"].copy()
        if self._only_while is not None:  # windows of another model may hold what is idle by this one
            enter_state(records, header, header["model"] != self._rules.model_tag, self._only_while)
        is_moved = (header["model"] != self._rules.model_tag) & (table_rows != UNKNOWN)
        records["moments"][is_moved] = np.zeros((), records["moments"].dtype)  # another model knows where its features are
        reset_for_model(header, table_rows, self._rules)
        begin_pace(header, *self._windows.scales.sensors.pace(table_rows, self._windows.interval_ms))
        records["header"] = header
        slots = self.arena.insert(partition, sensors, records, is_stored, table_rows)
        self.silences.refresh(slots)
        self.unfilled.admit(slots)

    def are_idle(self) -> BoolArray:
        """Return which slots hold sensors that are idle; arbitrary for free ones. Looks at all of them."""
        return are_idle(self.arena.records, self._only_while)

    def known_sensors(self) -> Collection[str]:
        """Return the sensors that the model knows."""
        return self._windows.scales.sensors.rows.keys()

    def partitions(self) -> set[int]:
        """Return the partitions that are in memory."""
        return self.silences.partitions()

    def drop(self, partition: int) -> None:
        """Remove a partition and its sensors from memory."""
        self.arena.drop(partition)
        self.silences.forget(partition)
        self.new_names.forget(partition)

    def reopen(self, partition: int, incidents: Sequence[OpenIncident]) -> None:
        """Reopen incidents that the store has lost; their sensors must be in the arena."""
        slots = np.array([self.arena.slot(partition, incident.sensor_id) for incident in incidents], np.int32)
        for slot, incident in zip(slots.tolist(), incidents, strict=True):
            write_incident(self.arena, slot, incident, self.model.features)
        self.silences.refresh(slots)
        self.arena.mark_changed(slots, np.ones(len(slots), np.int64))

    def detect(
        self, readings: Readings, deaths: Sequence[Death] = (), unknown: Sequence[Unknown] = (), *, scoring: bool = True
    ) -> Detected:
        """Append readings, score the window that ends at each, and decide. The sensors must be in the arena. Blocks."""
        return self.finish(self.begin(readings, deaths, unknown, scoring=scoring))

    def begin(
        self, readings: Readings, deaths: Sequence[Death] = (), unknown: Sequence[Unknown] = (), *, scoring: bool = True
    ) -> PendingBatch:
        """Append readings to their sensors' windows and start scoring. The previous batch must be finished.

        Where readings are assembled, these are messages, and the readings are what they complete. `deaths` and `unknown` names
        are of the same part of the log.
        """
        self.new_names.fold(unknown)
        slots = self.arena.slots(readings)
        assembled = self._assemble(slots, readings)
        if assembled is not None:
            readings, slots = assembled.readings, assembled.slots
        last_time_ms = self.arena.records["header"]["last_time_ms"][slots]
        appended = append(
            self.arena.records,
            slots,
            readings,
            self._windows.max_gap_ms,
            self.model.counter_positions,
            known_back=None if assembled is None else assembled.is_set_back,
            only_while=self._only_while,
        )
        touched, groups, rows = np.unique(appended.slot, return_inverse=True, return_counts=True)
        self.arena.mark_changed(touched, rows)
        self.unfilled.count(appended, touched, groups, rows)
        if appended.late:  # a late reading adds no row, but its sensor counts it
            only_late = np.setdiff1d(appended.lateness.slot, touched)
            self.arena.mark_changed(only_late, np.ones(len(only_late), np.int64))
        returns = self.silences.hear(readings, appended, last_time_ms, deaths, is_rebuild=not scoring)
        self.silences.refresh(touched)
        values, table_rows = appended.newest_values(), self.arena.table_rows[appended.slot]
        if appended.idle is not None:
            values[appended.idle] = np.nan  # nothing is learned of them
        scales = learn(self.arena.records, appended, values, table_rows, self._windows.scales)
        changes: tuple[RuleChange, ...] = ()
        if self._rules.findings is not None:
            held = None if assembled is None else assembled.is_held
            batch = RuleBatch.of(appended, readings, last_time_ms, table_rows, returns, held=held)
            if assembled is not None and self.assembly is not None:
                batch = replace(batch, new_names=self.new_names.of_readings(readings), hold_ms=self.assembly.hold_ms)
            changes = fold_rules(
                self.arena.records, self.arena.rules, batch, self.model.features, self._rules.findings, emits=scoring
            )
        if not scoring or not len(values):
            nothing = np.zeros(0, np.int64)
            return PendingBatch(appended, scales, touched, None, nothing, no_errors, changes, assembled=assembled)
        fold = self._fold(readings, appended, groups, returns, scales)
        scorable = fold.scorable.copy()  # the decision finds windows without a value
        fold = replace(fold, beyond=self._rules.beyond(values, scales, table_rows))
        has_incident = self.arena.records["header"]["incident_offset"][touched] != NO_INCIDENT
        started = start_scoring(self._scorer, appended, scales, fold, fold.wanted | has_incident[groups])
        changes += silence_changes(readings, appended, returns)
        return PendingBatch(appended, scales, touched, fold, *started, changes, scorable, assembled)

    def finish(self, pending: PendingBatch) -> Detected:
        """Wait for the scores of a batch, and decide. Slots may have been released since: their new state is then lost."""
        if pending.fold is None:
            return Detected(pending.appended, pending.scales, 0, None, pending.rule_changes, assembled=pending.assembled)
        fill_in(pending.fold, pending.chosen, pending.errors)
        batch = pending.appended, pending.scales, pending.touched, pending.fold
        decisions = BatchDecision(self.arena, self._scorer, self._rules, self._windows.scales, *batch).run()
        scored = int((~np.isnan(decisions.scores)).sum())
        outcome = scored, decisions, pending.rule_changes, pending.scorable, pending.assembled
        return Detected(pending.appended, pending.scales, *outcome)

    def _assemble(self, slots: Int32Array, messages: Readings) -> Assembled | None:
        """Fold messages into the pending buckets of their sensors; None where each message is a reading."""
        if self._windows.assembly is None:
            return None
        spoke = np.unique(slots)  # a message that completes nothing changes its sensor's record too
        self.arena.mark_changed(spoke, np.ones(len(spoke), np.int64))
        states = self.arena.records["assembly"][:, 0]
        return assemble(states, slots, messages, self._windows.assembly, self.model.window_length)

    def _fold(
        self, readings: Readings, appended: Appended, groups: Int64Array, returns: Returns | None, scales: Scales
    ) -> ScoredReadings:
        """Return accepted readings in the form that `decide` takes, without errors yet."""
        rows, table_rows = appended.rows, self.arena.table_rows[appended.slot]
        return ScoredReadings(
            groups=groups,
            ranks=appended.rank,
            times_ms=readings.times_ms[appended.reading],
            places=readings.places[appended.reading],
            errors=np.full((len(appended.reading), len(self.model.members)), np.nan, np.float32),
            wanted=(appended.count + self.arena.phases[appended.slot]) % self._windows.stride == 0,
            scorable=is_scorable(rows, self.model.window_length, table_rows, self._rules.partial) & ~appended.is_idle,
            interval_ms=appended.interval_ms,
            jump_ms=appended.jump_ms,
            returns=returns,
            settling=scales.are_settling,
            rows=rows,
            idle=appended.idle,
        )

    def alerts(self, readings: Readings, detected: Detected, input_topic: str, alerts_topic: str) -> list[Message]:
        """Build the events of a batch, in log order; at one reading, that of the score comes first.

        `readings` are those that were passed to `begin`.
        """
        return self._events.of_batch(detected.readings_of(readings), detected, self._rules, input_topic, alerts_topic)

    def announce(
        self, partition: int, position: int, until_s: int, input_topic: str, absent: Sequence[SilentSensor] = ()
    ) -> list[Event]:
        """Count the sensors of a partition that are due by a second of its active time as announced; return the events.

        The state in memory is that of `position`; `absent` are the due sensors that are not in memory.
        """
        due = [*self.silences.due_in_memory(partition, until_s), *absent]
        events = [event for one in due for event in self._events.of_silence(one, partition, self._rules, input_topic)]
        self.silences.of(partition).announce(position, until_s)
        return events
