"""Judges cases in several processes, and keeps each result as soon as it is there."""

from __future__ import annotations

import multiprocessing
import os
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

#: Processes are replaced after so many cases each, since TensorFlow keeps what it compiled. Not by `max_tasks_per_child`: a
#: pool of Python 3.11 to 3.13 then stops for ever when its processes have had their share (cpython issue 115634).
CASES_PER_PROCESS = 8
#: One thread each, for TensorFlow and for NumPy: how an operation is split among threads decides the last bits of its result.
#: So a model depends neither on the number of processors nor on which case a process judged before. And processes that share
#: processors lose no time to threads that wait.
ONE_THREAD = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
#: The folder of the models beside the results.
MODELS = "models"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same for all cases of a run."""

    directory: Path  # of the results
    version: str
    train_options: str = ""
    models: Path | None = None  # results whose models are used again instead of training

    def kept_model(self, ref: CaseRef) -> Path:
        """Return where the model of a case is kept."""
        return self.directory / MODELS / ref.key

    def known_model(self, ref: CaseRef) -> Path | None:
        """Return a model that is used again, if there is one."""
        path = self.models / MODELS / ref.key if self.models else None
        return path if path and path.is_dir() else None


#: Judges one case, in another process.
Judge = Callable[[CaseRef, Plan], Result]


def processes(jobs: int) -> Executor:
    """Return a pool of processes of their own, which begin with the environment of this one and ONE_THREAD."""
    os.environ.update(ONE_THREAD)
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))


def run_all(refs: Sequence[CaseRef], plan: Plan, judge: Judge, jobs: int, say: Callable[[str], None]) -> int:
    """Judge the cases as `run` does, in pools of so many processes, one pool after the other."""
    failed, step = 0, jobs * CASES_PER_PROCESS
    for first in range(0, len(refs), step):
        with processes(jobs) as pool:
            failed += run(refs[first : first + step], plan, judge, pool, say, progress=(first, len(refs)))
    return failed


def run(
    refs: Sequence[CaseRef],
    plan: Plan,
    judge: Judge,
    pool: Executor,
    say: Callable[[str], None],
    *,
    progress: tuple[int, int] | None = None,
) -> int:
    """Judge the cases; what is done stays if one fails or the run is interrupted. Return how many failed by a defect.

    `progress`: how many cases were done before these, and how many there are in all.
    """
    before, count = progress or (0, len(refs))
    coming = {pool.submit(judge, ref, plan): ref.key for ref in refs}
    failed = 0
    try:
        for number, done in enumerate(as_completed(coming), before + 1):
            defect = done.exception()
            failed += defect is not None
            say(f"{number}/{count} {f'{coming[done]} failed: {defect!r}' if defect else _line(done.result())}")
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    return failed


def judge_case(ref: CaseRef, plan: Plan) -> Result:
    """Judge a case and keep the result; what the product refuses is a result with an error."""
    from tests.judge.product import RefusedError

    result: Result = {"format": FORMAT, "family": ref.family, "name": ref.name, "version": plan.version, "error": None}
    with tempfile.TemporaryDirectory(prefix="judge-") as directory:
        try:
            result |= _judged(ref, plan, Path(directory))
        except RefusedError as error:
            result |= {"error": str(error), "members": [], "sensors": [], "drill": {}, "seconds": {}}
    save(plan.directory, ref, result)
    return result


def _judged(ref: CaseRef, plan: Plan, directory: Path) -> Result:
    """Train, score, repeat the injected faults, and measure."""
    from tests.judge.measures import measure
    from tests.judge.product import Files, alerts_at_budgets, keep, open_scorer, score, train

    settings: Settings = load_settings(None, None)
    timing = _Timing()
    case = ref.load(ref)
    files = Files.write(case, directory, plan.train_options, plan.known_model(ref))
    if not plan.known_model(ref):
        train(files.options)
        keep(files.model, plan.kept_model(ref))
    timing.lap("train")
    from tests.judge.drills import drill_at_budgets  # imports TensorFlow: what is refused before is told quickly

    scorer = open_scorer(files, settings)
    outcome = score(files, scorer, settings)
    timing.lap("score")
    drill = drill_at_budgets(files.options, scorer, settings, alerts_at_budgets(settings))
    timing.lap("drill")
    sensors = measure(case, outcome)
    timing.lap("measure")
    return {"members": list(outcome.members), "sensors": sensors, "drill": drill, "seconds": timing.summary()}


class _Timing:
    """Measures the seconds of each step, and those of the processor in all."""

    def __init__(self) -> None:
        self._last, self._processor = time.monotonic(), time.process_time()
        self._seconds: dict[str, float] = {}

    def lap(self, step: str) -> None:
        """Record the time since the last lap."""
        now = time.monotonic()
        self._seconds[step], self._last = round(now - self._last, 1), now

    def summary(self) -> dict[str, float]:
        """Return the seconds of each step, of all, and of the processor."""
        processor = round(time.process_time() - self._processor, 1)
        return {**self._seconds, "all": round(sum(self._seconds.values()), 1), "processor": processor}


def _line(result: Result) -> str:
    """Return one line on a result, to follow a run by."""
    what = f"{result['family']} {result['name']}:"
    if result["error"]:
        return f"{what} {result['error']}"
    ranked = [one["ranking"]["product"]["vus_pr"] for one in result["sensors"] if one["ranking"]["product"]]
    vus = f"VUS-PR {sum(ranked) / len(ranked):.3f}, " if ranked else ""
    false = sum(one["alarms"]["default"]["false_incidents"] for one in result["sensors"])
    return f"{what} {vus}{false} false incidents, {result['seconds']['all']:.0f} s"
