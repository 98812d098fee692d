"""Says in words what a report means: whether the model beats the simple detectors here, and keeps the budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_detector.alert_view import printable
from stream_detector.evaluation.budget_choice import budget_sentence, exceeds, is_chosen
from stream_detector.evaluation.found_events import BY_RULES, BY_SCORE
from stream_detector.evaluation.report_tables import cause_cells
from stream_detector.evaluation.scorecard import PRODUCT
from stream_detector.timestamps import SECONDS_PER_DAY, duration

#: Detectors that a model should beat; the others are for orientation.
RIVALS = ("windowed PCA", "robust z-score")
CHANCE = "random"
#: Differences of VUS-PR below this are none.
SMALLEST_DIFFERENCE = 0.01
_NONE = "-"
#: Sensors that are named, and the characters of a name.
_WORST, _CHARACTERS = 3, 40


def terminal_table(report: Mapping[str, Any]) -> list[str]:
    """Return the figures that matter, at most 78 columns wide, with the budget beside the false alarms."""
    head = [
        f"{'':<17}{'VUS-PR':>9}{'events':>10}{'delay':>12}{'false alarms':>15}{'false rows':>13}",
        f"{'detector':<17}{'1 is best':>9}{'found':>10}{'(median)':>12}{'a sensor day':>15}{'':>13}",
    ]
    rows = [line for name, summary in report["detectors"].items() for line in _rows(name, summary)]
    budget = f"{'budget':<17}{'':>9}{'':>10}{'':>12}{report['budget_per_sensor_day']:>15.3g}"
    return [*head, *rows, budget]


def verdict_lines(report: Mapping[str, Any]) -> list[str]:
    """Return a paragraph on each: is it better, are there too many false alarms, which budget fits, is it checked, `random`."""
    lines = [_better(report), _false_alarms(report), budget_sentence(report)]
    if known := report.get("budget_resolution"):
        says_set_nothing = is_chosen(report) and not _is_over(report)
        lines.append(f"{known['finding']} {known['advice']}".rstrip() if says_set_nothing else known["finding"])
    if CHANCE in report["detectors"] and _events(report):
        lines.append(
            f"`{CHANCE}` scores by dice: that is what chance gets with these labels. It finds events too, by alarming often."
        )
    return [line for line in lines if line]


def _rows(name: str, summary: Mapping[str, Any]) -> list[str]:
    """Return the line of a detector, and how many events the product's score and its rules find."""
    causes = cause_cells(summary["pooled"])
    return [_row(name, summary), *(f"{title:<17}{'':>9}{found:>10}" for title, found in causes)]


def _row(name: str, summary: Mapping[str, Any]) -> str:
    alarms, vus = summary["pooled"], summary["mean_of_labelled_sensors"]["vus_pr"]
    delay, rows = alarms["delay_seconds_median"], alarms["false_alarm_rate_percent"]
    per_day = alarms["false_alarms_per_sensor_day"]
    cells = (
        (_NONE if vus is None else f"{vus:.3f}", 9),
        (f"{alarms['events_found']}/{alarms['events']}" if alarms["events"] else _NONE, 10),
        (_NONE if delay is None else duration(delay), 12),
        (_NONE if per_day is None else f"{per_day:.3g}", 15),
        (_NONE if rows is None else f"{rows:.2f} %", 13),
    )
    return f"{name:<17}" + "".join(f"{text:>{width}}" for text, width in cells)


def _better(report: Mapping[str, Any]) -> str:
    rivals = [name for name in RIVALS if name in report["detectors"]]
    compared = report["compared"]
    ours = compared["vus_pr"]
    if ours is None or not rivals:
        return (
            "Better than simple detectors? Nobody knows: no faults are labelled, or readings are too few to fit a simple one."
        )
    theirs = {name: report["detectors"][name]["mean_of_labelled_sensors"]["vus_pr"] or 0.0 for name in rivals}
    better = [name for name, value in theirs.items() if value > ours + SMALLEST_DIFFERENCE]
    figures = ", ".join(f"{name} {value:.3f}" for name, value in theirs.items())
    if compared["sensors"] < report["detectors"][PRODUCT]["sensors"]:
        figures += f"; all on the {compared['sensors']:,} sensors that have simple ones"
    if better:
        text = (
            f"Better than simple detectors? No: {' and '.join(better)} told faults from healthy readings better on this file "
            f"(VUS-PR {ours:.3f}; {figures}). Train on more history of all ways of running, or use the simple one."
        )
    elif max(theirs.values()) >= ours - SMALLEST_DIFFERENCE:
        text = f"Better than simple detectors? As good (VUS-PR {ours:.3f}; {figures})."
    else:
        but = _but(report)
        text = (
            f"Better than simple detectors? {'In part' if but else 'Yes'}: its score told faults from healthy readings better "
            f"than these (VUS-PR {ours:.3f}; {figures}){but}."
        )
    return f"{text} {_found(report)}"


