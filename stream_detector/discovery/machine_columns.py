"""Finds the machines in names of columns such as `P1 Pressure [bar]`, where nearly each machine has nearly each feature."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stream_detector.discovery.naming import listed

_SIGNS = "./:|\\_- "
#: This share of the columns must fit, and this share of the pairs of machine and feature must be there.
_FITTING, _GRID = 0.8, 0.8
#: What features begin with that are figures of one measurement.
_FIGURES = re.compile(r"min(imum)?|max(imum)?|avg|mean|median|std|sum|mittel(wert)?|soll(wert)?|ist(wert)?", re.IGNORECASE)
_UNIT = re.compile(r"\s*[\[(].*[\])]$")


@dataclass(frozen=True, slots=True)
class MachineColumns:
    """How names of columns split into machines and features."""

    pattern: str  # as --sensor-from takes it
    machines: tuple[str, ...]
    features: tuple[str, ...]
    is_sure: bool  # the machines have numbers, the features have none

    def says(self) -> str:
        """Return what the names show."""
        return f"nearly each of {listed(self.machines, 3)} has nearly each of {listed(self.features, 3)}"


def machine_columns(names: Sequence[str]) -> MachineColumns | None:
    """Return how names of columns split, if nearly each machine has nearly each feature; the surest and shortest way first."""
    found = [one for text, pattern in _patterns() if (one := _grid(names, text, pattern)) is not None]
    return min(found, key=lambda one: not one.is_sure, default=None)


def _patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield ways to split: at the first sign, the second, the third, and the last one before a unit."""
    for sign in _SIGNS:
        one = re.escape(sign)
        word = f"[^{one}]+"
        yield f"{{sensor}}{sign}{{feature}}", re.compile(f"(?P<sensor>.+?){one}(?P<feature>.+)")
        for before in (f"{word}{one}{word}", f"{word}{one}{word}{one}{word}"):
            text = f"(?P<sensor>{before}){one}(?P<feature>.+)"
            yield text, re.compile(text)
        text = rf"(?P<sensor>.+){one}(?P<feature>{word}(?: *\[[^\]]*\])?)"
        yield text, re.compile(text)


def _grid(names: Sequence[str], text: str, pattern: re.Pattern[str]) -> MachineColumns | None:
    pairs = {(match["sensor"], match["feature"]) for name in names if (match := pattern.fullmatch(name))}
    machines, features = (tuple(dict.fromkeys(part)) for part in zip(*sorted(pairs), strict=True)) if pairs else ((), ())
    is_grid = len(pairs) >= _GRID * len(machines) * len(features) and len(pairs) >= _FITTING * len(names)
    if not is_grid or len(machines) < 2 or len(features) < 2 or any(_FIGURES.fullmatch(name) for name in machines):
        return None
    numbered = [bool(re.search(r"\d", _UNIT.sub("", name))) for name in features]
    is_sure = all(re.search(r"\d", name) for name in machines) and 2 * sum(numbered) < len(numbered)
    return MachineColumns(text, machines, features, is_sure)
