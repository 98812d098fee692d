"""What a reader is told of the explanations: three sentences at most, which begin with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from stream_detector.evaluation.explanation_words import explanation_lines


def told(**figures: float | None) -> dict[str, float | None]:
    """Return what nine windows with a mean score of 4 show, of which a fall of 0.2 is no more than the part replaced."""
    return {"windows": 9, "score": 4.0, "fall_error": 0.1, "win_error": 0.05, "random_fall": -0.3, **figures}


def attention(**figures: float | None) -> dict[str, Any]:
    """Return what windows show in which attention is true, and alike in each."""
    of_lot = {"random_change": 0.07, "more": 0.35, "more_error": 0.05, "win_rate": 0.9, "win_error": 0.05}
    of_others = {"other_change": 0.4, "other_win_rate": 0.5, "other_win_error": 0.05}
    return {"windows": 9, "steps": 3, "change": 0.42, "newest_change": 0.5, **of_lot, **of_others, **figures}


@pytest.mark.parametrize(
    ("figures", "says"),
    [
        (told(blamed_fall=1.0, win_rate=0.8), "Look first at the features that an event blames, for they make its score"),
        (told(blamed_fall=1.0, win_rate=0.7), "Take the features that an event blames as a hint"),
        (told(blamed_fall=-0.3, win_rate=0.4), "Do not rely on the features that an event blames"),
        (told(blamed_fall=-0.001, win_rate=0.81), "cannot be told"),
        (told(blamed_fall=0.19, win_rate=0.9), "cannot be told"),  # less than 5 % of 4
        (told(blamed_fall=1.0, fall_error=0.6, win_rate=0.9), "cannot be told"),
        (told(blamed_fall=1.0, win_error=0.2, win_rate=0.8), "cannot be told"),
        (told(blamed_fall=1.0, win_error=0.2, win_rate=0.5), "cannot be told"),
        (told(blamed_fall=1.0, fall_error=None, win_error=None, win_rate=1.0), "cannot be told"),
    ],
)
def test_what_is_blamed_is_trusted_by_a_difference_that_means_something(figures: dict[str, float | None], says: str) -> None:
    (line,) = explanation_lines({"explanations": {"shares": figures}})

    assert says in line


def test_there_are_three_sentences_at_most_and_each_begins_with_what_it_means() -> None:
    shares = told(blamed_fall=1.8, random_fall=-0.16, win_rate=0.917)
    checked = {"shares": shares, "step_shares": told(blamed_fall=0.0, win_rate=0.5), "attention": told(win_rate=0.24)}

    assert explanation_lines({"explanations": checked, "attention": attention()}) == [
        "Look first at the features that an event blames, for they make its score: without the 5 % of the values that are "
        "blamed most the score falls by 1.80, without as many others it rises by 0.16 (in the 9 windows with the highest "
        "scores).",
        "Do not rely on the readings that it blames, for they make its score no more than others: without the 5 % of the "
        "readings that are blamed most the score stays as it is, without as many others it rises by 0.30 (in the 9 windows "
        "with the highest scores).",
        "Attention shows where the network looks, and not what is wrong: without the 3 readings with the most attention, what "
        "the network expects moves by 0.42 of its usual error, without 3 drawn by lot by 0.07; it may look alike in every "
        "window, whatever is in it.",
    ]


def test_attention_that_follows_the_window_is_said_to() -> None:
    (line,) = explanation_lines({"attention": attention(steps=1, other_win_rate=0.7)})

    assert "without the reading with the most attention" in line
    assert "without one drawn by lot by 0.07; it follows what is in the window." in line


def test_attention_to_what_matters_less_is_left_out_of_account() -> None:
    (line,) = explanation_lines({"attention": attention(more=-0.35, win_rate=0.1)})

    assert line.startswith("Leave attention out of account, for the readings with the most of it matter less than others:")


@pytest.mark.parametrize("unsure", [{"win_error": None}, {"more_error": None}, {"win_rate": 0.55}, {"more": 0.05}])
def test_attention_of_which_nothing_is_sure_is_said_to_tell_nothing(unsure: dict[str, float | None]) -> None:
    (line,) = explanation_lines({"attention": attention(**unsure)})

    assert line.startswith("Whether attention shows where the network looks cannot be told here:")
    assert line.endswith("by 0.07.")


def test_explanations_that_were_not_measured_are_not_told_of() -> None:
    assert explanation_lines({"explanations": None}) == []
    assert explanation_lines({"explanations": {"attention": None}, "attention": None}) == []
