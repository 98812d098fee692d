"""What happens to a batch in memory: append, score, decide. The stream and the offline command both run this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.arena import Arena
from stream_detector.decision import NO_INCIDENT, DecisionRules, Decisions, ScoredReadings, decide
from stream_detector.events import EventContext, event_message
from stream_detector.explanation import Explanation
from stream_detector.open_incidents import OpenIncident
from stream_detector.ports import Scorer
from stream_detector.readings import BoolArray, Float32Array, Int32Array, Int64Array, Message, Readings
from stream_detector.spec import ModelSpec
from stream_detector.state import Appended, append, new_records


@dataclass(frozen=True, slots=True)
class Detected:
    """What became of a batch: M accepted readings, grouped by sensor."""

    appended: Appended
    scores: Float32Array  # [M] NaN: not scored
    scored: int  # windows that went through the scorer
    decisions: Decisions | None  # None: scoring was off


@dataclass(frozen=True, slots=True)
class WindowRules:
    """When a window starts anew, and which readings are scored."""

    max_gap_ms: int
    stride: int = 1


class Detector:
    """The sensors' state with the scorer and the rules that change it. One thread."""

    def __init__(
        self, arena: Arena, scorer: Scorer, model: ModelSpec, decision_rules: DecisionRules, window_rules: WindowRules
    ) -> None:
        self.arena = arena
        self.model = model
        self._scorer = scorer
        self._rules = decision_rules
        self._windows = window_rules

    def use_rules(self, rules: DecisionRules) -> None:
        """Decide by other rules from the next batch on; state, model and open incidents stay."""
        self._rules = rules

    def admit(self, partition: int, sensors: Sequence[str], stored: Sequence[bytes | None]) -> None:
        """Hold sensors with their stored records, or as never seen; there must be room."""
        records = new_records(len(sensors), self.model.window_length, len(self.model.features))
        present = np.array([data is not None and len(data) == records.itemsize for data in stored], np.bool_)
        for position in np.flatnonzero(present).tolist():
            records[position] = np.frombuffer(stored[position] or b"", records.dtype)[0]
        known = self._rules.start_levels(records["header"], list(sensors))
        self.arena.insert(partition, sensors, records, present, known)

    def reopen(self, partition: int, incidents: Sequence[OpenIncident]) -> None:
        """Take up incidents that the store has lost; their sensors must be held."""
        slots = np.array([self.arena.slot(partition, incident.sensor_id) for incident in incidents], np.int32)
        header = self.arena.records["header"]
        for slot, incident in zip(slots.tolist(), incidents, strict=True):
            header["incident_offset"][slot] = incident.opened_offset
            header["incident_time_ms"][slot] = incident.opened_ms
            header["incident_peak"][slot] = incident.peak_score
            header["last_anomalous_ms"][slot] = header["last_update_ms"][slot] = incident.last_event_ms
        self.arena.changed(slots, np.ones(len(slots), np.int64))

    def detect(self, readings: Readings, *, scoring: bool = True) -> Detected:
        """Append readings to their sensors' windows, score the windows as of each, and decide; sensors must be held."""
        slots = self.arena.slots(readings)
        appended = append(self.arena.records, slots, readings, self._windows.max_gap_ms)
        touched, groups, rows = np.unique(appended.slot, return_inverse=True, return_counts=True)
        self.arena.changed(touched, rows)
        scores = np.full(len(appended.reading), np.nan, np.float32)
        if not scoring or not len(scores):
            return Detected(appended, scores, 0, None)
        decisions = self._score_and_decide(readings, appended, touched, groups, scores)
        return Detected(appended, scores, int((~np.isnan(scores)).sum()), decisions)

    def _score_and_decide(
        self, readings: Readings, appended: Appended, touched: Int32Array, groups: Int64Array, scores: Float32Array
    ) -> Decisions:
        """Fill in `scores` [M] where they are needed, and decide."""
        header = self.arena.records["header"]
        before = header[touched]
        fold = ScoredReadings(
            groups=groups,
            ranks=appended.rank,
            times_ms=readings.times_ms[appended.reading],
            offsets=readings.offsets[appended.reading],
            scores=scores,
            wanted=(appended.count + self.arena.phases[appended.slot]) % self._windows.stride == 0,
            scorable=appended.filled == self.model.window_length,
        )
        self._score(appended, fold, fold.wanted | (before["incident_offset"] != NO_INCIDENT)[groups])
        after = before.copy()
        decisions = decide(after, fold, self._rules)
        lacking = decisions.needed & np.isnan(scores)
        if lacking.any():
            # An incident opened between two strides: from there on every reading of the sensor is scored.
            self._score(appended, fold, np.isin(groups, groups[lacking]))
            after = before.copy()
            decisions = decide(after, fold, self._rules)
        scores[~decisions.needed] = np.nan
        header[touched] = after
        return decisions

    def _score(self, appended: Appended, fold: ScoredReadings, asked: BoolArray) -> None:
        """Score those readings that are asked for, can be scored and are not yet. A window without any value cannot be."""
        chosen = np.flatnonzero(asked & fold.scorable & np.isnan(fold.scores))
        if len(chosen):
            fold.scores[chosen] = self._scorer.score(appended.windows(chosen))
            fold.scorable[chosen] = ~np.isnan(fold.scores[chosen])

    def alerts(self, readings: Readings, detected: Detected, input_topic: str, alerts_topic: str) -> list[Message]:
        """Build the events of a batch, in log order."""
        if detected.decisions is None or not detected.decisions.transitions:
            return []
        transitions = sorted(detected.decisions.transitions, key=lambda one: int(detected.appended.reading[one.position]))
        positions = np.array([transition.position for transition in transitions])
        explanations = self._explain(detected, positions)
        contexts = self._contexts(readings, detected, detected.decisions, positions, input_topic)
        return [
            event_message(transition, context, explanation, self.model, alerts_topic)
            for transition, context, explanation in zip(transitions, contexts, explanations, strict=True)
        ]

    def _explain(self, detected: Detected, positions: Int64Array) -> list[Explanation | None]:
        """Explain the scored ones of these accepted readings [K]."""
        scored = ~np.isnan(detected.scores[positions])
        found = iter(self._scorer.explain(detected.appended.windows(positions[scored])) if scored.any() else ())
        return [next(found) if has_score else None for has_score in scored.tolist()]

    def _contexts(
        self, readings: Readings, detected: Detected, decisions: Decisions, positions: Int64Array, topic: str
    ) -> list[EventContext]:
        """Describe these accepted readings [K] for their events."""
        appended = detected.appended
        milliseconds, offsets = appended.span(positions)
        ready = self._rules.is_ready(self.arena.known[appended.slot[positions]], decisions.level_counts[positions])
        contexts = []
        for k, (position, reading) in enumerate(zip(positions, appended.reading[positions], strict=True)):
            filled = int(appended.filled[position])
            state = "warming" if filled < self.model.window_length else "ready" if ready[k] else "provisional"
            contexts.append(
                EventContext(
                    topic=topic,
                    partition=int(readings.partitions[reading]),
                    offset=int(readings.offsets[reading]),
                    sensor_id=readings.sensors[reading],
                    time_ms=int(readings.times_ms[reading]),
                    values=readings.values[reading],
                    filled=filled,
                    window_milliseconds=int(milliseconds[k]),
                    window_offsets=int(offsets[k]),
                    score=float(detected.scores[position]),
                    threshold=float(decisions.thresholds[position]),
                    sensor_state=state,
                    rules_version=self._rules.rules_version,
                    budget_per_sensor_day=self._rules.budget_per_sensor_day,
                )
            )
        return contexts
