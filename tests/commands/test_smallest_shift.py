"""How large a lasting shift must be for a model to find it, in the user's units."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_detector.commands.smallest_shift import coupling_advice, smallest_shift
from stream_detector.training.alarm_drill import AlarmDrill
from stream_detector.training.verdict import Deviation, Verdict
from tests.commands.test_train_verdict import WEEK, result, verdict

REST = "in report.json of the model (verdict.deviations)"
DEVIATIONS = (Deviation("current", 2.0, "A"), Deviation("pressure", 0.5, ""), Deviation("flow", 10.0, "l/min"))


def of_sizes(*found: tuple[int, int]) -> Verdict:
    """Return what is told if so many of ten shifts of each size (in deviations) are found."""
    kinds = tuple(f"shift_{size}" for size, count in found for _ in range(10) for count in [count])
    alarmed = [number < count for _, count in found for number in range(10)]
    drill = result(len(kinds), kinds)
    alarms = drill.alarms.copy()
    alarms[[not one for one in alarmed]] = result(0, kinds).alarms[0]
    return replace(verdict(WEEK, 1, 40_000), alarms=AlarmDrill(0.1, replace(drill, alarms=alarms)), deviations=DEVIATIONS)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            ((1, 0), (2, 7), (3, 8), (4, 10)),
            f"finds reliably: 3 standard deviations (current by 6 A, pressure by 1.5, and 1 more, {REST}).",
        ),
        (
            ((1, 8), (2, 8)),
            f"finds reliably: 1 standard deviation (current by 2 A, pressure by 0.5, and 1 more, {REST}).",
        ),
        (
            ((1, 10), (2, 7), (4, 9)),
            f"finds reliably: 4 standard deviations (current by 8 A, pressure by 2, and 1 more, {REST}).",
        ),
        (
            ((3, 9), (4, 7)),
            f"not even by 4 standard deviations (current by 8 A, pressure by 2, and 1 more, {REST}).",
        ),
    ],
)
def test_the_smallest_size_from_which_on_all_are_found(found: tuple[tuple[int, int], ...], said: str) -> None:
    assert smallest_shift(of_sizes(*found), 2).endswith(said)


def test_without_such_faults_or_units_nothing_is_said() -> None:
    assert smallest_shift(replace(of_sizes((3, 9)), deviations=()), 2) == ""
    of_others = AlarmDrill(0.1, result(1, ("spike",)))
    assert smallest_shift(replace(of_sizes((3, 9)), alarms=of_others), 2) == ""


def test_where_a_shift_by_one_deviation_is_missed_coupled_features_are_advised() -> None:
    of_many = of_sizes((1, 7), (2, 10))

    assert "--coupled-features" in coupling_advice(of_many)
    assert coupling_advice(replace(of_many, has_others=True)) == ""
    assert coupling_advice(replace(of_many, deviations=DEVIATIONS[:1])) == ""
    assert coupling_advice(of_sizes((1, 8), (2, 10))) == ""


def test_twelve_features_are_listed_and_where_the_others_are() -> None:
    of_many = replace(of_sizes((1, 8)), deviations=tuple(Deviation(f"tag-{number}", 1.0, "") for number in range(1, 14)))

    assert "tag-12 by 1, and 1 more, in report.json of the model (verdict.deviations)" in smallest_shift(of_many)
    assert "more" not in smallest_shift(replace(of_many, deviations=of_many.deviations[:12]))
