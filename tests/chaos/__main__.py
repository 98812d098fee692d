"""The chaos campaign as a command: `python -m tests.chaos --seed 7`, or `make chaos`.

Prints a table, writes build/chaos.json, and exits with 1 if anything is missing, doubled or wrong. The schedule of faults
follows from the seed; where in the stream they fall depends on the machine's speed as well.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from random import Random

from kafka.errors import KafkaError

from tests.chaos.campaign_servers import CampaignServers
from tests.chaos.catalogue import Entry, catalogue
from tests.chaos.report import as_json, merged, steps_line, table
from tests.chaos.round import RoundResult, failed
from tests.servers.processes import ServerStartError

PROJECT = Path(__file__).resolve().parents[2]


def run(entries: list[Entry], seed: int, scale: float, world: CampaignServers) -> Iterator[RoundResult]:
    """Run the faults in rounds, each as often as the scale demands; yield the result of each round."""
    for entry in entries:
        left, number = max(1, round(scale * entry.count)), 0
        while left > 0:
            count, number = min(left, entry.at_once), number + 1
            left -= count
            chance = Random(f"{seed}/{entry.name}/{number}")  # its own, so that an entry can be run alone
            try:
                yield entry.run(world, f"{entry.name}-{number}-{int(time.time())}", chance, count)
            except (AssertionError, KafkaError, ServerStartError):  # the rounds after it are run nevertheless
                yield failed(entry.name, traceback.format_exc())


def main() -> int:
    """Run the campaign; return the exit code."""
    options = _options()
    entries = [entry for entry in catalogue() if not options.only or entry.name in options.only]
    directory = Path(tempfile.mkdtemp(prefix="stream-detector-chaos-"))
    world = CampaignServers(directory)
    rows: list[RoundResult] = []
    try:
        for row in run(entries, options.seed, options.scale, world):
            rows.append(row)
            _tell(row)
    finally:
        world.close()
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps({"seed": options.seed, "rows": as_json(rows)}, indent=1))
    print(f"\n{table(merged(rows))}\n\nsteps: {steps_line(rows)}\nlogs: {directory}\n{options.report}")
    return 0 if rows and all(row.is_clean for row in rows) else 1


def _tell(row: RoundResult) -> None:
    verdict = "clean" if row.is_clean else "DEFECTS"
    print(f"{verdict}: {row.fault} ({row.plant}), {row.count} {row.unit}, {row.events} events, {row.seconds:.0f} s", flush=True)
    for text in (*row.findings.examples, *row.crashes):
        print(f"  {text}", flush=True)


def _options() -> argparse.Namespace:
    names = ", ".join(entry.name for entry in catalogue())
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=7, help="of the schedule (default: %(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="of how often each fault happens (default: %(default)s)")
    parser.add_argument("--only", nargs="*", default=[], metavar="FAULT", help=f"some of: {names}")
    parser.add_argument("--report", type=Path, default=PROJECT / "build" / "chaos.json", help="default: build/chaos.json")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
