"""The rules of a decision: the anomaly limit, and how a sensor's levels, memory and incidents change.

Derived from a model's calibration and the alarm settings. Knows no sensor's state; `decision.py` applies the rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream_detector.detection.budget_resolution import BudgetResolution
from stream_detector.detection.calibration import Calibration, Tails, alarms_per_reading
from stream_detector.detection.departure import Beyond, HealthyRange
from stream_detector.detection.governor import Governor
from stream_detector.detection.own_tails import MEMORY_SHARE, OwnTails
from stream_detector.detection.partial_windows import PartialTable
from stream_detector.detection.rules.fold import RuleConfig
from stream_detector.detection.sustained import CAP_STARTS, NEVER
from stream_detector.readings import BoolArray, Float32Array, Float64Array, FloatArray, Int32Array
from stream_detector.state.known_sensors import UNKNOWN
from stream_detector.state.running_scale import Scales

LEVEL_MEMORY_COUNT = 2_000.0
USUAL_MEMORY_SHARE = 2.0 / 65.0
#: The intervals, in milliseconds, for which margins are computed: a quarter of an octave apart, from 1 ms to 34 years.
_INTERVALS_MS = 2.0 ** (np.arange(161) / 4.0)


@dataclass(frozen=True, slots=True)
class OwnPace:
    """How the margin and the times follow from a sensor's own interval. K intervals.

    The budget is in alarms per day: a sensor that is read twice as often has twice the chances to alarm, so its margin is
    larger. Each time is at least so many of the sensor's intervals, 0 if a setting gives the time.
    """

    intervals_ms: Float64Array  # [K] ascending
    margins: Float64Array  # [K]
    sustained_margins: Float64Array  # [K]
    rate_per_ms: float  # accepted incidents per scored reading and millisecond of its sensor's interval
    update_intervals: float
    quiet_intervals: float
    accept_intervals: float
    update_ms: int  # the least
    quiet_ms: int
    accept_ms: int

    @classmethod
    def of(
        cls, calibration: Calibration, budget_per_sensor_day: float, stride: int, times: dict[str, tuple[int, float]]
    ) -> OwnPace:
        """Compute the margins of a budget. `times` has the least time in ms and in intervals for update, quiet and accept."""
        rate_per_ms = alarms_per_reading(budget_per_sensor_day, 1.0) * stride / 1000.0
        (update_ms, update), (quiet_ms, quiet), (accept_ms, accept) = (times[name] for name in ("update", "quiet", "accept"))
        margins = [calibration.margins(rate) for rate in (rate_per_ms * _INTERVALS_MS).tolist()]
        single, sustained = np.array([(one.single, one.sustained) for one in margins]).T
        return cls(_INTERVALS_MS, single, sustained, rate_per_ms, update, quiet, accept, update_ms, quiet_ms, accept_ms)


@dataclass(frozen=True, slots=True)
class SensorTimes:
    """The times of G sensors, in milliseconds."""

    update_ms: Float64Array | int
    quiet_ms: Float64Array | int
    accept_ms: Float64Array | int


@dataclass(frozen=True, slots=True)
class DecisionRules:
    """Everything a decision depends on besides the state and the errors. M members, S sensors known to the model."""

    margin: float  # a reading is anomalous when its surprise exceeds the typical one by more than this; see `pace`
    typical: float
    tails: Tails
    weights: Float64Array  # [M]
    starts: Float64Array  # [S + 1, M] initial levels of the sensors; the last row is for unknown sensors
    start_counts: Float64Array  # [S + 1] weight of an initial level, in readings; the larger, the slower it moves
    update_ms: int
    quiet_ms: int
    accept_ms: int
    model_tag: int  # identifies the model whose errors the levels describe
    rate: float = 0.0  # accepted incidents per scored reading; see `pace`
    governor: Governor | None = None  # None: the margin is the same for all
    sustained_margin: float = NEVER  # the same of the running mean of the surprise (sustained.py); see `pace`
    sustained_cap: float = 0.0  # excess over the typical surprise that counts at most in the running mean
    level_memory_count: float = LEVEL_MEMORY_COUNT  # weight limit of a level's history, in readings: older ones fade
    level_shift_limit: float = 0.7  # furthest a level may move from its initial value (0.7: a factor of 2 in error)
    provisional_shift_limit: float = 2.0  # the same limit for a sensor that the model does not know
    start_rise_limit: float = 6.0  # how far above the fleet's such a sensor's levels may start (6: an error of 400 times)
    level_step_limit: float = 1.0  # a single reading counts as at most this far above or below the level
    memory_share: float = USUAL_MEMORY_SHARE  # of a new surprise in the memory: a running mean over about 64 readings
    ready_count: float = 128.0  # readings behind its levels from which a sensor is no longer provisional
    usual_spread: tuple[float, float] = (0.05, 1.5)  # a level is learnt again from windows with so many usual deviations
    rules_version: str = ""  # hash of the settings that affect decisions, as published in events
    budget_per_sensor_day: float = 0.0  # accepted false alarms per sensor and day; the margin follows from it
    pace: OwnPace | None = None  # margin and times of a sensor whose interval is known; the fields above are the model's
    healthy_range: HealthyRange | None = None  # None: not known
    findings: RuleConfig | None = None  # of the rules that need no model; None: there are none
    partial: PartialTable | None = None  # of windows with few rows; None: these are not scored
    own: OwnTails | None = None  # with which each sensor learns its own tails; None: the model's hold for all
    resolution: BudgetResolution | None = None  # how well the budget is known to be kept; None: there is no model

    @classmethod
    def of(
        cls,
        calibration: Calibration,
        alarms_per_reading: float,
        *,
        update_ms: int,
        quiet_ms: int,
        accept_ms: int,
        model_tag: int,
    ) -> DecisionRules:
        """Derive the rules from a model's calibration and a budget."""
        margins = calibration.margins(alarms_per_reading)
        return cls(
            margin=margins.single,
            sustained_margin=margins.sustained,
            sustained_cap=CAP_STARTS * calibration.tail_start,
            typical=calibration.typical,
            tails=calibration.tails,
            weights=calibration.weights,
            starts=calibration.start_levels(),
            # The levels of a known sensor move slowly from its first reading, so they do not learn an early fault.
            start_counts=np.append(np.full(len(calibration.sensors), LEVEL_MEMORY_COUNT), calibration.prior_count),
            update_ms=update_ms,
            quiet_ms=quiet_ms,
            accept_ms=accept_ms,
            model_tag=model_tag,
            rate=alarms_per_reading,
            partial=calibration.partial.by_rows() if calibration.partial else None,
            own=calibration.own,
            memory_share=MEMORY_SHARE if calibration.own else USUAL_MEMORY_SHARE,
        )

    def margins(self, interval_ms: Float32Array) -> Float64Array | float:
        """Return the margin at readings of sensors with these intervals [N], 0 if not known."""
        if self.pace is None:
            return self.margin
        return np.where(interval_ms > 0, np.interp(interval_ms, self.pace.intervals_ms, self.pace.margins), self.margin)

    def sustained_margins(self, interval_ms: Float32Array) -> Float64Array | float:
        """Return the margin of the running mean at readings of sensors with these intervals [N], 0 if not known."""
        if self.pace is None:
            return self.sustained_margin
        of_pace = np.interp(interval_ms, self.pace.intervals_ms, self.pace.sustained_margins)
        return np.where(interval_ms > 0, of_pace, self.sustained_margin)

    def rates(self, interval_ms: Float32Array) -> Float64Array | float:
        """Return the accepted incidents per scored reading of sensors with these intervals [N], 0 if not known."""
        if self.pace is None:
            return self.rate
        return np.where(interval_ms > 0, self.pace.rate_per_ms * interval_ms.astype(np.float64), self.rate)

    def times(self, interval_ms: Float32Array) -> SensorTimes:
        """Return the times for sensors with these intervals [G], 0 if not known."""
        pace = self.pace
        if pace is None:
            return SensorTimes(self.update_ms, self.quiet_ms, self.accept_ms)
        known, interval = interval_ms > 0, interval_ms.astype(np.float64)
        return SensorTimes(
            np.where(known, np.maximum(pace.update_ms, pace.update_intervals * interval), self.update_ms),
            np.where(known, np.maximum(pace.quiet_ms, pace.quiet_intervals * interval), self.quiet_ms),
            np.where(known, np.maximum(pace.accept_ms, pace.accept_intervals * interval), self.accept_ms),
        )

    def beyond(self, values: FloatArray, scales: Scales, table_rows: Int32Array) -> Beyond | None:
        """Return how far each reading, values [N, F], lies beyond what healthy data show; None: not known."""
        if self.healthy_range is None:
            return None
        return Beyond.of(self.healthy_range.widths_beyond(values, scales, table_rows))

    def is_ready(self, table_rows: Int32Array, level_count: Float64Array, is_scale_learned: BoolArray) -> BoolArray:
        """Return for sensors [N] whether scale and levels rest on enough of the sensor's readings, in training or since."""
        has_level = level_count >= min(self.ready_count, self.level_memory_count)
        return np.asarray((table_rows != UNKNOWN) | (is_scale_learned & has_level))
