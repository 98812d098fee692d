"""Repeats faults of a drill with one or two other features missing, to see if they are found and the budget is kept.

The missing features give no value in the whole trial, and the fault is in another one. What is compared are the same faults in
the same readings, with all features and without some. A fault that shows only beside the missing feature, as a lost
correlation with it, cannot be found, so a model need not find all of them again.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stream_detector.gate.drill import Drill
from stream_detector.gate.drill_run import DrillResult
from stream_detector.readings import BoolArray, Int64Array

#: Trials of each kind of fault that are repeated: the first ones, with one and with two features missing in turn.
TRIALS_PER_KIND = 4
MOST_HIDDEN = 2
#: A difference counts from this many standard errors on; of the faults that are found with all features, at least this share
#: must be found without some.
ERRORS, SMALLEST_SHARE = 2.0, 0.5


@dataclass(frozen=True, slots=True)
class MissingDrill:
    """K trials of a drill with features hidden."""

    drill: Drill
    whole: Int64Array  # [K] the same trial in the drill with all features


@dataclass(frozen=True, slots=True)
class MissingCheck:
    """What the product says about the same K trials with all features and without some."""

    whole_found: BoolArray  # [K] in time
    found: BoolArray  # [K]
    whole_false: int  # incidents before the faults
    false: int
    allowed: float  # by the budget, in the readings before the faults

    def why_failed(self) -> str | None:
        """Say what goes wrong while features are missing, as the end of a sentence about the model; None if nothing does."""
        if self.false > self.allowed and self.false - self.whole_false > ERRORS * math.sqrt(self.false + self.whole_false):
            return f"raises false alarms while features are missing ({self.false}, against {self.whole_false} with all of them)"
        lost, gained = int((self.whole_found & ~self.found).sum()), int((self.found & ~self.whole_found).sum())
        before, now = int(self.whole_found.sum()), int(self.found.sum())
        if now < SMALLEST_SHARE * before and lost - gained > ERRORS * math.sqrt(lost + gained):
            return (
                f"is blind while features are missing: it finds {now} faults in the others, against {before} with all of them"
            )
        return None

    def as_json(self) -> dict[str, Any]:
        """Return the figures for the training report."""
        return {
            "faults": len(self.found),
            "found": int(self.found.sum()),
            "found_with_all": int(self.whole_found.sum()),
            "false_alarms": self.false,
            "false_alarms_with_all": self.whole_false,
            "failed": self.why_failed(),
        }


def hide_features(drill: Drill, seed: int, needed: Collection[int] = ()) -> MissingDrill:
    """Choose trials with a fault in one feature, and hide one or two others; of a single feature, K is 0.

    Those `needed` are not hidden: features that tell whether a machine works, without which it is idle.
    """
    features, seen = drill.values.shape[2], dict.fromkeys(drill.kinds, 0)
    chosen, hidden = [], []
    for trial, at_fault in enumerate(drill.at_fault):
        number = seen[drill.kinds[trial]]
        others = np.setdiff1d(np.arange(features), [*needed, *([] if at_fault is None else [at_fault])])
        if at_fault is None or not len(others) or number >= TRIALS_PER_KIND:
            continue
        seen[drill.kinds[trial]] += 1
        count = min(1 + number % MOST_HIDDEN, len(others))
        chosen.append(trial)
        hidden.append(np.random.default_rng([seed, 2, trial]).choice(others, count, replace=False))
    return _hide(drill, chosen, hidden)


def _hide(drill: Drill, chosen: list[int], hidden: list[Int64Array]) -> MissingDrill:
    values = drill.values[chosen].copy()
    for trial, columns in enumerate(hidden):
        values[trial][:, columns] = np.nan
    part = replace(
        drill,
        kinds=tuple(drill.kinds[trial] for trial in chosen),
        sensors=tuple(drill.sensors[trial] for trial in chosen),
        times_ms=drill.times_ms[chosen],
        values=values,
        arrives=drill.arrives[chosen],
        starts=drill.starts[chosen],
        ends=drill.ends[chosen],
        at_fault=tuple(drill.at_fault[trial] for trial in chosen),
    )
    return MissingDrill(part, np.array(chosen, np.int64))


def check_missing(missing: MissingDrill, whole: DrillResult, without: DrillResult, alarms_per_reading: float) -> MissingCheck:
    """Compare the results of the drill with all features, [K0], and of the trials without some, [K]."""
    return MissingCheck(
        whole_found=whole.found[missing.whole],
        found=without.found,
        whole_false=int(whole.early[missing.whole].sum()),
        false=int(without.early.sum()),
        allowed=alarms_per_reading * float(missing.drill.starts.sum()),
    )
