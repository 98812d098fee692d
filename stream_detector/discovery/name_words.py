"""Tells by words and units in a feature's name whether it is a state, drives a machine, or is of the process."""

from __future__ import annotations

import re
import unicodedata

from stream_detector.discovery.usual_names import DRIVE, DRIVE_UNIT, PROCESS, PROCESS_UNIT, RUNS, SHAKES, TURNS, TURNS_UNIT

_UNIT = re.compile(r"[\[(]\s*([^\])]+?)\s*[\])]\s*$")


def is_named_as_state(name: str) -> bool:
    """Return whether a word of a name says that it is a state of a machine."""
    return any(RUNS.fullmatch(word) for word in words_of(name))


def is_of_drive(name: str) -> bool:
    """Return whether a name is of a speed, a current, a power or a torque of a machine, and of nothing in the process."""
    is_drive = any(DRIVE.fullmatch(word) for word in words_of(name)) or _has_unit(name, DRIVE_UNIT)
    return is_drive and not is_of_process(name) and not any(SHAKES.fullmatch(word) for word in words_of(name))


def turns(name: str) -> bool:
    """Return whether a name is of a speed of a machine."""
    has_word = any(TURNS.fullmatch(word) for word in words_of(name))
    return is_of_drive(name) and (has_word or _has_unit(name, TURNS_UNIT))


def is_of_process(name: str) -> bool:
    """Return whether a name is of a pressure, a flow, a temperature, a level or the like."""
    return any(PROCESS.fullmatch(word) for word in words_of(name)) or _has_unit(name, PROCESS_UNIT)


def words_of(name: str) -> list[str]:
    """Return the words of a name in small letters without accents: `MotorLäuft_2` has motor and lauft."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    apart = re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])", " ", plain)
    return re.findall(r"[^\W\d_]+", apart.casefold())


def _has_unit(name: str, units: re.Pattern[str]) -> bool:
    unit = _UNIT.search(name)
    return unit is not None and units.fullmatch(unit[1]) is not None
