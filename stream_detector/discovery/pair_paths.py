"""Finds the name and the value of a reading, or of an item of a list, that has one of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stream_detector.discovery.guessed import MOST
from stream_detector.discovery.scopes import Found, Path, Scope, Test, are_numbers, find, fitting
from stream_detector.discovery.usual_names import ACTUAL, BOUND, ID, MACHINE, MEASURED, NAME, NUMBERS_MESSAGES, QUALITY, VALUE

#: What may be a number beside a value and measures nothing.
_BESIDE = (BOUND, QUALITY, NUMBERS_MESSAGES)


def name_paths(scope: Scope, test: Test) -> Iterator[Found]:
    """Yield what may name a value, those nearest to the top first; the name of a machine does not."""
    return (one for one in fitting(scope, NAME, test) if not is_of_machine(one.path))


def is_of_machine(path: Path) -> bool:
    """Return whether a path is the name of an object that is called a machine, such as maschine.kennung."""
    return len(path) > 1 and MACHINE.fullmatch(path[-2]) is not None and ID.fullmatch(path[-1]) is not None


def value_of(scope: Scope, name: Path, test: Test = are_numbers) -> Found | None:
    """Return the value beside a name, or in an object beside it: messung.wert.ist beside messung.kanal."""
    beside = [one for one in fitting(scope, VALUE, test) if one.path[:-1] == name[:-1]]
    return beside[0] if beside else deeper_value(scope, name[:-1], test)


def outer_pair(scope: Scope, names: Sequence[Found], test: Test = are_numbers) -> tuple[Found, Found] | None:
    """Return the name and the value of a reading that has them in different objects: meta.tag beside data.value.

    None unless one path alone may be the name, and one the value: the objects do not say that they belong together.
    """
    varying = [one for one in names if len(one.values.distinct) > 1]
    if len(varying) != 1:
        return None
    (name,) = varying
    for length in range(len(name.path) - 2, -1, -1):
        around = name.path[:length]
        beside = [one for one in fitting(scope, VALUE, test) if one.path[:-1] == around and _is_alone(scope, one.path)]
        deeper = deeper_value(scope, around, test)
        found = beside + ([deeper] if deeper else [])
        if found:
            return (name, found[0]) if len(found) == 1 else None
    return None


def deeper_value(scope: Scope, around: Path, test: Test = are_numbers) -> Found | None:
    """Return the only value in an object of measurement below a path; None if there is none, or several."""
    found = [
        one
        for one in fitting(scope, ACTUAL, test)
        if one.path[: len(around)] == around
        and any(MEASURED.fullmatch(part) for part in one.path[len(around) : -1])
        and one.values.times < MOST * one.values.count
        and _is_alone(scope, one.path)
    ]
    return found[0] if len(found) == 1 else None


def value_in(scope: Scope, test: Test = are_numbers) -> Found | None:
    """Return the value of items, wherever their names are."""
    return find((scope,), VALUE, test) or deeper_value(scope, (), test)


def _is_alone(scope: Scope, path: Path) -> bool:
    """Return whether no other measurement is in the object of a value: only its bounds, quality, time and number."""
    beside = ((other, one) for other, one in scope.stats.paths.items() if other[:-1] == path[:-1] and other != path)
    return not any(
        are_numbers(one) and one.times < MOST * one.count and not any(known.fullmatch(other[-1]) for known in _BESIDE)
        for other, one in beside
    )
