"""What a sensor's record keeps while messages of single features are assembled into readings: its pending bucket.

Records have it only where readings are assembled (assembling.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: The bucket of a sensor of which no message came yet, and the time of a feature without a value.
NO_BUCKET = -1
NO_TIME = -(1 << 43)
#: Bits of a pending bucket: every feature that stands spoke in it; a message came after that; it is complete.
FULL, FOLLOWED, DONE = 1, 2, 4
#: So many buckets in a row without a message after a full set say that the next one has none either.
ENOUGH_PUNCTUAL = 8

BucketStates = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Assembly:
    """How messages become readings."""

    bucket_ms: int  # one reading per so much event time
    hold_ms: int  # a value stands for so long if its feature sends nothing new
    enough_punctual: int = ENOUGH_PUNCTUAL


def bucket_dtype(features: int) -> np.dtype[np.void]:
    """Return the layout of a sensor's pending bucket."""
    return np.dtype(
        [
            ("bucket", "<i8"),  # its number: event time in milliseconds / bucket_ms; or NO_BUCKET
            ("newest_ms", "<i8"),  # newest event time of a message
            ("stamp_ms", "<i8"),  # time of the newest record that was not late; -1: it had none
            ("late_bucket", "<i8"),  # bucket_clock.py: of the newest late message since the last one in time
            ("late_time_ms", "<i8"),  # of the first message of that bucket
            ("late_stamp_ms", "<i8"),  # time of its record
            ("late_run", "<u2"),  # orderly late buckets
            ("late_live", "<u2"),  # those whose records came as far apart
            ("is_set_back", "<u2"),  # the pending bucket is the first on a clock that was set back
            ("punctual", "u1"),  # early_buckets.py: buckets in a row without a message after a full set
            ("stage", "u1"),  # early_buckets.py: FULL, FOLLOWED and DONE of the pending bucket
            ("values", "<f8", (features,)),  # newest value of each feature; NaN: none that still stands, or it was null
            ("times_ms", "<i8", (features,)),  # when it was measured, or the sender said null; or NO_TIME
        ]
    )


def newest_message_ms(states: BucketStates) -> int:
    """Return the newest event time of a message to any of these sensors, or the time of its record if that is earlier."""
    times_ms, stamps_ms = states["newest_ms"], states["stamp_ms"]
    return int(np.where(stamps_ms > 0, np.minimum(times_ms, stamps_ms), times_ms).max(initial=NO_BUCKET))


def clear_buckets(states: BucketStates) -> None:
    """Make these the states of sensors of which no message came yet, in place."""
    states["bucket"] = states["newest_ms"] = states["stamp_ms"] = NO_BUCKET
    states["values"] = np.nan
    states["times_ms"] = NO_TIME
