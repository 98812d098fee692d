"""Runs the service for an hour at half of the machine's capacity: does it leak memory, does it fall behind?

    python -m tests.benchmarks.soak [--minutes 60] [--load 0.5 | --rate 500] [--sensors 1000]

Kafka and Valkey are started for it, a small model is trained, `stream-detector run` is a process of its own. First it works
off a backlog: how fast, is what the machine can do. Then readings come at `load` times that rate, or at `--rate`, with faults,
bad records, and sensors that come and go; the process is looked at every few seconds. Prints a table, writes
build/soak.json, and ends with exit code 1 when a goal was missed. The load comes from one Python process, and so is 3000
readings/s at most unless `--rate` says otherwise; the output names it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.soak_run import Seen, Soak, run_soak
from tests.benchmarks.soak_verdict import Finding, column, judge, table, trend
from tests.fixtures_model import FEATURES, WINDOW_LENGTH, tiny_dataset
from tests.servers.kafka import running_kafka
from tests.servers.valkey import running_valkey

REPORT = Path(__file__).resolve().parents[2] / "build" / "soak.json"


def train_model(directory: Path) -> None:
    """Train a small model and save it."""
    from stream_detector.model.artifact import NetworkSpec
    from stream_detector.model_store.model_directory import save_artifact
    from stream_detector.training.plot import draw_training
    from stream_detector.training.preparation import TrainingConfig, prepare
    from stream_detector.training.trainer import train

    config = TrainingConfig(name="soak", window_length=WINDOW_LENGTH, network=NetworkSpec(units=16), steps=300, batch_size=64)
    training = train(prepare(tiny_dataset(8), config), lambda *_: None)
    save_artifact(training.artifact, directory, draw_training(training.losses, training.example, FEATURES))


def report(seen: Seen, soak: Soak, findings: list[Finding]) -> dict[str, Any]:
    """Return the complete result, for a file."""
    steady = [sample for sample in seen.samples if sample.at_seconds >= soak.warm_up_seconds]
    seconds, cpu = column(steady, "at_seconds"), column(steady, "cpu_seconds")
    numbers = {name: value for name, value in asdict(seen).items() if name not in ("samples", "opened_after_seconds")}
    return {
        "soak": asdict(soak),
        **numbers,
        "cpu_share": trend(seconds, cpu).per_hour / 3600,
        "opened_after_seconds": dict(zip(("p50", "p90", "p99", "max"), percentiles(seen.opened_after_seconds), strict=True)),
        "findings": [asdict(finding) for finding in findings],
        "samples": [asdict(sample) for sample in seen.samples],
    }


def percentiles(values: list[float]) -> list[float | None]:
    """Return the 50 %, 90 % and 99 % quantiles and the largest value; empty without values."""
    return [float(np.percentile(values, share)) for share in (50, 90, 99, 100)] if values else [None] * 4


def parse(arguments: list[str] | None = None) -> Soak:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="how long the load lasts (default: %(default)s)")
    parser.add_argument("--warm-up", type=float, default=10.0, help="minutes of it that do not count (default: %(default)s)")
    parser.add_argument("--load", type=float, default=0.5, help="share of what the machine can do (default: %(default)s)")
    parser.add_argument("--rate", type=float, help="readings per second, instead of --load")
    parser.add_argument("--sensors", type=int, default=1000, help="sensors that are always there (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.warm_up >= options.minutes:
        parser.error("--warm-up must be shorter than --minutes")
    return Soak(60 * options.minutes, 60 * options.warm_up, options.load, options.rate, options.sensors)


def main() -> int:
    """Run the soak; return 1 if a goal was missed."""
    soak = parse()
    with tempfile.TemporaryDirectory(prefix="stream-detector-soak-") as name, ExitStack() as parts:
        directory = Path(name)
        train_model(directory / "model")
        kafka = parts.enter_context(running_kafka(directory))
        valkey = parts.enter_context(running_valkey(directory / "valkey"))
        seen = run_soak(soak, kafka.brokers, valkey.url, directory / "model", directory)
    findings = judge(seen.samples, soak.warm_up_seconds, seen.readings_per_second)
    REPORT.parent.mkdir(exist_ok=True)
    written = report(seen, soak, findings)
    REPORT.write_text(json.dumps(written, indent=1))
    print(table(findings))
    shown = (
        "capacity",
        "readings_per_second",
        "sent",
        "sent_bad",
        "counted",
        "statuses",
        "opened_after_seconds",
        "cpu_share",
        "exit_code",
    )
    print("\n".join(f"{name}: {written[name]}" for name in shown))
    return int(any(finding.is_missed for finding in findings) or seen.exit_code != 0)


if __name__ == "__main__":
    sys.exit(main())
