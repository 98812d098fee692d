"""Tells a good quality from a bad one, as gateways and historians write it beside a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

#: OPC DA: the two highest bits of its eight say good.
_OPC_GOOD, _OPC_HIGHEST = 192, 255
#: OPC UA: the highest bit of its 32 says bad.
_UA_BAD = 1 << 31


#: Returns a value, or what stands for one of this quality.
Judge = Callable[[object, object], object]
#: So many verdicts are remembered; a topic of invented qualities must not fill the memory.
_MOST_REMEMBERED = 1024
_LONGEST_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Quality:
    """Where a quality is, and which are good. Patterns, as of file names, are compared without regard to case."""

    path: str = ""
    good: tuple[str, ...] = ()  # all others are bad
    bad: tuple[str, ...] = ()  # all others are good

    def is_good(self, quality: object) -> bool:
        """Return whether a value of this quality counts. Without a quality it does.

        Without patterns true, text that does not begin with bad or uncertain, 192 to 255 (OPC DA), and numbers beyond that
        without the highest of 32 bits (OPC UA) are good.
        """
        if quality is None:
            return True
        if self.good or self.bad:
            text = (str(int(quality)) if isinstance(quality, float) and quality.is_integer() else str(quality)).lower()
            patterns = self.good or self.bad
            return any(fnmatchcase(text, pattern.lower()) for pattern in patterns) == bool(self.good)
        return _is_usually_good(quality)


def _is_usually_good(quality: object) -> bool:
    if isinstance(quality, bool):
        return quality
    if isinstance(quality, int | float):
        return quality >= _OPC_GOOD and (quality <= _OPC_HIGHEST or not int(quality) & _UA_BAD)
    text = str(quality).strip().lower()
    if text.lstrip("-").isdigit() and len(text) < 12:
        return _is_usually_good(int(text))
    return not text.startswith(("bad", "uncertain", "false", "fail", "invalid"))


def bad_value(quality: object) -> str:
    """Return what stands for a value of bad quality: a text that means missing, and that reports show."""
    return f"Bad: quality {str(quality)[:20]}"


def judge_of(quality: Quality) -> Judge:
    """Return what judges values by their qualities. It remembers verdicts, because a topic has few qualities."""
    of_true, of_false = (None if quality.is_good(flag) else bad_value(flag) for flag in (True, False))
    remembered: dict[object, str | None] = {}

    def judge(value: object, found: object) -> object:
        if found is None:
            return value
        if found is True:
            verdict = of_true
        elif found is False:
            verdict = of_false
        elif type(found) is not int and (type(found) is not str or len(found) > _LONGEST_REMEMBERED):
            verdict = None if quality.is_good(found) else bad_value(found)
        elif found in remembered:
            verdict = remembered[found]
        else:
            verdict = None if quality.is_good(found) else bad_value(found)
            if len(remembered) < _MOST_REMEMBERED:
                remembered[found] = verdict
        return value if verdict is None else verdict

    return judge
