"""Guesses where the values are: an object of numbers, the reading itself, or a list of numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from stream_detector.discovery.document_stats import DocumentStats, path_text
from stream_detector.discovery.guessed import MOST, Guess
from stream_detector.discovery.machine_state import MOST_STATES
from stream_detector.discovery.name_words import is_named_as_state
from stream_detector.discovery.naming import listed
from stream_detector.discovery.scopes import Path, are_numbers
from stream_detector.discovery.text_hints import text_hints
from stream_detector.discovery.usual_names import SETTING

_MOST_NAMED = 5
#: Values of a state.
_WHOLE = re.compile(r"-?\d+|True|False|true|false")


def set_values(guess: Guess, stats: DocumentStats, time: str | None) -> None:
    """Set where the values are: an object of numbers, the reading itself, or lists; raise ValueError if there are none."""
    numeric = [
        path
        for path, one in stats.paths.items()
        if are_numbers(one) and path_text(path) != time and one.near < MOST * one.count
    ]
    hints = text_hints(stats)
    what = "numbers"
    if numeric and hints and all(len(stats.paths[path].distinct) == 1 for path in numeric):
        numeric, what = [], "numbers that change"  # such as qos, beside a payload that is text
    if not numeric and _set_arrays(guess, stats):
        return
    if not numeric:
        names = listed([path_text(path) for path in [*stats.paths, *stats.arrays]], 8)
        msg = ". ".join([f"no field of the records has {what}; found {names}{_lists(stats)}", *hints])
        raise ValueError(msg)
    guess.doubts += [f"{hint}; until then it is left out" for hint in hints]
    parents = Counter(path[:-1] for path in numeric)
    parent, count = parents.most_common(1)[0]
    if parent and count >= MOST * len(numeric):
        inside = [path[-1] for path in numeric if path[:-1] == parent]
        guess.set("values", path_text(parent), f"{count} fields with numbers: {listed(inside, _MOST_NAMED)}")
        _set_states(guess, stats, parent, time)
    else:
        guess.set("values", ".", f"the fields with numbers are those of the record: {listed(list(map(path_text, numeric)), 5)}")
    _say_alike(guess, numeric)


def _set_states(guess: Guess, stats: DocumentStats, parent: Path, time: str | None) -> None:
    """Add what stands beside the object of values and is named as a state or a recipe, with few whole numbers."""
    taken = {time, guess.settings.get("sensor")}
    states = {
        path[-1]: path_text(path)
        for path, one in stats.paths.items()
        if path[: len(parent)] != parent
        and path_text(path) not in taken
        and (is_named_as_state(path[-1]) or SETTING.fullmatch(path[-1]))
        and stats.share(path) >= MOST
        and 2 <= len(one.distinct) <= MOST_STATES
        and all(_WHOLE.fullmatch(text) for text in one.distinct)
    }
    if states:
        beside = (
            f"{listed(list(states.values()), _MOST_NAMED)}: a state or a setting, by name and values, beside the other values"
        )
        guess.set("features", states, beside)


def _say_alike(guess: Guess, numeric: Sequence[Path]) -> None:
    """Say that objects beside each other have fields of the same names, as machines by their names have."""
    fields: dict[Path, set[str]] = {}
    for path in numeric:
        fields.setdefault(path[:-1], set()).add(path[-1])
    beside: dict[tuple[Path, frozenset[str]], list[str]] = {}
    for parent, names in fields.items():
        if parent and len(names) > 1:
            beside.setdefault((parent[:-1], frozenset(names)), []).append(parent[-1])
    for (path, _), objects in beside.items():
        if len(objects) > 1:
            guess.doubts.append(
                f"{path_text(path) or 'the record'} has an object for each of {listed(objects, _MOST_NAMED)}: if these are "
                "machines, they count as one sensor with the features of all, because no setting takes the name of a field "
                "for the sensor. To watch them one by one, have the sender write a list of machines, each with its name in a "
                "field"
            )


def _set_arrays(guess: Guess, stats: DocumentStats) -> bool:
    """Set a path for each value of a list of numbers, with the names of a list of texts as long that does not change."""
    for path, seen in stats.arrays.items():
        lengths = {len(values) for values in seen}
        if len(lengths) != 1 or not all(isinstance(one, int | float) for values in seen for one in values):
            continue
        (length,) = lengths
        names = _names_of_arrays(stats, length) or [f"{path[-1]}_{position + 1}" for position in range(length)]
        features = {name: f"{path_text(path)}[{position}]" for position, name in enumerate(names)}
        guess.set("features", features, f"a list of {length} numbers; the names are those of a list beside it, if there is one")
        guess.doubts.append(f"the values are told by their place in {path_text(path)}: does the order ever change?")
        return True
    return False


def _names_of_arrays(stats: DocumentStats, length: int) -> Sequence[str]:
    """Return the texts of a list that is the same in all records, if there is one of this length."""
    for seen in stats.arrays.values():
        (first, _), *more = seen.most_common(2)
        if not more and len(set(first)) == len(first) == length and all(isinstance(one, str) for one in first):
            return [str(one) for one in first]
    return ()


def _lists(stats: DocumentStats) -> str:
    """Name the lists of objects in the records, which a mapping may read."""
    lists = ", ".join(path_text(path) for path in stats.lists)
    return f"; {lists}: a list of objects, which input.items or input.readings may read" if lists else ""
