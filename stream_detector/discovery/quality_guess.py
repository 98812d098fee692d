"""Guesses where the quality of a value is, and which qualities are good."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stream_detector.discovery.guessed import MOST, Guess
from stream_detector.discovery.scopes import Found, Scope, find
from stream_detector.discovery.usual_names import SURE_QUALITY
from stream_detector.ingest.quality import Quality

_USUAL = Quality()
_MOST_QUALITIES = 50
_GERMAN_GOOD = "gut"


def set_quality(guess: Guess, scopes: Sequence[Scope], names: re.Pattern[str]) -> None:
    """Set where the quality is, if there is a field of such a name whose most common value can be good."""
    quality = find(scopes, names, lambda one: len(one.distinct) <= _MOST_QUALITIES and one.times == 0)
    if quality is None:
        return
    is_sure = SURE_QUALITY.fullmatch(quality.path[-1]) is not None
    good = [quality.values.distinct[text] for text in quality.values.distinct if _USUAL.is_good(text)]
    is_good_mostly = sum(good) >= MOST * quality.values.distinct.total()
    if not is_good_mostly and not is_sure:
        guess.doubts.append(
            f"is {quality.text} ({quality.listed(4)}) the quality of the values? Most would be bad. If so, set input.quality "
            "and input.good_quality"
        )
        return
    guess.set("quality", quality.text, f"its values: {quality.listed(4)}")
    _set_good(guess, quality, is_good_mostly=is_good_mostly)


def _set_good(guess: Guess, quality: Found, *, is_good_mostly: bool) -> None:
    texts = quality.values.distinct
    if any(text.lower().startswith(_GERMAN_GOOD) for text in texts):
        guess.set("good_quality", [f"{_GERMAN_GOOD}*"], "all others are bad")
    elif not is_good_mostly:
        usual = texts.most_common(1)[0][0]
        guess.set("good_quality", [usual], f"the most common of {quality.listed(4)}; all others are bad")
        guess.doubts.append(
            f"is {usual!r} the good quality in {quality.text}? It is the most common. Else set input.good_quality"
        )
