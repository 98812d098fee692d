"""Builds the events of a batch, and of a sensor that falls silent, in the order in which they are published."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.amounts import rounded
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.detected import Detected
from stream_detector.detection.event_builder import build_event, change_contexts, event_message
from stream_detector.detection.events import PROVISIONAL, READY, RELEARNING, WARMING, Event, EventRules
from stream_detector.detection.explanation import explain_scored
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules.changes import Closing, build_rule_event, closed_by_silence
from stream_detector.detection.scored_readings import Decisions
from stream_detector.detection.scorer import Scorer
from stream_detector.detection.silence_events import SensorPlace, begins_silence, closing_event, opened_change
from stream_detector.detection.silence_watch import SilentSensor
from stream_detector.detection.transition import CLOSED, Transition, transition_of
from stream_detector.readings import Int64Array, Message, Readings
from stream_detector.state.arena import Arena
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.record_layout import KEPT_TYPES, NO_INCIDENT


@dataclass(frozen=True, slots=True)
class AlertEvents:
    """Builds events with the scorer, the model and the sensors' state."""

    scorer: Scorer
    model: ModelSpec
    arena: Arena
    sensors: SensorTable  # that the model knows

    def of_batch(
        self, readings: Readings, detected: Detected, rules: DecisionRules, input_topic: str, alerts_topic: str
    ) -> list[Message]:
        """Build the events of a batch, in log order; at one reading, that of the score comes first.

        What a silence began comes before what the reading that ended it began.
        """
        placed = self._anomaly_events(readings, detected, rules, input_topic)
        placed += [
            (change.reading, build_rule_event(change, input_topic, self.model, event_rules(rules)))
            for change in detected.rule_changes
        ]
        placed.sort(key=lambda one: (one[0], not begins_silence(one[1])))
        return [event_message(event, alerts_topic) for _, event in placed]

    def of_silence(self, silent: SilentSensor, partition: int, rules: DecisionRules, input_topic: str) -> list[Event]:
        """Build the events of a sensor that falls silent: its open incidents close, and one opens."""
        header, state, silence = silent.record["header"], silent.record["rules"]["incidents"], silent.silence
        events: list[Event] = []
        if header["incident_offset"] != NO_INCIDENT:
            at = SensorPlace(silent.sensor_id, input_topic, partition)
            closing = transition_of(header, -1, CLOSED, silence=silence)
            events.append(closing_event(at, closing, self.model, event_rules(rules)))
        open_types = [name for name in KEPT_TYPES if state[name]["offset"] != NO_INCIDENT]
        changes = [
            closed_by_silence(
                Closing(name, silent.sensor_id, partition, int(state[name]["offset"]), int(state[name]["time_ms"])), silence
            )
            for name in open_types
        ]
        changes.append(opened_change(silent.sensor_id, partition, silence))
        return events + [build_rule_event(change, input_topic, self.model, event_rules(rules)) for change in changes]

    def _anomaly_events(
        self, readings: Readings, detected: Detected, rules: DecisionRules, input_topic: str
    ) -> list[tuple[int, Event]]:
        """Return the events of the score, with the positions of their readings in the batch."""
        decisions, appended = detected.decisions, detected.appended
        if decisions is None or not decisions.transitions:
            return []
        closings = []
        for one in decisions.transitions:
            if one.silence is None and not one.is_idle:
                continue
            reading = int(appended.reading[one.position])
            at = self._place(readings, reading, input_topic)
            idle = (int(readings.places[reading]), int(readings.times_ms[reading])) if one.is_idle else None
            closings.append((reading, closing_event(at, one, self.model, event_rules(rules), idle)))
        others = [one for one in decisions.transitions if one.silence is None and not one.is_idle]
        return closings + (self._scored_events(readings, detected, others, rules, input_topic) if others else [])

    @staticmethod
    def _place(readings: Readings, reading: int, topic: str) -> SensorPlace:
        return SensorPlace(readings.sensors[reading], topic, int(readings.partitions[reading]))

    def _scored_events(
        self, readings: Readings, detected: Detected, chosen: list[Transition], rules: DecisionRules, input_topic: str
    ) -> list[tuple[int, Event]]:
        """Return the events of changes at readings that the score decided, with the positions of these in the batch."""
        decisions, appended = detected.decisions, detected.appended
        assert decisions is not None
        transitions = sorted(chosen, key=lambda one: int(appended.reading[one.position]))
        positions = np.array([transition.position for transition in transitions])
        states = self._sensor_states(detected, decisions, positions, rules)
        contexts = change_contexts(readings, appended, decisions, positions, states=states, topic=input_topic)
        explanations = explain_scored(self.scorer, appended, detected.scales, decisions, positions)
        usual = self.sensors.usual_attention(self.arena.table_rows[appended.slot[positions]])
        return [
            (
                int(appended.reading[transition.position]),
                build_event(transition, context, explanation, self.model, event_rules(rules), usual_attention=attention),
            )
            for transition, context, explanation, attention in zip(transitions, contexts, explanations, usual, strict=True)
        ]

    def _sensor_states(
        self, detected: Detected, decisions: Decisions, positions: Int64Array, rules: DecisionRules
    ) -> list[str]:
        """Return the state of the sensor at each of these accepted readings [K]."""
        appended = detected.appended
        settling, hidden = detected.scales.are_settling, detected.scales.hidden
        is_learned = np.ones(len(positions), np.bool_) if settling is None else ~settling[positions]
        table_rows = self.arena.table_rows[appended.slot[positions]]
        is_ready = rules.is_ready(table_rows, decisions.level_counts[positions], is_learned)
        is_full = appended.filled[positions] >= self.model.window_length
        states = np.where(is_full, np.where(is_ready, READY, PROVISIONAL), WARMING)
        is_relearning = is_full & (hidden is not None and hidden[positions].any(axis=1))
        return [str(state) for state in np.where(is_relearning, RELEARNING, states)]


def event_rules(rules: DecisionRules) -> EventRules:
    """Return what an event tells of the rules."""
    is_resolved = rules.resolution.is_resolved if rules.resolution else None
    return EventRules(rules.rules_version, rounded(rules.budget_per_sensor_day), is_resolved)
