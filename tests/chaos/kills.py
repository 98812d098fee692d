"""Rounds in which processes are killed, suspended, shut down and restarted: at every step, at any time, with another model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from random import Random

from tests.chaos.checker import Leniency
from tests.chaos.feed import with_several_readings, with_single_features
from tests.chaos.round import Places, Round, RoundResult, Shape
from tests.integration.replica_process import Life
from tests.integration.worker import STEPS, Fate, Setup

#: A life whose step does not come ends anywhere after so long.
LIFE_SECONDS = 5.0


def fates(chance: Random, count: int, signal: str = "SIGKILL", steps: Sequence[str] = STEPS) -> list[Fate]:
    """Return this many fates: all steps equally often, early or late in a life; some during a restoration."""
    drawn = [steps[number % len(steps)] for number in range(count)]
    chance.shuffle(drawn)
    return [_fate(chance, step, signal) for step in drawn]


def _fate(chance: Random, step: str, signal: str) -> Fate:
    if step == "restoring":
        # Something must be left to restore: the store stops to follow, and the next life of the place dies restoring.
        return Fate("polled", chance.randint(3, 6), signal, restoring=chance.randint(1, 4), persists=chance.randint(0, 3))
    return Fate(step, chance.choice((1, 2, 3, 5, 8)), signal, restoring=chance.choice((0, 0, 3, 6)))


def assembled(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Kill processes at every step while readings are assembled of messages of a feature each."""
    with Round(name, places, setup, make_records=with_single_features) as one:
        spent = one.live([Life(fate, setup, LIFE_SECONDS) for fate in fates(chance, count)])
        return one.check(spent, "kills", "kill -9 while readings are assembled")


def several(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Kill processes at every step while records hold several readings, and parts that are none."""
    with Round(name, places, setup, make_records=with_several_readings) as one:
        spent = one.live([Life(fate, setup, LIFE_SECONDS) for fate in fates(chance, count)])
        return one.check(spent, "kills", "kill -9, several readings in a record")


def assembled_churn(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Make replicas join and leave gracefully while readings are assembled."""
    lives = [Life(setup=setup, seconds=chance.uniform(0.5, 3.0), leaves=True) for _ in range(count)]
    with Round(name, places, setup, Shape(replicas=4), make_records=with_single_features) as one:
        return one.check(one.live(lives), "departures", "replicas join and leave while readings are assembled")


def kills(name: str, places: Places, chance: Random, count: int, setup: Setup, *, steps: Sequence[str] = STEPS) -> RoundResult:
    """Kill processes at every step, or at the given ones."""
    with Round(name, places, setup) as one:
        spent = one.live([Life(fate, setup, LIFE_SECONDS) for fate in fates(chance, count, steps=steps)])
        return one.check(spent, "kills", "kill -9 at every step")


def pauses(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Suspend processes beyond the session and transaction time-outs. They continue as zombies and are killed later."""
    with Round(name, places, setup) as one:
        spent = one.live([Life(fate, setup, 2 * LIFE_SECONDS) for fate in fates(chance, count, "SIGSTOP")])
        return one.check(spent, "pauses", "SIGSTOP beyond session and transaction, resumed")


def churn(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Make replicas join and leave gracefully all the time."""
    lives = [Life(setup=setup, seconds=chance.uniform(0.5, 3.0), leaves=True) for _ in range(count)]
    with Round(name, places, setup, Shape(replicas=4)) as one:
        return one.check(one.live(lives), "departures", "replicas join and leave all the time")


def clocks(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Kill processes whose wall clocks jump back and forth by hours, and whose monotonic clock leaps."""
    lives = [
        Life(fate, Setup(setup.plant, clock_seed=chance.randrange(1 << 30)), LIFE_SECONDS) for fate in fates(chance, count)
    ]
    with Round(name, places, setup) as one:
        return one.check(one.live(lives), "kills", "clocks jump by hours, and kill -9")


def rollout(name: str, places: Places, chance: Random, count: int, setup: Setup) -> RoundResult:
    """Replace the replicas gracefully, one by one, with replicas of another model; repeat."""
    with Round(name, places, setup) as one:
        one.run_quietly()
        one.await_caught_up()
        for restart in range(count):
            replica = one.replicas[restart % len(one.replicas)]
            version = f"v{2 + restart // len(one.replicas) % 2}"
            code = replica.stop()
            if code != 0:
                one.crashes.append(f"exit code {code}")
            replica.start(life=Life(setup=Setup(setup.plant, version), seconds=float("inf")))
            one.await_caught_up()
            time.sleep(chance.uniform(0.2, 1.5))
        return one.check(count, "restarts", "rolling restart to another model")


def lost_with_kills(name: str, places: Places, count: int, setup: Setup, lose_all: Callable[[], object]) -> RoundResult:
    """Kill all processes and erase the store: windows are rebuilt from the log, levels start over."""
    with Round(name, places, setup) as one:
        one.run_quietly()
        one.await_caught_up()
        for _ in range(count):
            for replica in one.replicas:
                replica.kill()
            lose_all()
            one.run_quietly()
            one.await_caught_up()
            time.sleep(1.0)
        return one.check(count, "losses", "all processes killed, all of Redis lost", Leniency(levels=True))
