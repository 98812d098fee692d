"""Applies all rules to a batch of accepted readings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stream_detector.detection.rules.batch import RuleBatch
from stream_detector.detection.rules.changes import RuleChange
from stream_detector.detection.rules.findings import frozen, missing_feature, out_of_range
from stream_detector.detection.rules.incidents import Finding, Pace, fold_incidents
from stream_detector.detection.rules.limits import RuleLimits
from stream_detector.detection.rules.runs import Runs, fold_runs
from stream_detector.detection.transition import FROZEN, MISSING_FEATURE, OUT_OF_RANGE
from stream_detector.state.record_layout import Records


@dataclass(frozen=True, slots=True)
class RuleConfig:
    """Everything besides the readings that the rules depend on."""

    limits: RuleLimits
    types: frozenset[str]  # the rules in force
    pace: Pace
    healthy_factor: float  # a stranger's limit is this many times its own longest run


def fold_rules(
    records: Records, batch: RuleBatch, features: tuple[str, ...], config: RuleConfig, *, emits: bool
) -> tuple[RuleChange, ...]:
    """Fold accepted readings into the rules' state, in place, and return the changes of incidents.

    Without `emits`, which is for readings whose events are published already, runs are counted and incidents stay as they are.
    """
    if not len(batch.values):
        return ()
    runs = fold_runs(records, batch.appended, batch.values, batch.table_rows)
    if not emits:
        return ()
    found = _findings(batch, runs, features, config)
    return tuple([change for one in found for change in fold_incidents(records, batch, one, config.pace)])


def _findings(batch: RuleBatch, runs: Runs, features: tuple[str, ...], config: RuleConfig) -> Iterator[Finding]:
    limits = config.limits
    if FROZEN in config.types:
        yield frozen(batch, runs, limits, features, config.healthy_factor)
    if MISSING_FEATURE in config.types:
        yield missing_feature(batch, runs, limits, features)
    if OUT_OF_RANGE in config.types:
        yield out_of_range(batch, limits, features)
