"""What `train` ends with: a table, and three answers in plain words, at most 78 columns wide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_detector.commands.fault_table import fault_table
from stream_detector.commands.train_verdict import describe_verdict, faults_answer, history_answer
from stream_detector.detection.budget_resolution import resolve_budget
from stream_detector.gate.baseline_comparison import BASELINE, MODEL, GateResult, Quality
from stream_detector.gate.drill import LeftOut
from stream_detector.gate.drill_run import NEVER, DrillResult
from stream_detector.gate.missing_drill import MissingCheck
from stream_detector.training.alarm_drill import AlarmDrill, with_trial
from stream_detector.training.history import History, Mode
from stream_detector.training.oddities import EMPTY, FROZEN, SILENT, Oddity
from stream_detector.training.two_levels import TwoLevels
from stream_detector.training.verdict import Deviation, Verdict
from tests.gate.test_drill_run import drill_of

DAY = 86_400.0
WEEK = History(
    sensors=4,
    span_seconds=7 * DAY,
    readings=10_080,
    interval_seconds=60.0,
    window_length=64,
    empty_share=0.0,
    lonely_share=0.0,
    features=3,
    modes=(),
)
SHORT = replace(WEEK, span_seconds=400.0, readings=400, interval_seconds=1.0)


def gate(ours: float, theirs: float) -> GateResult:
    quality = {MODEL: Quality(ours, ours, ours, ours), BASELINE: Quality(theirs, theirs, theirs, theirs)}
    return GateResult(ours >= theirs, ours - theirs, 0.01, {"spike": 1}, {}, quality)


def result(found: int, kinds: tuple[str, ...] = ("shift_4",) * 10) -> DrillResult:
    """Return a drill whose first faults are alarmed two seconds after their start."""
    drill = replace(drill_of(*[{}] * len(kinds)), kinds=kinds)
    alarms = np.where(np.arange(len(kinds)) < found, drill.starts + 2, NEVER)
    return DrillResult(drill, alarms, np.zeros(drill.arrives.shape), *np.zeros((2, len(kinds)), np.int64))


def verdict(history: History, found: int, readings: int, budget: float = 0.1, trial: int | None = None) -> Verdict:
    at_budget = result(found)
    alarms = AlarmDrill(budget, at_budget)
    if trial is not None:
        alarms = replace(alarms, trial_budget=100.0, trial_result=result(trial))
    known = resolve_budget(budget, readings, history.sensors, history.interval_seconds)
    return Verdict(history, known, alarms, at_budget.drill)


def resolution(budget: float, readings: int, history: History = WEEK) -> str:
    return f"The {resolve_budget(budget, readings, history.sensors, history.interval_seconds).finding()}."


def in_a_line(text: str) -> str:
    return " ".join(text.split())


def test_a_history_of_minutes_is_called_guessing_with_what_is_needed_and_a_budget_to_try() -> None:
    assert in_a_line(history_answer(verdict(SHORT, found=1, readings=360, trial=9))) == (
        "1. Is the history enough? No: 6.67 min, 400 readings a sensor. This model is guessing: give it 24 h or more, "
        "or accept 100 a day while you try, where it finds 9 of 10 of the faults above: "
        "STREAM_DETECTOR_ALERTS__BUDGET_PER_SENSOR_DAY=100. " + resolution(0.1, 360, SHORT)
    )


def test_a_short_history_of_many_readings_is_enough_for_a_trial() -> None:
    minutes = replace(SHORT, span_seconds=5_400.0, readings=5_400)

    assert in_a_line(history_answer(verdict(minutes, found=9, readings=16_200, budget=5.0))) == (
        "1. Is the history enough? For a trial, yes: 90 min, 5,400 readings a sensor. To run a plant, give it 24 h or more: "
        "what is normal at other times of the day it has not seen, and may alarm. " + resolution(5.0, 16_200, SHORT)
    )


def test_a_long_history_is_enough_for_the_budgets_that_it_resolves_and_no_others() -> None:
    # 4 sensors, 10,080 readings, 30 % held back: 12,096 readings a minute apart, 8.4 sensor-days.
    yes, no = (in_a_line(history_answer(verdict(WEEK, 9, 12_096, budget))) for budget in (2.0, 0.1))

    assert yes.endswith("Yes: 7 days, 10,080 readings a sensor. You need to set nothing. " + resolution(2.0, 12_096))
    assert f"Yes: 7 days, 10,080 readings a sensor. {resolution(0.1, 12_096)} You need to set nothing: alarms may be" in no
    assert no.count("You need to set nothing") == 1


def test_a_long_history_whose_model_finds_few_faults_is_said_to_hold_some_and_names_one_setting_at_most() -> None:
    tried, untried = (in_a_line(history_answer(verdict(WEEK, 5, 12_096, trial=trial))) for trial in (9, None))

    unresolved = resolution(0.1, 12_096)
    assert tried == (
        "1. Is the history enough? In length, yes: 7 days, 10,080 readings a sensor. But at 0.1 false alarms a sensor and day "
        "the model finds only 5 of the 10 faults above. The usual cause is a history with faults in it, which the model takes "
        "for normal: look for them, leave those hours out, and train again. If there are none, accept 100 a day, where it "
        "finds 9: STREAM_DETECTOR_ALERTS__BUDGET_PER_SENSOR_DAY=100. " + unresolved
    )
    assert "set nothing" not in tried + untried
    assert untried.endswith("If there are none, this is what the model can do with it. " + unresolved)
    assert "only" not in history_answer(verdict(WEEK, 6, 12_096))


def test_the_first_answer_says_how_machines_that_start_will_be_judged() -> None:
    enough, few, none = (
        in_a_line(history_answer(verdict(replace(WEEK, starts=starts), 9, 12_096, budget=2.0))) for starts in (14, 1, 0)
    )

    assert enough.endswith(
        "The history has 14 starts after a pause: a machine that starts is judged by these until its window is full."
    )
    assert few.endswith(
        "The history has 1 start after a pause, too few to judge by: "
        "after a pause the score waits until the window is full (64 min)."
    )
    assert "after a pause" not in none


def test_what_stands_out_in_the_history_follows_the_first_answer() -> None:
    start_ms = 1_795_676_400_000
    frozen = Oddity(FROZEN, ("P-102",), ("pressure",), start_ms, 7_200.0, 120)
    empty, silent = (
        Oddity(EMPTY, ("P-1",), ("flow",), start_ms, 60.0, 60),
        Oddity(SILENT, tuple("abcd"), (), start_ms, 90.0, 90),
    )
    some = replace(verdict(WEEK, 9, 12_096), oddities=(frozen, empty, silent, *[replace(empty, seconds=1.0)] * 6))

    told = describe_verdict(some, gate(0.9, 0.8))

    assert max(map(len, told.splitlines())) <= 80
    assert in_a_line(told[: told.index("2. What")]).endswith(
        "in the history: pressure of P-102 did not change for 2 h (120 readings), from 2026-11-26 07:00:00Z "
        "in the history: a, b and 2 more sensors gave no readings for 90 s (90 readings), from 2026-11-26 07:00:00Z "
        "in the history: P-1 gave no flow for 60 s (60 readings), from 2026-11-26 07:00:00Z "
        "in the history: P-1 gave no flow for 1 s (60 readings), from 2026-11-26 07:00:00Z "
        "in the history: P-1 gave no flow for 1 s (60 readings), from 2026-11-26 07:00:00Z "
        "in the history: P-1 gave no flow for 1 s (60 readings), from 2026-11-26 07:00:00Z "
        "in the history: 3 more such, in report.json (oddities) "
        "If these are faults, leave those hours out and train again: the model may take them for normal."
    )
    assert "in the history" not in describe_verdict(verdict(WEEK, 9, 12_096), gate(0.9, 0.8))


def test_columns_stay_aligned_beside_a_star_and_a_kind_that_was_not_tried_says_why() -> None:
    tried = verdict(WEEK, 9, 12_096, trial=9)
    assert tried.alarms.trial_result is not None
    covered = replace(tried.alarms.trial_result, open_at_start=frozenset([9]))
    starred = replace(tried.alarms, result=replace(tried.alarms.result, open_at_start=frozenset([9])), trial_result=covered)
    left = replace(tried.drill, left_out=(LeftOut("lost correlation", "no two features move together there"),))

    with_star, without = ("\n".join(fault_table(one)) for one in (replace(tried, alarms=starred, drill=left), tried))

    row, plain = (next(line for line in told.splitlines() if "shift by 4" in line) for told in (with_star, without))
    assert row == plain.replace("9 of 10  ", "9 of 10* ", 1) + "*"
    assert "\n  lost correlation          not tried: no two features move together there\n" in with_star


def test_the_delays_of_a_kind_are_the_median_and_the_longest() -> None:
    late = result(3)
    late = replace(late, alarms=late.alarms + np.array([0, 0, 1, *[0] * 7]))

    told = fault_table(replace(verdict(WEEK, 3, 12_096), alarms=AlarmDrill(0.1, late)))

    assert any("   3 of 10   2 s, at most 3 s" in line for line in told)
    assert any("delay: median, longest" in line for line in told)


def test_the_columns_of_the_faults_stay_apart_however_long_a_delay_is() -> None:
    slow = result(3)
    slow = replace(slow, alarms=slow.alarms + np.array([0, 0, 1, *[0] * 7]))
    slow = replace(slow, drill=replace(slow.drill, times_ms=232 * slow.drill.times_ms))
    drill = AlarmDrill(0.1, slow, trial_budget=100.0, trial_result=result(8))

    told = fault_table(replace(verdict(WEEK, 3, 12_096), alarms=drill))

    assert any(line.endswith("   3 of 10   7.73 min, at most 11.6 min   8 of 10") for line in told)


def test_a_budget_that_a_longer_history_would_resolve_is_told_how_long() -> None:
    # 10 alarms at 1 a day are ten sensor-days, 30 % of what four sensors give in 8.3 days.
    assert "About 9 days of history would check it; this one checks a budget of 2 or more" in in_a_line(
        history_answer(verdict(WEEK, 9, 12_096, 1.0))
    )


def test_empty_cells_are_said_first_with_what_follows_and_operating_modes_last() -> None:
    empty = tuple((name, 0.3) for name in ("flow", "pressure", "temperature", "vibration", "current"))
    history = replace(WEEK, empty_share=0.3, empty_of=empty, modes=tuple(Mode(f"on {n}", 0.2) for n in range(5)))

    told = in_a_line(history_answer(verdict(history, 9, 12_096)))

    assert told.startswith(
        "1. Is the history enough? 30% of the cells are empty (flow 30%, pressure 30%, temperature 30%, vibration 30%, 1 "
        "more), so fewer faults are found than with all values. Yes: 7 days"
    )
    assert told.endswith("Operating modes seen: on 0 (20%); on 1 (20%); on 2 (20%); on 3 (20%); 1 more.")


def test_features_that_run_at_two_levels_are_named_with_the_time_at_each() -> None:
    levels = tuple(TwoLevels(name, 0.3, 11.94, 0.13) for name in ("current", "flow", "vibration"))

    seen = "Two levels seen: current near 11.9 (87%) or 0.3 (13%); flow near 11.9 (87%) or 0.3 (13%); 1 more feature alike."
    standing = replace(WEEK, two_levels=levels)

    told = in_a_line(history_answer(verdict(standing, 9, 12_096)))
    at_work = in_a_line(history_answer(verdict(replace(standing, only_while="current > 5"), 9, 12_096)))

    advice = "If a machine stands at one of them, --only-while (the state at work) finds smaller faults: docs/idle.md."
    assert told.endswith(f"{seen} {advice}")
    assert at_work.endswith(seen)


def test_a_network_without_a_part_in_the_score_is_said_to_have_none() -> None:
    alarms = AlarmDrill(0.1, result(10))

    assert "The network (LSTM with attention) has no part in the score" in in_a_line(
        faults_answer(alarms, gate(0.9, 0.8), has_network=False)
    )
    assert "network" not in faults_answer(alarms, gate(0.9, 0.8))


def test_a_deviation_is_said_in_the_units_of_the_user_and_the_list_is_bounded() -> None:
    many = tuple(Deviation(f"tag-{n}", 12.345, "") for n in range(15))
    known = replace(verdict(WEEK, 9, 12_096), deviations=(Deviation("pressure", 0.8712, "bar"), *many))

    told = in_a_line("\n".join(fault_table(known)))

    assert (
        "1 deviation, the standard deviation of healthy readings, is (each sensor has its own; these are medians): pressure "
        in told
    )
    assert "pressure 0.871 bar, tag-0 12.3, tag-1 12.3" in told
    assert "tag-10 12.3, and 4 more, in report.json of the model (verdict.deviations). The smallest lasting shift" in told


def test_a_larger_budget_is_named_only_if_it_found_more() -> None:
    drill = AlarmDrill(0.1, result(4))

    assert with_trial(drill, 1.0, result(4)) == with_trial(drill, 1.0, result(3)) == drill
    assert (with_trial(drill, 1.0, result(5)).trial_budget, drill.trial_budget) == (1.0, None)


def test_faults_that_began_while_a_false_alarm_was_open_are_marked_and_explained() -> None:
    at_budget = verdict(WEEK, 9, 12_096, trial=8)
    assert at_budget.alarms.trial_result is not None
    covered = replace(at_budget.alarms.trial_result, open_at_start=frozenset([9]))
    told = fault_table(replace(at_budget, alarms=replace(at_budget.alarms, trial_result=covered)))

    (row,) = (line for line in told if "shift by 4" in line)
    assert row.split()[-3:] == ["8", "of", "10*"]
    assert "* Some of the others began while a false alarm was open already" in in_a_line("\n".join(told))
    assert not any("*" in line for line in fault_table(at_budget))


def test_a_silence_that_must_last_longer_than_the_other_faults_is_said_to() -> None:
    silent = result(0, ("silent",) * 2)
    late, soon = (
        replace(verdict(SHORT, 0, 360), alarms=AlarmDrill(0.1, replace(silent, silent_seconds={0: after, 1: after})))
        for after in (59.0, 2.0)
    )

    told = in_a_line("\n".join(fault_table(late)))

    assert "A silence lasts longer: until its limit is passed." in told
    assert "silent: no readings 2 of 2 59 s" in told
    assert "lasts longer" not in in_a_line("\n".join(fault_table(soon)))


def test_what_is_found_and_what_is_not_is_named_by_kind() -> None:
    alarms = AlarmDrill(0.1, result(2, ("shift_4", "shift_4", "silent", "silent")))

    told = in_a_line(faults_answer(alarms, gate(0.9, 0.8)))

    assert told == (
        "2. What will it find? 2 of 4 of these faults, in time. Reliably: shift by 4 deviations. Hardly or never: silent: no "
        "readings. Promoted: it tells faulty from healthy readings no worse than a simple detector, windowed PCA (0.900 "
        "against 0.800; 1 is best)."
    )


def test_a_model_that_lost_to_the_simple_detector_says_so() -> None:
    told = in_a_line(faults_answer(AlarmDrill(0.1, result(10)), gate(0.7, 0.8)))

    assert "10 of 10 of these faults, in time. All kinds reliably. NOT PROMOTED: a simple detector" in told
    assert "STREAM_DETECTOR_MODEL__REFUSE_UNPROMOTED" in told


def test_without_faults_nobody_knows() -> None:
    told = faults_answer(AlarmDrill(0.1, result(0, ())), GateResult(None, None, None, {}, {}, {}))

    assert "no faults could be injected" in in_a_line(told)


@pytest.mark.parametrize("trial", [None, 9])
def test_the_table_has_a_row_a_kind_and_nothing_is_too_wide(trial: int | None) -> None:
    told = describe_verdict(verdict(SHORT, 7, 360, trial=trial), gate(0.9, 0.8))

    row = next(line for line in told.splitlines() if "shift by 4" in line)
    assert row.split() == ["shift", "by", "4", "deviations", "7", "of", "10", "2", "s"] + (["9", "of", "10"] if trial else [])
    assert max(map(len, told.splitlines())) <= 80
    assert "Alarmed means: at 0.1 false alarms a sensor and day" in in_a_line(told)


def test_what_it_finds_with_features_missing_is_said_and_a_failure_is_no_promotion() -> None:
    found = np.array([True] * 10)
    good, blind = MissingCheck(found, np.arange(10) < 8, 0, 1, 0.5), MissingCheck(found, ~found, 0, 0, 0.5)

    told, failed = (
        in_a_line(faults_answer(AlarmDrill(0.1, result(10), missing=check), gate(0.8, 0.7))) for check in (good, blind)
    )

    assert "With one or two other features missing, 8 of 10 (with all features 10), and 1 false alarm. Promoted:" in told
    assert "NOT PROMOTED: it is blind while features are missing: it finds 0 faults in the others, against 10" in failed


def test_every_kind_is_in_one_of_the_lists() -> None:
    told = in_a_line(faults_answer(AlarmDrill(0.1, result(3, ("shift_4", "shift_4", "silent", "silent"))), gate(0.9, 0.8)))

    assert "Reliably: shift by 4 deviations. Sometimes: silent: no readings (1 of 2). Promoted" in told
