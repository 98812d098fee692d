"""Tells a good quality from a bad one, as gateways and historians write it beside a value."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

#: OPC DA: the two highest bits of its eight say good.
_OPC_GOOD, _OPC_HIGHEST = 192, 255
#: OPC UA: the highest bit of its 32 says bad.
_UA_BAD = 1 << 31


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
