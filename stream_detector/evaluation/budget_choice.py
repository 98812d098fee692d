"""Says which alarm budget fits a file, by what several budgets find in it and how often they alarm falsely.

The sentence follows from these figures alone. So it is the same at whichever of the budgets the file was evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stream_detector.settings.group import BUDGET_VARIABLE

#: The budgets per sensor and day that are tried besides the one in force.
TRIED_BUDGETS = (0.01, 0.1, 1.0, 10.0)
#: An event that an alarm tells of is worth so many false alarms.
WORTH = 10
#: No larger budget is a choice, nor one with more false alarms a sensor day.
LARGEST = 1.0
#: Of fewer events one more or less decides, and that is chance.
LEAST_EVENTS = 3
#: Budgets of at least this share of the best one's value fit as well.
ALIKE = 0.9
CAPTION = (
    "The same scores, decided at other budgets (false alarms accepted per sensor",
    "and day). On before: events found by an alarm that was on already.",
)
HEADER = ("budget", "events found", "on before", "false alarms", "a sensor day")


@dataclass(frozen=True, slots=True)
class BudgetFigures:
    """What the alarms at one budget find in a file."""

    budget: float  # per sensor and day
    found: int  # events, in time
    on_before: int  # of those, by an alarm that had been on before: it told nothing new
    false: int  # incidents without a row of an event
    days: float  # of readings, summed over sensors

    @property
    def told(self) -> int:
        """How many events an alarm told of."""
        return self.found - self.on_before

    @property
    def value(self) -> float:
        """The events told of, less the false alarms."""
        return self.told - self.false / WORTH

    @property
    def is_bearable(self) -> bool:
        """Whether a plant may live with its false alarms."""
        return self.budget <= LARGEST and not exceeds(self.false, LARGEST * self.days)


def exceeds(count: int, allowed: float) -> bool:
    """Return whether there are more false alarms than are allowed, chance included (twice a Poisson deviation)."""
    return count > allowed + 2.0 * math.sqrt(max(allowed, 0.25))


def figures_of(report: Mapping[str, Any]) -> list[BudgetFigures]:
    """Return the figures of a report by budget, ascending; none where other budgets were not tried."""
    return [
        BudgetFigures(
            one["budget_per_sensor_day"],
            one["events_found"],
            one["events_alarmed_before"],
            one["false_incidents"],
            one["sensor_days"],
        )
        for one in report.get("budgets") or ()
    ]


def chosen(figures: Sequence[BudgetFigures]) -> Sequence[BudgetFigures]:
    """Return the budgets that fit, ascending and without a gap; none if no bearable one is worth its false alarms."""
    values = [one.value if one.is_bearable else 0.0 for one in figures]
    best = max(values, default=0.0)
    if best <= 0.0:
        return ()
    first = last = values.index(best)
    while first > 0 and values[first - 1] >= ALIKE * best:
        first -= 1
    while last + 1 < len(values) and values[last + 1] >= ALIKE * best:
        last += 1
    return figures[first : last + 1]


def budget_sentence(report: Mapping[str, Any]) -> str:
    """Say which budget fits the file, beside the next smaller and larger one; empty of few events, or without others."""
    figures, events = figures_of(report), _events(report)
    if len(figures) < 2 or events < LEAST_EVENTS:
        return ""
    fitting = chosen(figures)
    if not fitting:
        rows = "; ".join(f"{one.budget:g} finds {_found([one])}, with {_false([one])}" for one in figures)
        return f"Which budget? None of these finds these {events:,} events with few false alarms: {rows}."
    first, last = figures.index(fitting[0]), figures.index(fitting[-1])
    named = f"{fitting[0].budget:g}" + (f" to {fitting[-1].budget:g}" if last > first else "")
    neighbours = [*figures[max(0, first - 1) : first], *figures[last + 1 : last + 2]]
    others = "".join(f"; {one.budget:g} finds {_found([one])}, with {_false([one])}" for one in neighbours)
    return (
        f"Which budget? {named} fits this file best ({BUDGET_VARIABLE}), with {_found(fitting)} of {events:,} events found and "
        f"{_false(fitting)}{others}."
    )


def is_chosen(report: Mapping[str, Any]) -> bool:
    """Return whether the budget in force is one that fits, or nothing is said of others."""
    fitting = chosen(figures_of(report))
    return not fitting or not budget_sentence(report) or report["budget_per_sensor_day"] in [one.budget for one in fitting]


def budget_cells(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row of cells under HEADER for each budget."""
    events = _events(report)
    return [
        (
            f"{one.budget:g}",
            f"{one.found:,}/{events:,}" if events else "-",
            f"{one.on_before:,}" if events else "-",
            f"{one.false:,}",
            f"{one.false / one.days:.3g}" if one.days else "-",
        )
        for one in figures_of(report)
    ]


def budget_table(report: Mapping[str, Any]) -> list[str]:
    """Return the rows for the terminal, with a line that says what they are; nothing without other budgets."""
    cells = budget_cells(report)
    if not cells:
        return []
    rows = [f"  {row[0]:<10}{row[1]:>14}{row[2]:>12}{row[3]:>15}{row[4]:>15}" for row in (HEADER, *cells)]
    return ["", *CAPTION, *rows]


def _events(report: Mapping[str, Any]) -> int:
    return int(next(iter(report["detectors"].values()))["pooled"]["events"])


def _found(figures: Sequence[BudgetFigures]) -> str:
    return _span([one.found for one in figures])


def _false(figures: Sequence[BudgetFigures]) -> str:
    counts = [one.false for one in figures]
    return f"{_span(counts)} false alarm{'' if max(counts) == 1 else 's'}"


def _span(counts: Sequence[int]) -> str:
    low, high = (f"{count:,}" if count else "no" for count in (min(counts), max(counts)))
    return low if low == high else f"{low} to {high}"
