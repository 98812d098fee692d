from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.service.collection import Amount, Enough, describe_collection, minutes_left

ENOUGH = Enough(readings=2_000, per_sensor=100)


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (Amount(312, 12, 60.3, 312), "collecting: 312 of 2,000 readings of 12 sensors, about 28 minutes"),
        (Amount(312, 40, 60.0, 312), "collecting: 312 of 4,000 readings of 40 sensors, about 62 minutes"),
        (Amount(1_990, 1, 20.0, 1_990), "collecting: 1,990 of 2,000 readings of 1 sensor, about 1 minute"),
        (Amount(2, 1, 1.0, 2), "collecting: 2 of 2,000 readings of 1 sensor, about 34 hours"),
        (Amount(2, 1, 0.1, 2), "collecting: 2 of 2,000 readings of 1 sensor, about 14 days"),
        (Amount(2, 2, 0.0, 2), "collecting: 2 of 2,000 readings of 2 sensors"),
        (Amount(0, 0, 0.0, 0), "collecting: 0 of 2,000 readings of 0 sensors"),
        (
            Amount(0, 0, 0.0, 70),
            "collecting: 0 of 2,000 readings of 0 sensors; none of the 70 records that were looked at is a reading",
        ),
    ],
)
def test_how_far_the_collection_is_in_words(amount: Amount, said: str) -> None:
    assert describe_collection(amount, ENOUGH) == said


@given(st.integers(0, 10**7), st.integers(0, 10**5), st.floats(0.001, 1e6))
def test_there_is_enough_exactly_when_no_minute_is_left(readings: int, sensors: int, per_minute: float) -> None:
    amount = Amount(readings, sensors, per_minute, readings)

    assert ENOUGH.is_met(amount) == (minutes_left(amount, ENOUGH) == 0)
