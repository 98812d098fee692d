"""Formats what `stream-detector train` ends with: a table of faults, and three answers in plain words."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from stream_detector.commands.train_output import WIDTH
from stream_detector.gate.baseline_comparison import BASELINE, MODEL, GateResult
from stream_detector.gate.drill_run import KindResult
from stream_detector.gate.missing_drill import MissingCheck
from stream_detector.settings.schema import PREFIX
from stream_detector.timestamps import duration
from stream_detector.training.alarm_drill import AlarmDrill
from stream_detector.training.budget_check import BudgetCheck
from stream_detector.training.history import LISTED_MODES, History
from stream_detector.training.verdict import Verdict

BUDGET_VARIABLE = f"{PREFIX}ALERTS__BUDGET_PER_SENSOR_DAY"
_WARNED = f"`run` warns of that, and refuses the model if {PREFIX}MODEL__REFUSE_UNPROMOTED is true."
#: Shares of a kind's faults from which it counts as found, and below which it counts as missed.
RELIABLE, HARDLY = 0.8, 0.2


def describe_verdict(verdict: Verdict, result: GateResult, model: Path, inputs: Sequence[Path]) -> str:
    """Return the table and the three answers, at most WIDTH wide."""
    answers = [history_answer(verdict), faults_answer(verdict.alarms, result), next_answer(model, inputs)]
    return "\n".join([*_table(verdict), "", *answers])


def history_answer(verdict: Verdict) -> str:
    """Say whether the history is enough, and for which budget."""
    history, alarms = verdict.history, verdict.alarms
    extent = f"{duration(history.span_seconds)}, {history.readings:,} readings a sensor"
    if history.is_short:
        found = float(alarms.result.found.mean()) if len(verdict.drill) else 0.0
        hope = " and will probably find little" if found < 0.5 else ""
        text = (
            f"No: {extent}. At {_budget(verdict.budget)} this model is guessing{hope}: give it "
            f"{duration(history.enough_seconds)} or more{_trial(alarms)}."
        )
    elif verdict.budget.is_checked:
        text = f"Yes: {extent}. It is also enough to check {_budget(verdict.budget)}."
    else:
        text = f"Yes, to learn from: {extent}. {_unchecked(verdict.budget)}"
    return _answer(1, "Is the history enough?", f"{text} {_seen(history)}")


def faults_answer(alarms: AlarmDrill, result: GateResult) -> str:
    """Say what the model finds and misses, and whether it beats a simple detector."""
    kinds = alarms.result.by_kind()
    if not kinds:
        text = "Nobody knows: no faults could be injected, since the held-back readings are too few or never change."
        return _answer(2, "What will it find?", f"{text} {_promotion(result)}")
    injected, found = sum(one.injected for one in kinds), sum(one.found for one in kinds)
    good = [one.text for one in kinds if one.found >= RELIABLE * one.injected]
    bad = [one.text for one in kinds if one.found <= HARDLY * one.injected]
    parts = [
        f"{found} of {injected} of these faults, in time.",
        "All kinds reliably." if len(good) == len(kinds) else f"Reliably: {'; '.join(good) or 'none'}.",
        f"Hardly or never: {'; '.join(bad)}." if bad else "",
        _without_features(alarms.missing),
        _promotion(result, alarms.missing),
    ]
    return _answer(2, "What will it find?", " ".join(filter(None, parts)))


def next_answer(model: Path, inputs: Sequence[Path]) -> str:
    """Say what to type next, with this model's paths."""
    program, history = _program(), " ".join(map(str, inputs))
    lines = [
        "3. What next? See what it says about readings that it was not trained on, measure it if you know the faults in "
        "them, then run it:"
    ]
    lines = textwrap.wrap(lines[0], WIDTH, subsequent_indent="   ")
    baseline = f" --baseline-training {history}" if history else ""
    return "\n".join(
        [
            *lines,
            f"   {program} score --model {model} --input FILE.csv --output scored.csv",
            f"   {program} evaluate --model {model} --input LABELLED.csv \\\n     --output report{baseline}",
            f"   {PREFIX}MODEL__DIRECTORY={model} {program} run",
        ]
    )


