"""Says in plain sentences what a reader may take from what events explain: which part of it to trust, and why.

A sentence each on what is blamed (faithfulness.py), on the readings that are blamed, and on attention (attention_check.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_detector.evaluation.faithfulness import REPLACED_SHARE

_RIGHT_SHARE, _CHANCE_SHARE = 0.75, 0.6
#: A figure is what it says within this many of its standard errors.
_ERRORS = 2.0
#: A smaller fall of the score is shown as none.
_SMALLEST_FALL = 0.005
#: What an event blames, by its name in the report, and what a reader does with it.
_BLAMED = {
    "shares": ("the features that an event blames", "values"),
    "step_shares": ("the readings that it blames", "readings"),
}


def explanation_lines(report: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each kind of explanation that was checked, attention last; none if nothing was."""
    found = report.get("explanations") or {}
    lines = [_of_blamed(kind, one) for kind in _BLAMED if (one := found.get(kind)) is not None]
    attention = report.get("attention")
    return [*lines, *([_of_attention(attention)] if attention else [])]


def _of_blamed(kind: str, one: Mapping[str, Any]) -> str:
    """Say whether to look where an event points, and what happened to the score when that was taken away."""
    what, values = _BLAMED[kind]
    advice = _trust(one).format(what)
    windows = one["windows"]
    where = "in the window with the highest score" if windows == 1 else f"in the {windows:,} windows with the highest scores"
    return (
        f"{advice}: without the {100 * REPLACED_SHARE:g} % of the {values} that are blamed most the score "
        f"{_change(one['blamed_fall'])}, without as many others it {_change(one['random_fall'])} ({where})."
    )


def _trust(one: Mapping[str, Any]) -> str:
    """Return what a comparison means for a reader, with {} for what is blamed."""
    unknown = "Whether {} make its score cannot be told here"
    if one["fall_error"] is None or one["win_error"] is None:
        return unknown
    share, margin = one["win_rate"], _ERRORS * one["win_error"]
    falls = one["blamed_fall"] >= max(REPLACED_SHARE * one["score"], _ERRORS * one["fall_error"], _SMALLEST_FALL)
    if share - margin > 0.5 and share > _CHANCE_SHARE and falls:
        right = "Look first at {}, for they make its score"
        return (
            right if share >= _RIGHT_SHARE else "Take {} as a hint, for they make its score more often than others, not always"
        )
    if share <= _CHANCE_SHARE and share + margin < _RIGHT_SHARE:
        return "Do not rely on {}, for they make its score no more than others"
    return unknown


def _of_attention(found: Mapping[str, Any]) -> str:
    """Say whether attention shows where the network looks, and that it does not say what is wrong."""
    steps = found["steps"]
    attended, lot = ("the reading", "one") if steps == 1 else (f"the {steps} readings", f"{steps}")
    what = (
        f"without {attended} with the most attention, what the network expects moves by {found['change']:.2f} of its usual "
        f"error, without {lot} drawn by lot by {found['random_change']:.2f}"
    )
    trust = _trust_attention(found)
    return f"{trust}: {what}{_of_this_window(found) if trust == TRUE_ATTENTION else ''}."


TRUE_ATTENTION = "Attention shows where the network looks, and not what is wrong"
_FALSE_ATTENTION = "Leave attention out of account, for the readings with the most of it matter less than others"
_UNKNOWN_ATTENTION = "Whether attention shows where the network looks cannot be told here"


def _trust_attention(found: Mapping[str, Any]) -> str:
    if found["win_error"] is None or found["more_error"] is None:
        return _UNKNOWN_ATTENTION
    wins, win_margin = found["win_rate"] - 0.5, _ERRORS * found["win_error"]
    more, margin = found["more"], _ERRORS * found["more_error"]
    if wins > win_margin and more > margin:
        return TRUE_ATTENTION
    return _FALSE_ATTENTION if -wins > win_margin and -more > margin else _UNKNOWN_ATTENTION


def _of_this_window(found: Mapping[str, Any]) -> str:
    """Say whether the weights follow the window, or point at the same places in each."""
    if found["other_win_rate"] is None or found["other_win_error"] is None:
        return ""
    if found["other_win_rate"] - 0.5 > _ERRORS * found["other_win_error"]:
        return "; it follows what is in the window"
    return "; it may look alike in every window, whatever is in it"


def _change(fall: float) -> str:
    """Return in words which way a score changes on average, and how far."""
    if abs(fall) < _SMALLEST_FALL:
        return "stays as it is"
    return f"{'rises' if fall < 0.0 else 'falls'} by {abs(fall):.2f}"
