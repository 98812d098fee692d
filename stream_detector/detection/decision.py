"""Decides from errors which readings are anomalous, and opens and closes incidents: the last pure fold over the readings.

Each member's log error above the sensor's own level gives a surprise, and their weighted mean is the surprise of the reading
(calibration.py). A reading is anomalous when its surprise exceeds the typical one by the margin that the alarm budget allows;
where small deviations have lasted, half of it is enough (sustained.py). Consecutive anomalous readings are one incident:
opened, updated at intervals and when it becomes high or critical, and closed after a quiet spell, all in the sensor's own
event time. A reading above a quarter of the margin opens no incident, but holds one open, so a score that wavers around its
limit is one incident (the deadband of ISA-18.2). So does a value where healthy data have none, to which a window may have got
used (departure.py). A reading without a score is no sign that all is well: it closes no incident either, unless none is scored
for `accept_ms`.

The published score is the mean of the surprise and a slow memory of it. A single reading cannot make it high, so it ranks
readings better than the surprise alone. The published threshold is the mean of the limit and the same memory, so a score
exceeds its threshold if and only if the surprise exceeds its limit.

The levels follow normal errors slowly (levels.py). They stand still while an incident is open, and never leave a band around
their initial values, so they do not learn an anomaly. A sensor of the built-in model learns its tails too (own_tails.py).

An incident still anomalous after `accept_ms` counts as a new normal state: the fold closes it as accepted and raises the limit
by the memory's excess over the typical surprise, until the surprise falls again. It falls soon if the shifted features are
learned again (acceptance.py), which batch_decision.py sees to.
"""

from __future__ import annotations

import numpy as np

from stream_detector.detection.acceptance import Acceptance
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.incident_fields import clear_incident, follow_clock, open_incident
from stream_detector.detection.levels import start_levels, units_of, update_levels
from stream_detector.detection.partial_windows import partial_rows
from stream_detector.detection.scored_readings import Decisions, ScoredReadings
from stream_detector.detection.severity import ratio_of, urgency
from stream_detector.detection.sustained import LOWERED, after
from stream_detector.detection.transition import ACCEPTED, CLOSED, IDLE, OPENED, UPDATED, transition_of
from stream_detector.readings import BoolArray, Float64Array, Int32Array, Int64Array
from stream_detector.state.record_layout import NO_INCIDENT, Records

#: A reading holds an open incident open while its surprise exceeds the normal one by this share of the margin.
HELD_SHARE = 0.25


def reset_for_model(header: Records, table_rows: Int32Array, rules: DecisionRules) -> None:
    """Reset levels and memory in the headers [N] that hold those of another model, in place; an open incident stays open."""
    other = header["model"] != rules.model_tag
    count = np.minimum(rules.start_counts[table_rows[other]], rules.level_memory_count)
    for name, value in (
        ("model", rules.model_tag),
        ("level_count", count),
        ("memory", rules.typical),
        ("accepted", 0.0),
        ("balance", 0.0),
        ("sustained", 0.0),
        ("shift", 0.0),
    ):
        header[name][other] = value


def decide(header: Records, table_rows: Int32Array, readings: ScoredReadings, rules: DecisionRules) -> Decisions:
    """Fold readings [N] into the headers [G] of their sensors, in place; `table_rows` [G] are rows of the table of sensors.

    The fold uses the errors of windows that the stride selects or that fall into an open incident. It ignores all
    others, so surplus errors change nothing. If needed errors are NaN, provide them and decide again from the old headers.
    """
    fold = Fold(rules, readings)
    for positions in steps_of(readings.ranks):
        fold.step(header, table_rows, positions)
    return fold.finished()


def steps_of(ranks: Int64Array) -> list[Int64Array]:
    """Split readings of these ranks [N] into steps: the positions of the first readings of all groups, of the second, ..."""
    order = np.argsort(ranks, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(ranks[order])) + 1) if len(order) else []


