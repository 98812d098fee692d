"""Decides on a batch of scored readings, and scores more of them where the decisions turn out to need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stream_detector.detection.acceptance import Acceptance, AcceptedWindow, is_still_there, scored_windows
from stream_detector.detection.decision import Fold, steps_of
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.partial_windows import is_scorable
from stream_detector.detection.scored_readings import Decisions, ScoredReadings
from stream_detector.detection.scorer import Scorer
from stream_detector.readings import BoolArray, Float32Array, Int32Array, Int64Array
from stream_detector.state.appended import Appended
from stream_detector.state.arena import Arena
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.record_layout import Records
from stream_detector.state.running_scale import ScaleConfig, Scales, quantile, start_again

#: Readings of a sensor that are decided on together: of a batch with many readings of one sensor, only so many are decided
#: again when scores turn out to be missing.
STEPS = 64


@dataclass(frozen=True, slots=True)
class BatchDecision:
    """What a batch of N accepted readings of S sensors is decided with."""

    arena: Arena
    scorer: Scorer
    rules: DecisionRules
    config: ScaleConfig
    appended: Appended
    scales: Scales  # [N]
    touched: Int32Array  # [S] slots
    fold: ScoredReadings

    def run(self) -> Decisions:
        """Decide, and change the sensors' records. Blocks.

        An incident that opens between two strides needs scores of the sensor's later readings. One that is accepted makes
        the sensor learn its shifted features again, so its later readings get other scores. Then the steps since the last
        multiple of STEPS are decided again.
        """
        records, table_rows = self.arena.records["header"], self.arena.table_rows[self.touched]
        header, handled = records[self.touched], set[int]()
        fold, steps = Fold(self.rules, self.fold), steps_of(self.fold.ranks)
        for first in range(0, len(steps), STEPS):
            header = self._decide(fold, header, table_rows, steps[first : first + STEPS], handled)
        records[self.touched] = header
        return fold.finished()

    def _decide(
        self, fold: Fold, before: Records, table_rows: Int32Array, steps: Sequence[Int64Array], handled: set[int]
    ) -> Records:
        """Take these steps from the headers [S] of before them, until no score is missing; return the headers after them."""
        positions, start = np.concatenate(steps), fold.position
        while True:
            after = before.copy()
            fold.undo(start)
            for step in steps:
                fold.step(after, table_rows, step)
            missing = fold.decisions.needed[positions] & np.isnan(self.fold.errors[positions, 0])
            if missing.any():
                requested = np.zeros(len(self.fold.groups), np.bool_)
                requested[positions] = np.isin(self.fold.groups[positions], self.fold.groups[positions[missing]])
                fill_in(self.fold, *start_scoring(self.scorer, self.appended, self.scales, self.fold, requested))
                continue
            accepted = fold.decisions.acceptances[start[1] :]
            fresh = {one.group: one for one in reversed(accepted) if one.position not in handled}
            for one in fresh.values():  # the first of each sensor: later ones depend on it
                handled.add(one.position)
                self._relearn(one)
            if not fresh:
                return after

    def _relearn(self, accepted: Acceptance) -> None:
        """Begin to learn the shifted features of an accepted incident again; the sensor's later readings lose their errors."""
        at = np.array([accepted.position])
        slot, scale = int(self.appended.slot[accepted.position]), self.scales.take(at)
        window = scored_windows(self.appended, self.scales, at)
        table_row = self.arena.table_rows[[slot]]
        accepted_window = AcceptedWindow(window, scale, accepted, self._log_errors, self.rules)
        features = accepted_window.shifted_features(self._are_away(window, scale, table_row))
        if not accepted_window.is_new_level(features):
            return
        counts = self.arena.records["moments"]["count"][slot]
        is_known = bool(table_row[0] != UNKNOWN)
        if is_known and bool((counts[features] > 0).all()) and is_still_there(window, scale, features):
            return  # these were learned again already, and are not elsewhere but different: the limit rises
        later = np.flatnonzero(self.fold.groups == accepted.group)
        later = later[later > accepted.position]
        values = self.appended.newest_values()[later]
        values[self.appended.is_idle[later]] = np.nan
        start_again(
            self.arena.records,
            slot,
            features,
            window[0].astype(np.float64),
            later=(later, values),
            appended=self.appended,
            table_row=int(table_row[0]),
            scales=self.scales,
            rules=self.config,
        )
        if self.fold.beyond is not None:
            rows = np.repeat(table_row, len(later))
            found = self.rules.beyond(values, self.scales.take(later), rows)
            assert found is not None
            self.fold.beyond.put(later, found)
        settling = self.scales.are_settling
        if self.fold.settling is not None and settling is not None:
            self.fold.settling[later] = settling[later]
        self.fold.errors[later] = np.nan
        length, present = self.appended.window_length, self.appended.rows[later]
        is_judged = ~self.appended.is_idle[later]
        self.fold.scorable[later] = is_scorable(present, length, table_row, self.rules.partial) & is_judged

    def _are_away(self, window: Float32Array, scale: Scales, table_row: Int32Array) -> BoolArray:
        """Return the features [F] whose median in a window [1, T, F] is where healthy data have none."""
        if self.rules.healthy_range is None:
            return np.zeros(window.shape[2], np.bool_)
        middle = quantile(window.astype(np.float64), 0.5)[:, 0]
        return np.asarray(self.rules.healthy_range.widths_beyond(middle, scale, table_row)[0] > 0)

    def _log_errors(self, windows: Float32Array, scales: Scales) -> Float32Array:
        return self.scorer.start(windows, scales)()


def start_scoring(
    scorer: Scorer, appended: Appended, scales: Scales, fold: ScoredReadings, requested: BoolArray
) -> tuple[Int64Array, Callable[[], Float32Array]]:
    """Start scoring those requested readings that are scorable and have no errors yet.

    Return their positions [K], and a function that waits for their log errors [K, M].
    """
    chosen = np.flatnonzero(requested & fold.scorable & np.isnan(fold.errors[:, 0]))
    if not len(chosen):
        return chosen, no_errors
    return chosen, scorer.start(scored_windows(appended, scales, chosen), scales.take(chosen))


def no_errors() -> Float32Array:
    """Return the log errors of no readings."""
    return np.zeros((0, 1), np.float32)


def fill_in(fold: ScoredReadings, chosen: Int64Array, errors: Callable[[], Float32Array]) -> None:
    """Wait for the errors of these readings [K] and fill them in. A window without values has no error: NaN."""
    if len(chosen):
        fold.errors[chosen] = errors()
        fold.scorable[chosen] = ~np.isnan(fold.errors[chosen, 0])