def _but(report: Mapping[str, Any]) -> str:
    """Say what a better ranking hides: a score that found no event itself, or a simple detector that finds as many."""
    ours = report["detectors"][PRODUCT]["pooled"]
    by_score = (ours.get("events_found_by") or {}).get(BY_SCORE)
    text = (
        f", but in none of the {ours['events']} events did it reach its limit in time"
        if by_score == 0 and ours["events"]
        else ""
    )
    ranking = report["compared"]["vus_pr"] or 0.0
    for name, vus in _others(report).items():
        if vus > ranking + SMALLEST_DIFFERENCE:
            text += f"{'; ' if text else ', but '}{name} told them better still ({vus:.3f})"
    as_many = {
        name: one["pooled"]
        for name, one in report["detectors"].items()
        if name not in (PRODUCT, CHANCE) and one["pooled"]["events_found"] >= max(ours["events_found"], 1)
    }
    if as_many:
        name, best = min(as_many.items(), key=lambda one: one[1]["false_incidents"])
        many = "more" if best["events_found"] > ours["events_found"] else "as many"
        text += (
            f"{'; ' if text else ', but '}{name} found {many} events ({best['events_found']} of {best['events']}), with "
            f"{best['false_incidents']:,} false alarm{'' if best['false_incidents'] == 1 else 's'} where this had "
            f"{ours['false_incidents']:,}"
        )
    return text


def _others(report: Mapping[str, Any]) -> dict[str, float]:
    """Return the ranking of the simple detectors that are for orientation, without chance."""
    return {
        name: one["mean_of_labelled_sensors"]["vus_pr"] or 0.0
        for name, one in report["detectors"].items()
        if name not in (PRODUCT, CHANCE, *RIVALS)
    }


def _found(report: Mapping[str, Any]) -> str:
    """Say how many events were found in time, and what to try if that is few."""
    alarms = report["detectors"][PRODUCT]["pooled"]
    found, events, late = alarms["events_found"], alarms["events"], alarms["events_alarmed_late"]
    budget = report["budget_per_sensor_day"]
    text = f"At the budget of {budget:g} it found {found} of {events} events in their first half"
    text += f", {late} more too late{_by(alarms)}." if late else f"{_by(alarms)}."
    if before := alarms["events_alarmed_before"]:
        text += f" In {before} of those found the alarm had been on before, so it told nothing new."
    return text


def _by(alarms: Mapping[str, Any]) -> str:
    """Say how many events the score found and how many the rules did, and which."""
    by = dict(alarms.get("events_found_by") or {})
    if not alarms["events_found"] or BY_SCORE not in by:
        return ""
    score, rules = by.pop(BY_SCORE), by.pop(BY_RULES, 0)
    both = score + rules - alarms["events_found"]
    which = ", ".join(f"{name} {count}" for name, count in by.items() if count)
    text = f": the score {score}, the rules {rules}"
    return f"{text}{f' ({which})' if which else ''}{f', of them both {both}' if both > 0 else ''}"


def _false_alarms(report: Mapping[str, Any]) -> str:
    alarms, budget = report["detectors"][PRODUCT]["pooled"], report["budget_per_sensor_day"]
    per_day, days, count = alarms["false_alarms_per_sensor_day"], alarms["sensor_days"], alarms["false_incidents"]
    if per_day is None:
        return ""
    extent = f"{count} in {days:.3g} sensor-days, {per_day:.3g} a day; the budget is {budget:g}"
    if _is_over(report):
        return (
            f"Too many false alarms? Yes: {extent}.{_where(report)} For fewer, train on more healthy history like this file, "
            "and if machines stand at times, with --only-while. No budget holds what a rule raises, such as frozen (`score` "
            "lists each incident with what raised it)."
        )
    if budget * days < 1.0:
        span = f"{count or 'none'} in {duration(days * SECONDS_PER_DAY)} of readings, all sensors together"
        allowed = f"where the budget of {budget:g} allows less than one"
        return f"Too many false alarms? This file is too short to tell: {span}, {allowed}."
    return f"Too many false alarms? No: {extent}."


def _where(report: Mapping[str, Any]) -> str:
    """Name the sensors with the most false alarms, if there are several sensors: a storm of one is another matter."""
    counts = [(one["detectors"][PRODUCT]["false_incidents"], one["sensor_id"]) for one in report.get("sensors", ())]
    worst = sorted((one for one in counts if one[0]), key=lambda one: -one[0])[:_WORST]
    if len(counts) < 2 or not worst:
        return ""
    named = [f"{printable(sensor, _CHARACTERS)} ({count:,})" for count, sensor in worst]
    return f" Sensors with the most: {', '.join(named)}."


def _is_over(report: Mapping[str, Any]) -> bool:
    """Return whether there are more false alarms than the budget explains, chance included (twice a Poisson deviation)."""
    alarms = report["detectors"][PRODUCT]["pooled"]
    return exceeds(alarms["false_incidents"], report["budget_per_sensor_day"] * alarms["sensor_days"])


def _events(report: Mapping[str, Any]) -> int:
    return int(report["detectors"][PRODUCT]["pooled"]["events"])
