"""Measures CPU use and event latency at the given loads.

    python -m tests.benchmarks.bench_load 200 1000 6000 [--seconds 12] [--set SERVICE__TARGET_LATENCY_SECONDS=0 ...]

The service is that of the benchmark's part "latency", with its fleet of 1,000 sensors, 12 of them far off, on a Kafka and a
Valkey of its own. The loads are made one after the other; the first also warms the broker up, so give one more than is asked.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.performance.figures import Places
from tests.benchmarks.performance.latency import SETTLE_SECONDS, Rig, percentiles
from tests.benchmarks.performance.models import SMALL, trained_model
from tests.benchmarks.performance.processes import in_a_process


def carry(rig: Rig, readings_per_second: float, seconds: float) -> None:
    """Produce a load; print the cores in use, and the latencies of events and of a plain client."""
    cpu, began = rig.cpu_seconds(), time.perf_counter()
    heard = rig.carry(readings_per_second, seconds)
    elapsed, readings = time.perf_counter() - began, readings_per_second * (seconds + SETTLE_SECONDS)
    used = {name: after - cpu[name] for name, after in rig.cpu_seconds().items()}
    (event_p50, event_p99), (floor_p50, floor_p99) = percentiles(heard.events), percentiles(heard.floor)
    print(
        f"{readings_per_second:8,.0f} readings/s  reading to event p50 {event_p50:5.0f} p99 {event_p99:5.0f} ms, "
        f"to a plain client {floor_p50:3.0f} {floor_p99:3.0f} ms  CPU: "
        + ", ".join(f"{name} {1e6 * spent / readings:,.0f} us a reading" for name, spent in used.items())
        + f"  ({elapsed:.0f} s)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.bench_load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("loads", nargs="+", type=float, help="readings a second, one load after the other")
    parser.add_argument("--seconds", type=float, default=12.0, help="of each load that counts (default: %(default)s)")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings, without STREAM_DETECTOR_")
    parser.add_argument("--models", type=Path, metavar="DIR", help="keep the trained model here, and use the one that is here")
    options = parser.parse_args()
    settings = dict(setting.split("=", 1) for setting in options.set)
    with tempfile.TemporaryDirectory(prefix="stream-detector-load-") as name, ExitStack() as parts:
        models = options.models or Path(name) / "models"
        model = in_a_process(trained_model, models, *SMALL)
        rig = Rig(Places(Path(name), models, parts), model, SMALL[1], parts, **settings)
        rig.warm_up(SMALL[0])
        for load in options.loads:
            carry(rig, load, options.seconds)


if __name__ == "__main__":
    main()
