"""How the levels of sensors, their usual errors, follow normal errors.

A known sensor's levels start from training, and move slowly within a narrow band, so they do not learn an anomaly. A sensor
that the model does not know has a scale that is still being learnt. A scale learnt from part of a slow cycle is too small, and
every error on it too large: by the noise alone, the first window then seems a fault. So the levels of such a sensor start with
its own first reading, if that is above the fleet's, and while its scale settles they follow it as fast as it moves. That first
reading may be faulty, so at first levels also fall at once to not far above each new error.
"""

from __future__ import annotations

import numpy as np

from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.readings import BoolArray, Float64Array, Int32Array
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.record_layout import Records

#: While a sensor's scale settles, its levels are a running mean over this many readings.
SETTLING_MEMORY_COUNT = 128.0
#: In the first START_COUNT readings of a level that started with its sensor's error, it is at most FALL_TO above each error.
START_COUNT, FALL_TO = 64.0, 2.0


def start_levels(state: Records, table_rows: Int32Array, errors: Float64Array, rules: DecisionRules) -> None:
    """Raise the levels of sensors [G] that the model does not know to their first errors [G, M], NaN: none, in place.

    They are not lowered: an error of one reading may be far below the usual one. Sensors with tails of their own start as these
    say.
    """
    if rules.own is not None:
        rules.own.begin(state, errors, rules.starts[UNKNOWN])
        return
    fresh = (table_rows == UNKNOWN) & (state["level_count"] == np.float32(rules.start_counts[UNKNOWN]))
    fresh &= ~np.isnan(errors[:, 0])
    if fresh.any():
        shift = state["shift"][:, : errors.shape[1]]  # a view: the record may have room for more members
        shift[fresh] = np.clip(errors[fresh] - rules.starts[UNKNOWN], 0.0, rules.start_rise_limit)


def units_of(state: Records, rules: DecisionRules) -> Float64Array:
    """Return in what units the errors of these sensors above their levels count, [G, M]."""
    return np.ones((len(state), rules.starts.shape[1])) if rules.own is None else rules.own.deviations(state)


def update_levels(
    state: Records,
    table_rows: Int32Array,
    above_level: Float64Array,
    *,
    normal: BoolArray,
    settling: BoolArray,
    rules: DecisionRules,
) -> None:
    """Move the levels of sensors [G] towards their errors where `normal` [G]: a running mean of bounded memory, step and range.

    A level that started outside the range does not leave it further.
    """
    memory_count = np.where(settling, min(SETTLING_MEMORY_COUNT, rules.level_memory_count), rules.level_memory_count)
    count = np.minimum(state["level_count"] + 1.0, memory_count)
    step = np.clip(above_level, -rules.level_step_limit, rules.level_step_limit) / count[:, np.newaxis]
    is_unknown = table_rows == UNKNOWN
    farthest = np.where(is_unknown, rules.provisional_shift_limit, rules.level_shift_limit)[:, np.newaxis]
    shift = state["shift"][:, : step.shape[1]]
    farthest = np.where(is_unknown[:, np.newaxis], np.maximum(farthest, np.abs(shift)), farthest)
    is_start = is_unknown & settling & (state["level_count"] < rules.start_counts[UNKNOWN] + START_COUNT)
    fall = np.maximum(np.minimum(above_level + FALL_TO, 0.0), -np.maximum(shift, 0.0))  # not below the fleet's
    step = np.where(is_start[:, np.newaxis], np.minimum(step, fall), step)
    shifted = np.clip(shift + step, -farthest, farthest)
    shift[:] = np.where(normal[:, np.newaxis], shifted, shift)
    state["level_count"] = np.where(normal, count, state["level_count"])
