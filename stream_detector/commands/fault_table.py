"""Formats the table of injected faults that `stream-detector train` ends with, and what a reader needs to understand it."""

from __future__ import annotations

import textwrap

from stream_detector.commands.smallest_shift import LISTED, coupling_advice, more_in_report, smallest_shift
from stream_detector.commands.train_output import WIDTH
from stream_detector.gate.drill import SILENT
from stream_detector.gate.drill_run import KindResult
from stream_detector.timestamps import duration
from stream_detector.training.verdict import Verdict


def budget_text(budget: float) -> str:
    """Return a budget in words."""
    return f"{budget:g} false alarms a sensor and day"


def fault_table(verdict: Verdict) -> list[str]:
    """Return the faults by kind, with how many were alarmed and how soon; nothing without any fault."""
    alarms, drill = verdict.alarms, verdict.drill
    kinds = alarms.result.by_kind()
    if not kinds:
        return []
    seconds = drill.fault_rows * verdict.history.interval_seconds
    about = (
        f"Faults were put into readings held back from training. Alarmed means: at {budget_text(verdict.budget.budget)}, and "
        f"before the fault, of {drill.fault_rows} readings ({duration(seconds)}), is half over. {_silence_text(kinds, seconds)}"
    )
    trial = alarms.trial_result.by_kind() if alarms.trial_result else None
    head = ("fault", "alarmed ", "delay: median, longest", f"at {alarms.trial_budget:g} a day" if trial else "")
    rows = [_cells(one, trial[at] if trial else None) for at, one in enumerate(kinds)]
    lines = _aligned([head, *rows])
    lines += [f"  {one.text:<24}  not tried: {one.why}" for one in drill.left_out]
    notes = [*_filled(_covered_text(kinds, trial)), *_filled(_deviation_text(verdict))]
    notes += [*_filled(smallest_shift(verdict)), *_filled(coupling_advice(verdict))]
    return ["", *textwrap.wrap(about, WIDTH), "", *lines, *notes]


def _silence_text(kinds: list[KindResult], seconds: float) -> str:
    """Say that a silence lasts longer, if it must."""
    late = [one.median_delay_seconds for one in kinds if one.kind == SILENT and one.median_delay_seconds is not None]
    if not late or 2.0 * late[0] <= seconds:
        return ""
    return "A silence lasts longer: until its limit is passed."


def _covered_text(kinds: list[KindResult], trial: list[KindResult] | None) -> str:
    """Say what the mark means, if there is one."""
    if not any(one.covered for one in [*kinds, *(trial or [])]):
        return ""
    return (
        "* Some of the others began while a false alarm was open already: nothing new is said of them, so they do not count. "
        "A larger budget has more false alarms, so it may show fewer here."
    )


def _deviation_text(verdict: Verdict) -> str:
    """Say in the user's units what sizes mean."""
    known = verdict.deviations
    if not known:
        return ""
    listed = ", ".join(f"{one.feature} {one.size:.3g}{one.unit and ' '}{one.unit}" for one in known[:LISTED])
    more = len(known) - LISTED
    several = " (each sensor has its own; these are medians)" if verdict.history.sensors > 1 else ""
    rest = f", and {more_in_report(more)}" if more > 0 else ""
    return f"1 deviation, the standard deviation of healthy readings, is{several}: {listed}{rest}."


def _filled(text: str) -> list[str]:
    return ["", *textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)] if text else []


def _cells(result: KindResult, trial: KindResult | None) -> tuple[str, str, str, str]:
    at_trial = f"{_count(trial):>9}" if trial else ""
    return result.text, _count(result), _delay(result), at_trial


def _aligned(rows: list[tuple[str, str, str, str]]) -> list[str]:
    """Return the lines of a table, with two blanks or more between its columns."""
    longest = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text, count, delay = (max(least, one) for least, one in zip((22, 10, 24), longest, strict=False))
    return [f"  {row[0]:<{text}}  {row[1]:>{count}}  {row[2]:<{delay}}  {row[3]}".rstrip() for row in rows]


def _delay(result: KindResult) -> str:
    """Return the median of the delays, and the longest where it differs."""
    median, longest = result.median_delay_seconds, result.longest_delay_seconds
    if median is None:
        return "-"
    usual = "at once" if median == 0.0 else duration(median)
    if longest is None or duration(longest) == duration(median):
        return usual
    return f"{usual}, at most {duration(longest)}"


def _count(result: KindResult) -> str:
    """Return how many are found; the mark has a column of its own."""
    return f"{result.found} of {result.injected}{'*' if result.covered else ' '}"
