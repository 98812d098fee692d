"""Says in words which sensors a model knows, which it does not, and what an unknown one may have been meant to be.

Names come from files and topics: unprintable characters are escaped, long names cut, and lists bounded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from stream_detector.state.known_sensors import UNKNOWN, SensorTable

#: How many names a line lists, how long a name may be, and how many unknown names are compared with the known ones.
_LISTED, _NAME_CHARACTERS, _COMPARED = 5, 60, 200
#: A model of more sensors than this is not searched for similar names: that would take seconds.
_MOST_KNOWN = 100_000


def knows_line(table: SensorTable) -> str:
    """Return how many sensors a model knows."""
    if table.takes_any:
        return "the model was trained without sensor ids: it takes every sensor for the one that it knows"
    return f"the model knows {_counted(len(table))}: {listed(list(table.rows), len(table))}"


def coverage_line(sensors: Sequence[str], table: SensorTable) -> str:
    """Return how many of these sensors a model knows, and name the others with the ones they may have been meant to be."""
    if table.takes_any:
        return knows_line(table)
    rows = table.find(sensors)
    unknown = [name for name, row in zip(sensors, rows.tolist(), strict=True) if row == UNKNOWN]
    if not unknown:
        return f"the model knows {'the sensor' if len(sensors) == 1 else f'all {len(sensors)} sensors'}"
    known = len(sensors) - len(unknown)
    some = f"{known} of the {len(sensors)} sensors" if known else f"none of the {len(sensors)} sensors"
    if len(sensors) == 1:
        some = f"only other sensors ({listed(list(table.rows), len(table))})"
    return f"the model knows {some}; not known: {unknown_names(unknown, len(unknown), table)}"


def new_line(names: Sequence[str], count: int, table: SensorTable) -> str:
    """Announce `count` new sensors that the model does not know; `names` are the first of them."""
    text = unknown_names(names, count, table)
    if not len(table):
        return f"{_counted(count, 'new sensor')}: {text}"
    return (
        f"{_counted(count, 'new sensor')} that the model does not know: {text}. Provisional until scale and level are learned"
    )


def unknown_names(names: Sequence[str], count: int, table: SensorTable) -> str:
    """Return up to five of `count` unknown names, those with a similar known one first, and how many more there are."""
    similar = near_misses(names[:_COMPARED], table.rows)
    first = sorted(names[:_COMPARED], key=lambda name: name not in similar)
    shown = [f"{_shown(name)} - did you mean {_shown(similar[name])}?" if name in similar else _shown(name) for name in first]
    return listed(shown, count, are_shown=True)


def listed(names: Sequence[str], count: int, *, are_shown: bool = False) -> str:
    """Return the first names of `count`, and how many more there are."""
    few = list(names[:_LISTED]) if are_shown else [_shown(name) for name in names[:_LISTED]]
    more = count - len(few)
    return f"{', '.join(few)} and {more:,} more" if more > 0 else ", ".join(few)


def near_misses(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Return for names that are not known the one known name that differs only in what people vary.

    That is case, spaces, signs, leading zeros, and words before or after (`Plant 1/pump 07` for `pump-7`).
    """
    if len(known) > _MOST_KNOWN:
        return {}
    whole: dict[tuple[str, ...], set[str]] = {}
    ends: dict[tuple[str, ...], set[str]] = {}
    for name in known:
        words = _words(name)
        whole.setdefault(words, set()).add(name)
        for part in _parts(words):
            ends.setdefault(part, set()).add(name)
    return {name: found for name in names if (found := _only(name, whole, ends)) is not None}


def _only(name: str, whole: dict[tuple[str, ...], set[str]], ends: dict[tuple[str, ...], set[str]]) -> str | None:
    """Return the one known name that is meant; None if there is none, or more than one."""
    words = _words(name)
    same = whole.get(words, set())
    longer = ends.get(words, set())
    shorter = set[str]().union(*(whole.get(part, set()) for part in _parts(words)))
    for candidates in (same, longer | shorter):
        if candidates:
            return next(iter(candidates)) if len(candidates) == 1 and name not in candidates else None
    return None


def _words(name: str) -> tuple[str, ...]:
    """Split a name into words and numbers, without case, signs and leading zeros."""
    found = re.findall(r"\d+|[^\W\d_]+", name.casefold())
    return tuple([word.lstrip("0") or "0" if word.isdigit() else word for word in found])


def _parts(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the proper beginnings and ends of a name that have a number: a word alone is in many names."""
    for cut in range(1, len(words)):
        for part in (words[:cut], words[cut:]):
            if any(word.isdigit() for word in part):
                yield part


def _counted(count: int, noun: str = "sensor") -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def _shown(name: str) -> str:
    text = "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in name[: _NAME_CHARACTERS + 1]
    )
    return text if len(text) <= _NAME_CHARACTERS else f"{text[: _NAME_CHARACTERS - 3]}..."
