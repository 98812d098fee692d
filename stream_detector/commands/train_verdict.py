"""Formats what `stream-detector train` ends with: a table of faults, and its first two answers in plain words."""

from __future__ import annotations

import textwrap
from datetime import tzinfo

from stream_detector.commands.fault_table import budget_text, fault_table
from stream_detector.commands.oddity_lines import describe_oddities
from stream_detector.commands.smallest_shift import RELIABLE
from stream_detector.commands.train_output import WIDTH
from stream_detector.gate.baseline_comparison import BASELINE, MODEL, GateResult
from stream_detector.gate.missing_drill import MissingCheck
from stream_detector.settings.group import BUDGET_VARIABLE, PREFIX
from stream_detector.timestamps import duration
from stream_detector.training.alarm_drill import AlarmDrill
from stream_detector.training.history import LISTED_MODES, History, empty_text
from stream_detector.training.start_fit import FEWEST
from stream_detector.training.two_levels import LISTED as LISTED_LEVELS
from stream_detector.training.verdict import Verdict

_WARNED = f"`run` warns of that, and refuses the model if {PREFIX}MODEL__REFUSE_UNPROMOTED is true."
#: A kind counts as missed if no larger share of its faults is found.
HARDLY = 0.2
#: A model that finds a smaller share of all faults than this finds few.
FEW = 0.6


def describe_verdict(verdict: Verdict, result: GateResult, zone: tzinfo | None = None) -> str:
    """Return the table and the two answers, at most WIDTH wide; train_next.py has the third. Times are UTC without `zone`."""
    odd = describe_oddities(verdict.oddities, zone)
    answers = [history_answer(verdict), *odd, faults_answer(verdict.alarms, result, verdict.has_network)]
    return "\n".join([*fault_table(verdict), "", *answers])


def history_answer(verdict: Verdict) -> str:
    """Say whether the history is enough, what follows, and what to set."""
    history, alarms = verdict.history, verdict.alarms
    empty = f"{empty_text(history)}, so fewer faults are found than with all values. " if history.has_empty else ""
    extent = f"{duration(history.span_seconds)}, {history.readings:,} readings a sensor"
    enough = duration(history.extent.enough_seconds)
    if history.extent.is_far_too_short:
        text = f"No: {extent}. This model is guessing: give it {enough} or more{_trial(alarms)}."
    elif history.extent.is_short:
        text = (
            f"For a trial, yes: {extent}. To run a plant, give it {enough} or more: what is normal "
            f"at other times of the day it has not seen, and may alarm{_trial(alarms)}."
        )
    elif few := _found_few(verdict.alarms):
        text = f"In length, yes: {extent}. {few}"
    else:
        set_nothing = "You need to set nothing. " if verdict.budget.is_resolved else ""
        text = f"Yes: {extent}. {set_nothing}{' '.join(verdict.budget.lines())}"
    if not text.startswith("Yes"):  # what to do is said already
        text = f"{text} The {verdict.budget.finding()}."
    return _answer(1, "Is the history enough?", " ".join(filter(None, [f"{empty}{text}", _modes(history), _starts(history)])))


def faults_answer(alarms: AlarmDrill, result: GateResult, has_network: bool = True) -> str:
    """Say what the model finds and misses, and whether it beats a simple detector."""
    kinds = alarms.result.by_kind()
    if not kinds:
        text = "Nobody knows: no faults could be injected, since the held-back readings are too few or never change."
        return _answer(2, "What will it find?", f"{text} {promotion_text(result)} {_network(has_network)}")
    injected, found = sum(one.injected for one in kinds), sum(one.found for one in kinds)
    good = [one.text for one in kinds if one.found >= RELIABLE * one.injected]
    bad = [one.text for one in kinds if one.found <= HARDLY * one.injected]
    some = [f"{one.text} ({one.found} of {one.injected})" for one in kinds if one.text not in (*good, *bad)]
    parts = [
        f"{found} of {injected} of these faults, in time.",
        "All kinds reliably." if len(good) == len(kinds) else f"Reliably: {'; '.join(good) or 'none'}.",
        f"Sometimes: {'; '.join(some)}." if some else "",
        f"Hardly or never: {'; '.join(bad)}." if bad else "",
        _without_features(alarms.missing),
        promotion_text(result, alarms.missing),
        _network(has_network),
    ]
    return _answer(2, "What will it find?", " ".join(filter(None, parts)))


