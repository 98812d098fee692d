"""Says in plain English what the check of the attention weights shows (attention_check.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: A figure is what it says within this many of its standard errors.
_ERRORS = 2.0


def attention_lines(report: Mapping[str, Any]) -> list[str]:
    """Return what an evaluation's check of attention shows, in a paragraph; no lines if it was not checked."""
    found = report.get("attention")
    if not found:
        return []
    return [f"{_measured(found)} {_shown(found)} {_of_this_window(found)}".rstrip()]


def _measured(found: Mapping[str, Any]) -> str:
    steps, windows = found["steps"], found["windows"]
    what, how_many = ("the reading", "one") if steps == 1 else (f"the {steps} readings", "as many")
    newest = "the newest one" if steps == 1 else f"the newest {steps}"
    where = "the most surprising window" if windows == 1 else f"the {windows:,} most surprising windows"
    return (
        f"Does attention show what the network reads? In {where}, {what} with the most attention "
        f"{'was' if steps == 1 else 'were'} hidden from it. What it expects of the newest readings moved by "
        f"{found['change']:.2f} of its spreads; by {found['random_change']:.2f} without {how_many} drawn by lot, and by "
        f"{found['newest_change']:.2f} without {newest} that it reads. It moved further for attention "
        f"{100 * found['win_rate']:.0f} times in 100 (by chance: 50):"
    )


def _shown(found: Mapping[str, Any]) -> str:
    """Say what the comparison with the lot shows."""
    if found["win_error"] is None or found["more_error"] is None:
        return "a single window does not tell."
    wins, win_margin = found["win_rate"] - 0.5, _ERRORS * found["win_error"]
    more, margin = found["more"], _ERRORS * found["more_error"]
    if wins > win_margin and more > margin:
        return "the readings attended to matter more than others."
    if -wins > win_margin and -more > margin:
        return "the readings attended to matter less than others; do not go by the weights."
    return "this cannot tell whether the readings attended to matter more than others."


def _of_this_window(found: Mapping[str, Any]) -> str:
    """Say whether the weights follow the window, or point at the same places in each."""
    if found["other_win_rate"] is None or found["other_win_error"] is None:
        return ""
    wins, margin = found["other_win_rate"] - 0.5, _ERRORS * found["other_win_error"]
    if wins > margin:
        follows = "so the weights follow what is in the window."
    elif -wins > margin:
        follows = "so those places matter more than its own."
    else:
        follows = "so this cannot tell whether the weights follow what is in the window."
    return (
        f"Without those attended to in other windows it moved by {found['other_change']:.2f}, less than for its own "
        f"{100 * found['other_win_rate']:.0f} times in 100: {follows}"
    )
