"""Measures what topics of other tools cost besides scoring: decoding, assembling messages of a feature each, re-keying."""

from __future__ import annotations

from tests.benchmarks import bench_assembling, bench_formats, bench_rekey
from tests.benchmarks.performance.figures import AT_MOST, NEITHER, Figure, Places, RunSize

PART = "foreign topics"
MOST_OF_NATIVE, MOST_US_A_MESSAGE = 3.0, 5.0
FLEETS = ((10, 3), (1000, 8), (1000, 40))


def measure(places: Places, size: RunSize) -> list[Figure]:
    """Return the cost of decoding over that of native records, of a message, and of a re-keyed reading."""
    rounds = size.choose(quick=15, full=bench_formats.ROUNDS)
    batches = size.choose(quick=20, full=bench_assembling.BATCHES)
    readings = size.choose(quick=60_000, full=100_000)
    rekeying = bench_rekey.measure(places.kafka.brokers, readings)
    return [
        *_decoding(rounds),
        *(_assembling(sensors, features, batches) for sensors, features in FLEETS),
        Figure(PART, "re-keying, the best 5 seconds", rekeying.readings_per_second, "readings/s"),
        Figure(PART, "re-keying, the start included", rekeying.cpu_us, "us of CPU a reading"),
    ]


def _decoding(rounds: int) -> list[Figure]:
    costs = bench_formats.costs(rounds)
    goal = (AT_MOST, MOST_OF_NATIVE)
    native = costs["flat"].native
    return [
        Figure(PART, "decoding, native, one reading of two values", native, "us of CPU a reading", better=NEITHER),
        *(Figure(PART, f"decoding over native, {name}", cost.ratio, "ratio", goal=goal) for name, cost in costs.items()),
    ]


def _assembling(sensors: int, features: int, batches: int) -> Figure:
    cost, _ = bench_assembling.measure(sensors, features, batches=batches)
    name = f"assembling, {sensors:,} sensors of {features} features"
    return Figure(PART, name, cost, "us of CPU a message", goal=(AT_MOST, MOST_US_A_MESSAGE))