def _trial(alarms: AlarmDrill) -> str:
    if alarms.trial_budget is None or alarms.trial_result is None:
        return ""
    found, total = int(alarms.trial_result.found.sum()), len(alarms.trial_result.found)
    return (
        f", or accept {alarms.trial_budget:g} a day while you try, where it finds {found} of {total} of the faults above: "
        f"{BUDGET_VARIABLE}={alarms.trial_budget:g}"
    )


def _found_few(alarms: AlarmDrill) -> str:
    """Say so if the model finds few of the faults, with the usual cause, and what to do; else nothing."""
    kinds = alarms.result.by_kind()
    injected, found = sum(one.injected for one in kinds), sum(one.found for one in kinds)
    if found >= FEW * injected:
        return ""
    healthy = "this is what the model can do with it"
    if alarms.trial_budget is not None and alarms.trial_result is not None:
        at_trial = int(alarms.trial_result.found.sum())
        healthy = f"accept {alarms.trial_budget:g} a day, where it finds {at_trial}: {BUDGET_VARIABLE}={alarms.trial_budget:g}"
    return (
        f"But at {budget_text(alarms.budget)} the model finds only {found} of the {injected} faults above. The usual cause is "
        "a history with faults in it, which the model takes for normal: look for them, leave those hours out, and train "
        f"again. If there are none, {healthy}."
    )


def _modes(history: History) -> str:
    """Say which operating modes were seen: by the flags, and by features that run at two levels."""
    listed = [f"{mode.text} ({mode.share:.0%})" for mode in history.modes[:LISTED_MODES]]
    more = len(history.modes) - len(listed)
    by_flags = f"Operating modes seen: {'; '.join(listed)}{f'; {more} more' if more > 0 else ''}." if listed else ""
    at_levels = [
        f"{one.feature} near {one.high:.3g} ({1.0 - one.low_share:.0%}) or {one.low:.3g} ({one.low_share:.0%})"
        for one in history.two_levels[:LISTED_LEVELS]
    ]
    others = len(history.two_levels) - len(at_levels)
    alike = f"; {others} more feature{'s' if others > 1 else ''} alike" if others > 0 else ""
    by_levels = f"Two levels seen: {'; '.join(at_levels)}{alike}." if at_levels else ""
    if at_levels and not history.only_while:
        by_levels += " If a machine stands at one of them, --only-while (the state at work) finds smaller faults: docs/idle.md."
    return " ".join(filter(None, [by_flags, by_levels]))


def _starts(history: History) -> str:
    """Say how first readings after a pause will be judged: by the starts that the history holds."""
    if not history.starts:
        return ""
    counted = f"The history has {history.starts:,} start{'' if history.starts == 1 else 's'} after a pause"
    if history.starts >= FEWEST:
        return f"{counted}: a machine that starts is judged by these until its window is full."
    full = duration(history.window_length * history.interval_seconds)
    return f"{counted}, too few to judge by: after a pause the score waits until the window is full ({full})."


def _without_features(missing: MissingCheck | None) -> str:
    """Say what it finds while one or two features give no value."""
    if missing is None:
        return ""
    found, before = int(missing.found.sum()), int(missing.whole_found.sum())
    return (
        f"With one or two other features missing, {found} of {len(missing.found)} (with all features {before}), and "
        f"{missing.false or 'no'} false alarm{'' if missing.false == 1 else 's'}."
    )


def promotion_text(result: GateResult, missing: MissingCheck | None = None) -> str:
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


def _network(has_network: bool) -> str:
    """Say so if the network, after which the model is named, has no part in the score."""
    if has_network:
        return ""
    return (
        "The network (LSTM with attention) has no part in the score: on this history the linear members alone tell faulty "
        "from healthy readings as well or better. So events of this model have no attention."
    )


def _answer(number: int, question: str, text: str) -> str:
    return textwrap.fill(
        f"{number}. {question} {text}".strip(), WIDTH, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False
    )