def _table(verdict: Verdict) -> list[str]:
    """Return the faults by kind, with how many were alarmed and how soon."""
    alarms, drill = verdict.alarms, verdict.drill
    kinds = alarms.result.by_kind()
    if not kinds:
        return []
    seconds = drill.fault_rows * verdict.history.interval_seconds
    about = (
        f"Faults were put into readings held back from training. Alarmed means: at {_budget(verdict.budget)}, and before "
        f"the fault, of {drill.fault_rows} readings ({duration(seconds)}), is half over. Sizes are in standard deviations."
    )
    trial = alarms.trial_result.by_kind() if alarms.trial_result else None
    head = f"  {'fault':<24}{'alarmed':>10}   {'delay (median)':<16}"
    head += f"at {alarms.trial_budget:g} a day" if trial else ""
    rows = [_row(one, trial[at] if trial else None) for at, one in enumerate(kinds)]
    return ["", *textwrap.wrap(about, WIDTH), "", head.rstrip(), *rows]


def _row(result: KindResult, trial: KindResult | None) -> str:
    delay = result.median_delay_seconds
    after = "-" if delay is None else "at once" if delay == 0.0 else f"after {duration(delay)}"
    line = f"  {result.text:<24}{f'{result.found} of {result.injected}':>10}   {after:<16}"
    return (line + (f"{trial.found} of {trial.injected}" if trial else "")).rstrip()


def _budget(check: BudgetCheck) -> str:
    return f"{check.budget:g} false alarms a sensor and day"


def _trial(alarms: AlarmDrill) -> str:
    if alarms.trial_budget is None or alarms.trial_result is None:
        return ""
    found, total = int(alarms.trial_result.found.sum()), len(alarms.trial_result.found)
    return (
        f", or accept {alarms.trial_budget:g} a day while you try, where it finds {found} of {total} of the faults above: "
        f"{BUDGET_VARIABLE}={alarms.trial_budget:g}"
    )


def _unchecked(check: BudgetCheck) -> str:
    text = (
        f"Too little to check {_budget(check)}: real ones may be several times as many, or far fewer. It can check "
        f"budgets from {check.smallest_checked:g} on"
    )
    if check.needed_days is None:
        return f"{text}; at this sampling interval no history can check budgets below {check.smallest_possible:g}."
    return f"{text}; for {check.budget:g} give about {check.needed_days:.0f} days a sensor."


def _seen(history: History) -> str:
    """Say what else a reader must know about the data: empty cells and operating modes."""
    empty = f"{history.empty_share:.0%} of the cells are empty." if history.empty_share >= 0.005 else ""
    listed = [f"{mode.text} ({mode.share:.0%})" for mode in history.modes[:LISTED_MODES]]
    more = len(history.modes) - len(listed)
    modes = f"Operating modes seen: {'; '.join(listed)}{f'; {more} more' if more > 0 else ''}." if listed else ""
    return " ".join(filter(None, [empty, modes]))


def _without_features(missing: MissingCheck | None) -> str:
    """Say what it finds while one or two features give no value."""
    if missing is None:
        return ""
    found, before = int(missing.found.sum()), int(missing.whole_found.sum())
    return (
        f"With one or two other features missing, {found} of {len(missing.found)} (with all features {before}), and "
        f"{missing.false or 'no'} false alarm{'' if missing.false == 1 else 's'}."
    )


def _promotion(result: GateResult, missing: MissingCheck | None = None) -> str:
    """Say in words whether the model is promoted: whether it beats windowed PCA, and stands missing features."""
    if result.promoted is None:
        return "It could not be compared with a simple detector (windowed PCA)."
    ours, theirs = result.overall[MODEL].auc_pr, result.overall[BASELINE].auc_pr
    figures = f"({ours:.3f} against {theirs:.3f}; 1 is best)"
    failed = missing.why_failed() if missing else None
    if result.promoted and failed:
        return f"NOT PROMOTED: it {failed}. {_WARNED}"
    if result.promoted:
        return f"Promoted: it tells faulty from healthy readings no worse than a simple detector, windowed PCA {figures}."
    return f"NOT PROMOTED: a simple detector, windowed PCA, tells faulty from healthy readings better {figures}. {_WARNED}"


def _answer(number: int, question: str, text: str) -> str:
    return textwrap.fill(
        f"{number}. {question} {text}".strip(), WIDTH, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False
    )


def _program() -> str:
    """Return what the user types for this program."""
    typed = sys.argv[0]
    if shutil.which("stream-detector") or not typed.endswith("stream-detector"):
        return "stream-detector"
    return typed
