"""Judges cases in several processes, and keeps each result as soon as it is there."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from stream_detector.settings.schema import Settings
from stream_detector.settings.sources import load_settings
from tests.judge.cases import CaseRef
from tests.judge.results import FORMAT, Result, save

#: A process is replaced after so many cases, since TensorFlow keeps what it compiled.
CASES_PER_PROCESS = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same for all cases of a run."""

    directory: Path  # of the results
    version: str
    train_options: str = ""


#: Judges one case, in another process.
Judge = Callable[[CaseRef, Plan], Result]


def processes(jobs: int) -> Executor:
    """Return a pool of processes of their own."""
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), max_tasks_per_child=CASES_PER_PROCESS)


def run(refs: Sequence[CaseRef], plan: Plan, judge: Judge, pool: Executor, say: Callable[[str], None]) -> None:
    """Judge the cases; what is done stays if one fails or the run is interrupted."""
    coming = [pool.submit(judge, ref, plan) for ref in refs]
    try:
        for number, done in enumerate(as_completed(coming), 1):
            say(f"{number}/{len(refs)} {_line(done.result())}")
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def judge_case(ref: CaseRef, plan: Plan) -> Result:
    """Judge a case and keep the result; what the product refuses is a result with an error."""
    from tests.judge.measures import measure
    from tests.judge.product import RefusedError, run_product

    settings: Settings = load_settings(None, None)
    result: Result = {"format": FORMAT, "family": ref.family, "name": ref.name, "version": plan.version, "error": None}
    started, used = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory(prefix="judge-") as directory:
        try:
            case = ref.load(ref)
            outcome = run_product(case, settings, Path(directory), plan.train_options)
            result |= {"members": list(outcome.members), "sensors": measure(case, outcome), "seconds": outcome.seconds}
            result["seconds"] |= {"all": _since(started, time.monotonic()), "processor": _since(used, time.process_time())}
        except RefusedError as error:
            result |= {"error": str(error), "members": [], "sensors": [], "seconds": {}}
    save(plan.directory, ref, result)
    return result


def _since(start: float, now: float) -> float:
    return round(now - start, 1)


def _line(result: Result) -> str:
    """Return one line on a result, to follow a run by."""
    what = f"{result['family']} {result['name']}:"
    if result["error"]:
        return f"{what} {result['error']}"
    ranked = [one["ranking"]["product"]["vus_pr"] for one in result["sensors"] if one["ranking"]["product"]]
    vus = f"VUS-PR {sum(ranked) / len(ranked):.3f}, " if ranked else ""
    false = sum(one["alarms"]["default"]["false_incidents"] for one in result["sensors"])
    return f"{what} {vus}{false} false incidents, {result['seconds']['all']:.0f} s"
