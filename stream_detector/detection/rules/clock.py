"""The rule about clocks that jump: a sensor dates its readings apart from what it did before, and is right again."""

from __future__ import annotations

import numpy as np

from stream_detector.detection.rules.batch import RuleBatch
from stream_detector.detection.rules.incidents import Finding
from stream_detector.detection.transition import CLOCK, CLOCK_RIGHT
from stream_detector.timestamps import duration


def clock(batch: RuleBatch, features: tuple[str, ...]) -> Finding:
    """Find sensors whose clocks are wrong, until they are right. A further jump is an update."""
    ahead_ms, jump_ms = batch.appended.clock_ms, batch.appended.jump_ms
    applies = np.zeros(batch.values.shape, np.bool_)
    applies[:, 0] = ahead_ms != 0  # that of the sensor, not of a feature

    def describe(position: int, involved: list[int]) -> str:  # noqa: ARG001 - it is not about features
        reading = int(batch.appended.reading[position])
        stamps_ms, ahead = batch.readings.stamps_ms, int(ahead_ms[position])
        reference = "its records" if stamps_ms is not None and int(stamps_ms[reading]) >= 0 else "what it was"
        side = "ahead of" if ahead > 0 else "behind"
        return f"The clock of {batch.readings.sensors[reading]} is {duration(abs(ahead) / 1000.0)} {side} {reference}"

    def ended(position: int, involved: list[int], calm: int) -> str:  # noqa: ARG001 - the clock was wrong meanwhile
        sensor, jump = batch.readings.sensors[int(batch.appended.reading[position])], int(jump_ms[position])
        went = f": it went {'on' if jump > 0 else 'back'} by {duration(abs(jump) / 1000.0)}" if jump else ""
        return f"The clock of {sensor} is right again{went}"

    return Finding(
        CLOCK,
        features,
        applies,
        lambda *_: 0,
        describe,
        ended,
        most_quiet=1,
        reason=CLOCK_RIGHT,
        is_about_features=False,
        changes=jump_ms != 0,
        judges_idle=True,
    )
