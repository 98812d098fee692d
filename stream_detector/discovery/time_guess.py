"""Guesses where the time of a reading is, and how it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product

from stream_detector.discovery.document_stats import PathStats
from stream_detector.discovery.guessed import MOST, Guess
from stream_detector.discovery.scopes import Found, Scope, are_texts, find
from stream_detector.discovery.usual_names import CLOCK, DATE, TIME

_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y-%m-%d", "%d-%m-%Y", "%Y.%m.%d", "%d-%b-%Y", "%d.%m.%y", "%Y%m%d")
_CLOCKS = ("%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S,%f", "%H:%M", "%I:%M:%S %p", "%H%M%S")
_BETWEEN = (" ", "T", ", ", "")
_DAY_MS = 86_400_000
_ONLY_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{2,4}")


def set_time(guess: Guess, scopes: Sequence[Scope]) -> str | None:
    """Set where the time is; return its path, None if that of the record counts."""
    if (split := _split_time(scopes)) is not None:
        date, clock, form = split
        return _set(guess, f"{{{date.text}}} {{{clock.text}}}", f"{date.examples(1)} {clock.examples(1)}", form)
    time = find(scopes, TIME, lambda one: _are_times(one) and not _are_dates(one)) or find(scopes, TIME, _are_times)
    time = time or _near(scopes)
    if time is not None:
        return _set(guess, time.text, time.examples(1))
    text = find(scopes, TIME, are_texts)
    formats = [f"{date}{between}{clock}" for date, between, clock in product(_DATES, _BETWEEN, _CLOCKS)]
    form, is_sure = _format_of(text.values.examples, formats) if text else ("", True)
    if text is not None and form:
        if not is_sure:
            guess.doubts.append(f"is the day or the month first in {text.examples(1)!r}? Check input.time_format")
        return _set(guess, text.text, text.examples(1), form)
    guess.set("time", "", "no field can be read as a time, so the time at which the record was written counts")
    if text is not None:
        guess.doubts.append(f"{text.text} may be the time ({text.examples(1)!r}): then set input.time and input.time_format")
    return None


def _set(guess: Guess, path: str, example: str, form: str = "") -> str:
    guess.set("time", path, f"its values can be read as times: {example}")
    if form:
        guess.set("time_format", form, "how the times are written")
    return path


def _near(scopes: Sequence[Scope]) -> Found | None:
    """Return the first path, whatever its name, whose values are the times of their records."""
    anything = re.compile(".*", re.DOTALL)
    return find(scopes, anything, lambda one: one.near >= MOST * one.count)


def _split_time(scopes: Sequence[Scope]) -> tuple[Found, Found, str] | None:
    """Return a date and a time of day that are fields of their own, and their format together."""
    date, clock = find(scopes, DATE, _are_dates), find(scopes, CLOCK, are_texts)
    if date is None or clock is None:
        return None
    texts = zip(date.values.examples, clock.values.examples, strict=False)
    both = [(f"{day} {time}", at) for (day, at), (time, _) in texts]
    form, _ = _format_of(both, [f"{date_form} {clock_form}" for date_form, clock_form in product(_DATES, _CLOCKS)])
    return (date, clock, form) if form else None


def _are_times(one: PathStats) -> bool:
    return one.times >= MOST * one.count


def _are_dates(one: PathStats) -> bool:
    return bool(one.examples) and all(_ONLY_DATE.fullmatch(text.strip()) for text, _ in one.examples)


def _format_of(examples: Sequence[tuple[str, int]], formats: Sequence[str]) -> tuple[str, bool]:
    """Return the format that all texts have, and whether it is sure.

    Of several, it is the one whose times are nearest to those of the records.
    """
    fitting = sorted((away, form) for form in formats if (away := _away_ms(examples, form)) is not None)
    if not fitting:
        return "", True
    away_ms, form = fitting[0]
    return form, away_ms < _DAY_MS or all(other == away_ms for other, _ in fitting)


def _away_ms(examples: Sequence[tuple[str, int]], form: str) -> float | None:
    away = []
    for text, written_ms in examples:
        try:
            moment = datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            return None
        away.append(abs(moment.timestamp() * 1000 - written_ms))
    return sum(away) / len(away) if away else None
