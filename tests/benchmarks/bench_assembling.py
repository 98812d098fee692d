"""Measures what it costs to assemble messages of one feature each into readings, and how long readings wait.

The cost is compared with that of appending as many readings; the wait is that of a scanned machine, simulated.

python -m tests.benchmarks.bench_assembling
"""

from __future__ import annotations

import time

import numpy as np

from stream_detector.readings import Int32Array, Readings
from stream_detector.state.assembling import assemble
from stream_detector.state.bucket_state import ENOUGH_PUNCTUAL, Assembly
from stream_detector.state.record_layout import new_records
from stream_detector.state.windows import append

START_MS, LENGTH, BATCH, BUCKET_MS, BATCHES = 1_700_000_000_000, 64, 4096, 1000, 60


def messages(number: int, sensors: int, features: int, *, late: bool) -> tuple[Int32Array, Readings]:
    """Return the slots and messages of a batch: all features of all sensors in turn, one a message, a bucket a turn."""
    place = number * BATCH + np.arange(BATCH, dtype=np.int64)
    turn, of_turn = np.divmod(place, sensors * features)
    slots, feature = (of_turn // features).astype(np.int32), of_turn % features
    values = np.full((BATCH, features), np.nan)
    values[np.arange(BATCH), feature] = np.random.default_rng(number).normal(size=BATCH)
    times_ms = START_MS + BUCKET_MS * turn + feature
    if late:
        times_ms[::97] -= 5 * BUCKET_MS
    names = [f"s{slot}" for slot in slots.tolist()]
    return slots, Readings(names, np.zeros(BATCH, np.int32), place, times_ms, values, times_ms + 5)


def measure(sensors: int, features: int, *, late: bool = False, batches: int = BATCHES) -> tuple[float, float]:
    """Return the microseconds a message of assembling, and of appending the messages themselves."""
    plain = new_records(sensors, LENGTH, features, 1)
    records = new_records(sensors, LENGTH, features, 1, assembles=True)
    assembling, appending = [], []
    for number in range(batches):
        slots, batch = messages(number, sensors, features, late=late)
        began = time.process_time()
        assemble(records["assembly"][:, 0], slots, batch, Assembly(BUCKET_MS, 60 * BUCKET_MS), LENGTH)
        assembling.append(time.process_time() - began)
        began = time.process_time()
        append(plain, slots, batch, None)
        appending.append(time.process_time() - began)
    return 1e6 * float(np.median(assembling)) / BATCH, 1e6 * float(np.median(appending)) / BATCH


def wait_seconds(jitter_ms: float, enough_punctual: int, scans: int = 400, features: int = 8) -> float:
    """Return the mean time from a bucket's last message to the one that completes it, for scans of 10 s, one a bucket."""
    bucket_ms, chance = 10_000, np.random.default_rng(1)
    start_ms = START_MS // bucket_ms * bucket_ms + 2000
    at = start_ms + bucket_ms * np.arange(scans)[:, None] + 20 * np.arange(features)
    times_ms = (at + chance.normal(0, 1, at.shape) * jitter_ms).astype(np.int64).ravel()
    order = np.argsort(times_ms, kind="stable")
    values = np.full((len(order), features), np.nan)
    values[np.arange(len(order)), order % features] = 1.0
    slots, offsets, times_ms = np.zeros(len(order), np.int32), np.arange(len(order)), times_ms[order]
    sent = Readings(["s"] * len(order), slots, offsets, times_ms, values, times_ms)
    states = new_records(1, LENGTH, features, 1, assembles=True)["assembly"][:, 0]
    made = assemble(states, slots, sent, Assembly(bucket_ms, 60 * bucket_ms, enough_punctual), LENGTH).readings
    last_ms = times_ms[np.searchsorted(times_ms, made.times_ms) - 1]
    return float((times_ms[made.places] - last_ms).mean()) / 1000.0


def main() -> None:
    """Print a line for each fleet."""
    for jitter_ms in (0.0, 600.0):
        waits = [wait_seconds(jitter_ms, enough) for enough in (10**6, ENOUGH_PUNCTUAL)]
        text = "a scan of 10 s waits {:.2f} s for the next bucket, {:.2f} s where its end is known"
        print(f"jitter {jitter_ms:.0f} ms: {text.format(*waits)}")
    for sensors, features in ((10, 3), (100, 8), (1000, 8), (4096, 8), (100, 40), (1000, 40)):
        assembled, appended = measure(sensors, features)
        late, _ = measure(sensors, features, late=True)
        text = f"{sensors} sensors, {features} features: {assembled:.2f} us a message ({late:.2f} with late ones)"
        print(f"{text}; append itself {appended:.2f}")


if __name__ == "__main__":
    main()
