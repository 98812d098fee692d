"""Applies all rules to a batch of accepted readings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stream_detector.detection.rules.batch import RuleBatch
from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.rules.clock import clock
from stream_detector.detection.rules.findings import (
    flapping,
    frozen,
    frozen_unlearned,
    missing_feature,
    missing_unlearned,
    out_of_range,
    switched_off,
)
from stream_detector.detection.rules.incidents import Finding, Pace, fold_incidents
from stream_detector.detection.rules.limits import LimitOptions, RuleLimits
from stream_detector.detection.rules.runs import Runs, fold_runs
from stream_detector.detection.rules.turns import Turns, fold_turns
from stream_detector.detection.rules.unlearned import Unlearned, fold_unlearned, forget_runs
from stream_detector.detection.transition import CLOCK, FLAPPING, FROZEN, MISSING_FEATURE, OUT_OF_RANGE
from stream_detector.state.record_layout import KEPT_TYPES, NO_INCIDENT, Records
from stream_detector.state.rule_states import RuleStates


@dataclass(frozen=True, slots=True)
class RuleConfig:
    """Everything besides the readings that the rules depend on."""

    limits: RuleLimits
    types: frozenset[str]  # the rules in force
    pace: Pace
    healthy_factor: float  # a stranger's limit is this many times its own longest run
    own: LimitOptions | None = None  # for lack of a training: the limits of runs are then those that each sensor's window shows


@dataclass(frozen=True, slots=True)
class _Counted:
    runs: Runs
    turns: Turns
    unlearned: Unlearned | None


def fold_rules(
    records: Records, states: RuleStates, batch: RuleBatch, features: tuple[str, ...], config: RuleConfig, *, emits: bool
) -> tuple[RuleChange, ...]:
    """Fold accepted readings into the rules' state, in place, and return the changes of incidents.

    Without `emits`, which is for readings whose events are published already, runs are counted and incidents stay as they are.
    """
    if not len(batch.values):
        return ()
    slots = batch.slots
    state = states.read(slots)
    runs = fold_runs(records, state, batch)
    turns = fold_turns(state, batch, config.limits.flapping)
    unlearned = None
    if config.own is None:
        forget_runs(state)
    else:
        unlearned = fold_unlearned(state, batch, runs, config.own)
    changes: list[RuleChange] = []
    if emits:
        for found in _findings(state, batch, _Counted(runs, turns, unlearned), features, config):
            changes += fold_incidents(state, batch, found, config.pace)
    states.write(slots, state)
    return tuple(changes)


def _findings(
    state: Records, batch: RuleBatch, counted: _Counted, features: tuple[str, ...], config: RuleConfig
) -> Iterator[Finding]:
    limits, runs, unlearned = config.limits, counted.runs, counted.unlearned
    if FROZEN in config.types and unlearned is None:
        yield frozen(batch, runs, limits, features, config.healthy_factor)
    if FROZEN in config.types and unlearned is not None:
        yield frozen_unlearned(batch, runs, unlearned, features)
    if MISSING_FEATURE in config.types and unlearned is None:
        yield missing_feature(batch, runs, limits, features)
    if MISSING_FEATURE in config.types and unlearned is not None:
        yield missing_unlearned(batch, runs, unlearned, features)
    if OUT_OF_RANGE in config.types:
        yield out_of_range(batch, limits, features)
    if FLAPPING in config.types:
        yield flapping(batch, counted.turns, limits, features)
    if CLOCK in config.types:
        yield clock(batch, features)
    for kind in KEPT_TYPES:
        if kind not in config.types and (state["incidents"][kind]["offset"] != NO_INCIDENT).any():
            yield switched_off(kind, batch, features)
