"""Compares results family by family, and chooses among candidates by the families that a figure does not come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.judge.families import Alarms, Sensor, alarms_of, by_family, mean_ranking
from tests.judge.measures import PRODUCT
from tests.judge.product import BUDGETS
from tests.judge.results import Result

#: No family may lose more than this by a change that stays.
LARGEST_LOSS = 0.01
#: And no more than this of its events, at the default budget.
LARGEST_LOSS_OF_EVENTS = 0.05
VUS, RECALL = "VUS-PR", "events found"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a family; `is_better` is 1 if more is better, -1 if less is."""

    of: Callable[[Sequence[Sensor]], float | None]
    is_better: int = 1


def _of_alarms(budget: str, figure: Callable[[Alarms], float | None]) -> Callable[[Sequence[Sensor]], float | None]:
    def of(sensors: Sequence[Sensor]) -> float | None:
        alarms = alarms_of(sensors, budget)
        return figure(alarms) if alarms else None

    return of


#: By name. Alarms are at the default budget, and at the others by their number, as in "events found at 1".
FIGURES: dict[str, Figure] = {
    VUS: Figure(lambda sensors: mean_ranking(sensors, PRODUCT)),
    "AUC-PR": Figure(lambda sensors: mean_ranking(sensors, PRODUCT, "auc_pr")),
}
for _budget in BUDGETS:
    _at = "" if _budget == "default" else f" at {_budget}"
    FIGURES |= {
        f"events found{_at}": Figure(_of_alarms(_budget, lambda alarms: alarms.events_found)),
        f"false per 1,000{_at}": Figure(_of_alarms(_budget, lambda alarms: alarms.per_1000_normal), -1),
        f"normal rows alarmed{_at}": Figure(_of_alarms(_budget, lambda alarms: alarms.alarmed_mean), -1),
        f"series in budget{_at}": Figure(_of_alarms(_budget, lambda alarms: alarms.keep_budget)),
    }


def common(candidates: Mapping[str, Sequence[Result]]) -> dict[str, list[Result]]:
    """Return the results of the cases that every candidate has, without an error."""
    shared = set.intersection(*(_judged(results) for results in candidates.values()))
    return {name: [one for one in results if _key(one) in shared] for name, results in candidates.items()}


def figures(results: Sequence[Result], figure: str) -> dict[str, float]:
    """Return a figure of each family that has it."""
    found = {family: FIGURES[figure].of(sensors) for family, sensors in by_family(results).items()}
    return {family: value for family, value in found.items() if value is not None}


def compare(before: Sequence[Result], after: Sequence[Result]) -> str:
    """Return the differences by family, and whether the change stays: the mean gains, and no family loses more than .01."""
    both = common({"before": before, "after": after})
    pairs = {name: (figures(both["before"], name), figures(both["after"], name)) for name in FIGURES}
    families = list(by_family(both["after"]))
    shown = [name for name in FIGURES if " at " not in name]
    lines = [f"After minus before, {len(both['after'])} cases that both have:", "", _row(["family", *shown])]
    lines.append(_row(["---"] * (1 + len(shown))))
    for family in families:
        lines.append(_row([family, *(_difference(*pairs[name], family) for name in shown)]))
    lost = sorted(map(" ".join, _judged(before) - _judged(after)))
    lines += ["", verdict(*pairs[VUS]), recall_verdict(*pairs[RECALL])]
    return "\n".join([*lines, *([f"Before, but not now: {', '.join(lost)}."] if lost else [])]) + "\n"


def recall_verdict(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    """Say in which families events are lost at the default budget."""
    changes = {family: after[family] - before[family] for family in after if family in before}
    losers = [f"{family} {change:+.3f}" for family, change in changes.items() if change < -LARGEST_LOSS_OF_EVENTS]
    return f"Events found fall by more than {LARGEST_LOSS_OF_EVENTS} in {', '.join(losers) or 'no family'}."


def verdict(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    """Say whether a change stays, by the figures of the families that both have."""
    changes = {family: after[family] - before[family] for family in after if family in before}
    if not changes:
        return "There is no family to compare."
    mean = float(np.mean(list(changes.values())))
    losers = [f"{family} {change:+.3f}" for family, change in changes.items() if change < -LARGEST_LOSS]
    stays = mean > 0.0 and not losers
    loss = f"{', '.join(losers)} lose more than {LARGEST_LOSS}" if losers else f"no family loses more than {LARGEST_LOSS}"
    return (
        f"The change {'stays' if stays else 'does not stay'}: {VUS} {mean:+.4f} in the mean of {len(changes)} families; {loss}."
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """Which candidate the other families choose for a family, and what it reaches there."""

    family: str
    candidate: str
    value: float


def leave_one_out(values: Mapping[str, Mapping[str, float]], is_better: int = 1) -> list[Choice]:
    """Return for each family the candidate with the best mean over the others, the first of equals.

    `values` has the figure of each family by candidate; families that a candidate lacks are left out.
    """
    families = [family for family in next(iter(values.values())) if all(family in one for one in values.values())]
    return [
        Choice(family, best, values[best][family])
        for family in families
        if len(families) > 1
        for best in [max(values, key=lambda name: is_better * _mean(values[name], families, family))]
    ]


def choose(candidates: Mapping[str, Sequence[Result]], figure: str = VUS) -> str:
    """Return what each candidate reaches in each family, and the figure that leaves the family out of its choice."""
    values = {name: figures(results, figure) for name, results in common(candidates).items()}
    choices = leave_one_out(values, FIGURES[figure].is_better)
    return "\n".join([f"{figure}, by family:", "", *_choice_rows(values, choices)]) + "\n"


def _choice_rows(values: Mapping[str, Mapping[str, float]], choices: Sequence[Choice]) -> Iterator[str]:
    yield _row(["family", *values, "the others choose", "left out"])
    yield _row(["---"] * (3 + len(values)))
    for choice in choices:
        of_family = [f"{one[choice.family]:.3f}" for one in values.values()]
        yield _row([choice.family, *of_family, choice.candidate, f"{choice.value:.3f}"])
    families = [choice.family for choice in choices]
    means = [f"{_mean(one, families):.3f}" for one in values.values()]
    yield _row(["**mean**", *means, "", f"{np.mean([choice.value for choice in choices]):.3f}" if choices else "-"])


def _mean(values: Mapping[str, float], families: Sequence[str], without: str = "") -> float:
    chosen = [values[family] for family in families if family != without]
    return float(np.mean(chosen)) if chosen else float("nan")


def _difference(before: Mapping[str, float], after: Mapping[str, float], family: str) -> str:
    return f"{after[family] - before[family]:+.3f}" if family in before and family in after else "-"


def _judged(results: Sequence[Result]) -> set[tuple[str, str]]:
    return {_key(one) for one in results if not one["error"]}


def _key(result: Result) -> tuple[str, str]:
    return result["family"], result["name"]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
