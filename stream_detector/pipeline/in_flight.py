"""What is left of a batch when partitions of it were given away while it was scored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from stream_detector.detection.decision import Decisions
from stream_detector.detection.detector import Detected
from stream_detector.readings import BoolArray, Decoded, Readings
from stream_detector.state.windows import Appended


def without(lost: Collection[int], decoded: Decoded, detected: Detected) -> tuple[Decoded, Detected]:
    """Return a batch without the readings and rejections of some partitions: as if it had never had them."""
    readings, appended = decoded.readings, detected.appended
    is_kept = ~np.isin(readings.partitions, list(lost))
    is_accepted = is_kept[appended.reading]  # of the accepted readings, those that are kept
    kept = Readings(
        [sensor for sensor, keeps in zip(readings.sensors, is_kept.tolist(), strict=True) if keeps],
        readings.partitions[is_kept],
        readings.offsets[is_kept],
        readings.times_ms[is_kept],
        readings.values[is_kept],
    )
    rejected = [one for one in decoded.rejected if one.record.partition not in lost]
    decisions = None if detected.decisions is None else _decisions(detected.decisions, is_accepted)
    return Decoded(kept, rejected), Detected(
        _appended(appended, is_kept, is_accepted),
        detected.scales.take(is_accepted),
        0 if decisions is None else int((~np.isnan(decisions.scores)).sum()),
        decisions,
    )


def _appended(appended: Appended, is_kept: BoolArray, is_accepted: BoolArray) -> Appended:
    filled, count = appended.filled[is_accepted], appended.count[is_accepted]
    return replace(
        appended,
        reading=(np.cumsum(is_kept) - 1)[appended.reading[is_accepted]],
        slot=appended.slot[is_accepted],
        rank=appended.rank[is_accepted],
        filled=filled,
        count=count,
        times_ms=appended.times_ms[is_accepted],
        window_start=appended.window_start[is_accepted],
        late=int(is_kept.sum() - is_accepted.sum()),
        restarted=int(((filled == 1) & (count > 1)).sum()),
    )


def _decisions(decisions: Decisions, is_accepted: BoolArray) -> Decisions:
    place = np.cumsum(is_accepted) - 1
    return Decisions(
        scores=decisions.scores[is_accepted],
        thresholds=decisions.thresholds[is_accepted],
        anomalous=decisions.anomalous[is_accepted],
        surprises=decisions.surprises[is_accepted],
        level_counts=decisions.level_counts[is_accepted],
        needed=decisions.needed[is_accepted],
        transitions=[
            replace(one, position=int(place[one.position])) for one in decisions.transitions if is_accepted[one.position]
        ],
    )
