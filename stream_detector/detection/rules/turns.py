"""Counts how often a feature goes back and forth: a pure fold over a sensor's accepted readings.

A *step* is a change by more than the feature's healthy noise, or its value vanishes (down) or is there again (up). A *turn* is
a step in the other direction than the one before. Steps that come within a span of readings of each other are one chain,
and the turns of a chain are counted; its first step counts as one, or as two if it goes down: so the count is odd exactly if
the newest step went up, and is all that a sensor needs to remember beside the readings since. Most sensors have no chain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_detector.detection.rules.batch import RuleBatch
from stream_detector.readings import BoolArray, Float32Array, Int32Array, Int64Array
from stream_detector.state.record_layout import MAXIMUM_RUN, Records

#: The spans of a chain, in readings, of which training chooses one for each feature.
SPANS = (32, 8, 2)


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """What counts as a step, and how many turns are too many: rows as in RuleLimits."""

    step: Float32Array  # [S + 1, F] a step is larger; infinite: the feature has none
    counts_gaps: BoolArray  # [S + 1, F] values that vanish and return are steps too
    span: Int32Array  # [S + 1, F] readings
    turns: Int32Array  # [S + 1, F]
    most: Int32Array  # [S + 1, F] turns in a chain of healthy data, for people


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns as of the steps in M accepted readings, K in all, ordered by sensor and feature, then by reading."""

    position: Int64Array  # [K] of the reading
    feature: Int64Array  # [K]
    count: Int64Array  # [K] turns of the chain
    before: Int64Array  # [S, F] the same before the batch
    since: Int64Array  # [S, F] readings since, before the batch

    def at(self, batch: RuleBatch, position: int, feature: int, span: int) -> int:
        """Return the turns of the chain as of a reading; 0 if no further step can continue it."""
        group = batch.group[position]
        ours = (batch.group[self.position] == group) & (self.feature == feature) & (self.position <= position)
        if ours.any():
            newest = np.flatnonzero(ours)[-1]
            return int(self.count[newest]) if position - self.position[newest] < span else 0
        since = self.since[group, feature] + position - batch.first[group] + 1
        return int(self.before[group, feature]) if since < span else 0


def fold_turns(state: Records, batch: RuleBatch, limits: TurnLimits) -> Turns:
    """Fold a batch into the turns of its sensors' state [S], in place."""
    before, since = state["turns"].astype(np.int64), state["since"].astype(np.int64)
    steps = _steps(batch, limits)
    position, feature = np.nonzero(steps)
    if not len(position) and not before.any():
        return Turns(position, feature, position, before, since)
    order = np.lexsort((position, feature, batch.group[position]))
    position, feature = position[order], feature[order]
    group, rank = batch.group[position], batch.appended.rank[position]
    is_first = np.ones(len(position), np.bool_)
    is_first[1:] = (np.diff(group) != 0) | (np.diff(feature) != 0)
    gap = np.where(is_first, rank + 1 + since[group, feature], np.diff(rank, prepend=0))
    span = limits.span[batch.table_rows[position], feature]
    up = steps[position, feature] > 0
    count = chain_counts(up, gap, span, is_first, np.where(is_first, before[group, feature], 0))
    found = Turns(position, feature, count, before, since)
    _write(state, batch, limits, found, is_first)
    return found


def _steps(batch: RuleBatch, limits: TurnLimits) -> NDArray[np.int8]:
    """Return where a feature steps up (1) or down (-1) [M, F]; 0 elsewhere."""
    rows, values = batch.table_rows, batch.values
    with np.errstate(invalid="ignore"):
        difference = values - batch.previous
        is_step = np.abs(difference) > limits.step[rows]
    steps = np.where(is_step, np.sign(difference), 0).astype(np.int8) if is_step.any() else np.zeros(values.shape, np.int8)
    missing = np.isnan(values)
    was_missing = batch.was_missing()
    if missing.any() or was_missing.any():
        differs = (missing != was_missing) & limits.counts_gaps[rows] & np.isfinite(limits.step[rows])
        differs[batch.appended.count <= 1] = False
        steps[differs] = np.where(missing[differs], -1, 1)
    if batch.appended.idle is not None:
        steps[batch.appended.filled <= 1] = 0
    return steps


def chain_counts(up: BoolArray, gap: Int64Array, span: Int32Array | int, is_first: BoolArray, before: Int64Array) -> Int64Array:
    """Return the turns of its chain as of each of K steps, at most about MAXIMUM_RUN; steps of a feature are together.

    `gap` [K] are the readings since the step before, `is_first` [K] marks each feature's first step here, and `before` [K] is
    what its chain had counted then; 0: there is no chain.
    """
    begins = (gap > span) | (is_first & (before == 0))
    earlier_up = np.append(False, up[:-1]) if len(up) else up
    turned = np.where(is_first, before % 2 == 1, earlier_up) != up
    starts = is_first | begins
    base = np.where(begins, np.where(up, 1, 2), before + turned)
    total = np.cumsum(turned & ~starts)
    start = np.maximum.accumulate(np.where(starts, np.arange(len(up)), 0))
    count = base[start] + total - total[start]
    return np.asarray(np.minimum(count, MAXIMUM_RUN - 1 + count % 2), np.int64)


def _write(state: Records, batch: RuleBatch, limits: TurnLimits, found: Turns, is_first: BoolArray) -> None:
    """Write the chains as of each sensor's last reading; one that no further step can continue is forgotten."""
    concerned = np.asarray(found.before.any(axis=1))
    concerned[batch.group[found.position]] = True
    sensors = np.flatnonzero(concerned)
    turns = found.before[sensors]
    since = state["since"][sensors] + (batch.last - batch.first + 1)[sensors, None]
    is_last = np.append(is_first[1:], True)[: len(is_first)]
    group, feature = batch.group[found.position[is_last]], found.feature[is_last]
    row = np.searchsorted(sensors, group)
    turns[row, feature] = found.count[is_last]
    since[row, feature] = batch.last[group] - found.position[is_last]
    is_over = (since >= limits.span[batch.table_rows[batch.first[sensors]]]) | (turns == 0)
    state["turns"][sensors], state["since"][sensors] = np.where(is_over, 0, turns), np.where(is_over, 0, since)
