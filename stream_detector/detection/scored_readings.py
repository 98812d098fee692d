"""What the decision folds: scored readings; and what it says about each of them."""

from __future__ import annotations

from dataclasses import dataclass

from stream_detector.detection.acceptance import Acceptance
from stream_detector.detection.departure import Beyond
from stream_detector.detection.silence_watch import Returns
from stream_detector.detection.transition import Transition
from stream_detector.readings import BoolArray, Float32Array, Float64Array, Int64Array


@dataclass(frozen=True, slots=True)
class ScoredReadings:
    """Accepted readings [N] with the log errors of M members; the readings of a group are in log order."""

    groups: Int64Array  # [N] position of the sensor's header
    ranks: Int64Array  # [N] 0, 1, 2... within the group
    times_ms: Int64Array  # [N]
    places: Int64Array  # [N]
    errors: Float32Array  # [N, M] NaN: not scored
    wanted: BoolArray  # [N] the stride selects it for scoring
    scorable: BoolArray  # [N] the window is full, or has rows enough (partial_windows.py)
    interval_ms: Float32Array  # [N] the sensor's usual time between readings; 0: not known
    jump_ms: Int64Array  # [N] by how much the sensor's clock jumped forwards at this reading
    returns: Returns | None = None  # which readings [N] end a silence; None: none does
    beyond: Beyond | None = None  # how far the readings [N] are beyond what healthy data show; None: not known
    settling: BoolArray | None = None  # [N] the sensor's scale still moves (settling.py); None: no scale does
    rows: Int64Array | None = None  # [N] of the window that belong together; None: all windows are full
    idle: BoolArray | None = None  # [N] outside of the state in which the model learned; None: none is


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions on N accepted readings."""

    scores: Float64Array  # [N] NaN: not scored
    thresholds: Float64Array  # [N] on the scale of the score
    anomalous: BoolArray  # [N]
    surprises: Float64Array  # [N, M] weighted surprises of the members: with that of the range they sum to that of the reading
    factors: Float64Array  # [N] of the margin (governor.py)
    level_counts: Float64Array  # [N] readings behind the levels as of this reading
    needed: BoolArray  # [N] readings whose errors the fold needed, provided or not
    holding: BoolArray  # [N] readings that hold an incident open, if one is open; all anomalous ones do
    held_above: Float64Array  # [N] on the scale of the score: what is above it holds an incident open
    transitions: list[Transition]  # by position
    acceptances: list[Acceptance]  # in each group by position
    beyond: Beyond | None = None  # as in the readings

    def beyond_at(self, position: int) -> tuple[float, int]:
        """Return the surprise of the range of a reading, and the feature that is beyond it."""
        if self.beyond is None:
            return 0.0, 0
        return float(self.beyond.surprise[position]), int(self.beyond.feature[position])