class Fold:
    """The fold and its results so far. A step takes one reading of each of G sensors.

    Steps may be taken again, from the headers of before, after `undo`.
    """

    def __init__(self, rules: DecisionRules, readings: ScoredReadings) -> None:
        count, members = readings.errors.shape
        self._rules = rules
        self._readings = readings
        self._settling = np.zeros(count, np.bool_) if readings.settling is None else readings.settling
        self._rows = partial_rows(readings.rows, rules.partial)
        self._margins = np.broadcast_to(rules.margins(readings.interval_ms), count)
        self._sustained = np.broadcast_to(rules.sustained_margins(readings.interval_ms), count)
        self._rates = np.broadcast_to(rules.rates(readings.interval_ms), count)
        self.decisions = Decisions(
            scores=np.full(count, np.nan),
            thresholds=np.empty(count),
            anomalous=np.zeros(count, np.bool_),
            surprises=np.full((count, members), np.nan),
            factors=np.ones(count),
            level_counts=np.empty(count),
            needed=np.zeros(count, np.bool_),
            holding=np.zeros(count, np.bool_),
            held_above=np.empty(count),
            transitions=[],
            acceptances=[],
            beyond=readings.beyond,
        )

    @property
    def position(self) -> tuple[int, int]:
        """Where the fold is, for `undo`."""
        return len(self.decisions.transitions), len(self.decisions.acceptances)

    def undo(self, position: tuple[int, int]) -> None:
        """Forget the transitions and acceptances of the steps since; the steps themselves must be taken again."""
        transitions, acceptances = position
        del self.decisions.transitions[transitions:]
        del self.decisions.acceptances[acceptances:]

    def finished(self) -> Decisions:
        """Return the decisions, after the last step."""
        self.decisions.transitions.sort(key=lambda transition: transition.position)
        return self.decisions

    def step(self, header: Records, table_rows: Int32Array, positions: Int64Array) -> None:
        """Advance G sensors by one reading each: those at `positions` [G], of different groups."""
        rules, found = self._rules, self.decisions
        sensors = self._readings.groups[positions]
        state, rows = header[sensors], table_rows[sensors]
        self._close_interrupted(state, positions)
        was_open = state["incident_offset"] != NO_INCIDENT
        follow_clock(state, self._readings.jump_ms[positions])
        errors = self._needed_errors(positions, was_open)
        start_levels(state, rows, errors, rules)
        levels, units = rules.starts[rows] + state["shift"][:, : rules.starts.shape[1]], units_of(state, rules)
        above_level, is_full = self._as_if_full(errors - levels, positions)
        memory = self._judge(state, above_level / units, positions, was_open=was_open, is_full=is_full)
        scored, anomalous = ~np.isnan(found.scores[positions]), found.anomalous[positions]
        if anomalous.any() or was_open.any():
            self._update_incidents(state, positions, (levels, units), scored & is_full)
        self._balance(
            state, positions, scored & anomalous & (state["incident_offset"] == self._readings.places[positions]), scored
        )
        normal = scored & is_full & ~anomalous & ~was_open
        settling, excess = self._settling[positions], found.surprises[positions].sum(axis=1) - rules.typical
        if rules.own is not None:
            rules.own.follow(state, above_level, excess, scored=scored, calm=normal, most=rules.level_memory_count)
        else:
            update_levels(state, rows, above_level, normal=normal | (scored & settling), settling=settling, rules=rules)
        state["accepted"] = np.where(normal, np.clip(memory - rules.typical, 0.0, state["accepted"]), state["accepted"])
        header[sensors] = state

    def _judge(
        self, state: Records, above_level: Float64Array, positions: Int64Array, *, was_open: BoolArray, is_full: BoolArray
    ) -> Float64Array:
        """Score these readings [G], and say which are anomalous, and which hold an incident open; return the memory [G]."""
        rules, found, beyond = self._rules, self.decisions, self._readings.beyond
        surprises = rules.tails.surprise(above_level) * rules.weights
        surprise = surprises.sum(axis=1)
        if beyond is not None:
            surprise += beyond.surprise[positions]
        excess = np.where(is_full, surprise - rules.typical, np.nan)
        state["sustained"] = after(state["sustained"], excess, rules.sustained_cap)
        full, margin = self._margins_of(state, positions, was_open)
        limit = rules.typical + margin + state["accepted"]
        memory = state["memory"] + rules.memory_share * np.where(np.isnan(surprise), 0.0, surprise - state["memory"])
        state["memory"] = memory
        found.scores[positions] = score = (surprise + memory) / 2.0
        found.thresholds[positions] = threshold = (limit + memory) / 2.0
        found.anomalous[positions] = anomalous = score > threshold  # False for NaN; surprise > limit, up to rounding
        held_above = limit - margin + HELD_SHARE * full
        found.held_above[positions] = (held_above + memory) / 2.0
        found.holding[positions] = anomalous | (surprise > held_above)
        if beyond is not None:
            found.holding[positions] |= beyond.surprise[positions] > 0
        found.surprises[positions] = surprises
        found.level_counts[positions] = state["level_count"]
        return np.asarray(memory)

    def _as_if_full(self, above_level: Float64Array, positions: Int64Array) -> tuple[Float64Array, BoolArray]:
        """Return log errors above their level [G, M], as if all windows were full, and which are."""
        if self._rows is None or self._rules.partial is None:
            return above_level, np.ones(len(positions), np.bool_)
        rows = self._rows[positions]
        return self._rules.partial.correct(above_level, rows), rows == len(self._rules.partial.share)

    def _margins_of(self, state: Records, positions: Int64Array, was_open: BoolArray) -> tuple[Float64Array, Float64Array]:
        """Return the margin of each sensor at these readings [G], and what is left of it where surprise has lasted."""
        full, factors = self._full_margins(state, positions), np.ones(len(positions))
        if self._rules.governor is not None:
            factors = self._rules.governor.factor(state["balance"])
        lasts = state["sustained"] > self._sustained[positions] * factors + state["accepted"]
        lowered = np.where(lasts & ~was_open, LOWERED, 1.0)
        self.decisions.factors[positions] = factors * lowered
        return full * factors, full * factors * lowered

    def _full_margins(self, state: Records, positions: Int64Array) -> Float64Array:
        """Return the margin of each sensor at these readings [G], whatever its incidents were."""
        own = self._rules.own
        return self._margins[positions] if own is None else own.margins(state, self._rates[positions])

    def _balance(self, state: Records, positions: Int64Array, opened: BoolArray, scored: BoolArray) -> None:
        """Count the incidents that opened, and those that the budget allows, at the scored ones of these readings [G]."""
        if self._rules.governor is not None:
            after = self._rules.governor.after(state["balance"], opened, self._rates[positions])
            state["balance"] = np.where(scored, after, state["balance"])

    def _close_interrupted(self, state: Records, positions: Int64Array) -> None:
        """Close the incidents of sensors that had fallen silent before these readings, and of those that are idle."""
        returns, idle = self._readings.returns, self._readings.idle
        if returns is not None:
            closing = returns.is_return[positions] & (state["incident_offset"] != NO_INCIDENT)
            for at in np.flatnonzero(closing & ~returns.is_announced[positions]).tolist():
                silence = returns.silence(int(positions[at]))
                self.decisions.transitions.append(transition_of(state[at], int(positions[at]), CLOSED, silence=silence))
            clear_incident(state, closing)
        if idle is not None:
            closing = idle[positions] & (state["incident_offset"] != NO_INCIDENT)
            self._record(CLOSED, closing, state, positions, why=IDLE)
            clear_incident(state, closing)

    def _needed_errors(self, positions: Int64Array, was_open: BoolArray) -> Float64Array:
        """Return the errors [G, M] that these readings need, NaN for the others, and record which need them."""
        readings = self._readings
        self.decisions.needed[positions] = needed = readings.scorable[positions] & (readings.wanted[positions] | was_open)
        return np.where(needed[:, np.newaxis], readings.errors[positions], np.float32(np.nan)).astype(np.float64)

    def _update_incidents(
        self, state: Records, positions: Int64Array, levels: tuple[Float64Array, Float64Array], seen: BoolArray
    ) -> None:
        """Close, open, accept and update incidents, in this order.

        `levels` and their units [G, M] are what an acceptance remembers. Only a full window with a score, `seen` [G], shows
        that a fault is over, or that it has become normal.
        """
        rules, times = self._rules, self._rules.times(self._readings.interval_ms[positions])
        time_ms, anomalous = self._readings.times_ms[positions], self.decisions.anomalous[positions]
        holding = self.decisions.holding[positions]
        is_open = state["incident_offset"] != NO_INCIDENT
        quiet_for = time_ms - state["last_anomalous_ms"]
        closing = is_open & ~holding & (quiet_for >= np.where(seen, times.quiet_ms, times.accept_ms))
        self._record(CLOSED, closing, state, positions)
        clear_incident(state, closing)
        opening = anomalous & ~is_open
        open_incident(state, opening, self._readings.places[positions], time_ms)
        lasting = anomalous | (holding & is_open)
        state["last_anomalous_ms"][lasting] = time_ms[lasting]
        before = urgency(state["incident_ratio"])
        self._raise_peaks(state, positions, anomalous)
        is_worse = urgency(state["incident_ratio"]) > before
        self._record(OPENED, opening, state, positions)
        open_ms = time_ms - state["incident_time_ms"]
        is_old = np.where(anomalous, open_ms >= times.accept_ms, holding & (open_ms >= 2 * times.accept_ms))
        accepting = is_open & is_old & seen
        self._record(CLOSED, accepting, state, positions, why=ACCEPTED)
        self._record_acceptances(accepting, state, positions, levels)
        clear_incident(state, accepting)
        state["accepted"] = np.where(accepting, np.fmax(state["memory"] - rules.typical, 0.0), state["accepted"])
        is_due = time_ms - state["last_update_ms"] >= times.update_ms
        updating = anomalous & is_open & ~accepting & (is_due | is_worse)
        state["last_update_ms"][updating] = time_ms[updating]
        self._record(UPDATED, updating, state, positions)

    def _raise_peaks(self, state: Records, positions: Int64Array, anomalous: BoolArray) -> None:
        """Keep the highest score of each incident, and its highest ratio to the threshold of its moment."""
        score = self.decisions.scores[positions]
        ratio = ratio_of(score, self.decisions.thresholds[positions])
        for name, value in (("incident_peak", score), ("incident_ratio", ratio)):
            state[name] = np.where(anomalous, np.fmax(state[name], value), state[name])

    def _record(self, status: str, chosen: BoolArray, state: Records, positions: Int64Array, *, why: str = "") -> None:
        """Record the chosen changes of incidents as transitions; `why` they closed, if not by quiet."""
        for at in np.flatnonzero(chosen).tolist():
            self.decisions.transitions.append(transition_of(state[at], int(positions[at]), status, why=why))

    def _record_acceptances(
        self, chosen: BoolArray, state: Records, positions: Int64Array, levels: tuple[Float64Array, Float64Array]
    ) -> None:
        limits = self._rules.typical + self._full_margins(state, positions)
        for at in np.flatnonzero(chosen).tolist():
            position = int(positions[at])
            group, (level, units) = int(self._readings.groups[position]), levels
            self.decisions.acceptances.append(Acceptance(position, group, level[at], units[at], float(limits[at])))
