"""Guesses where the name of the sensor is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stream_detector.discovery.document_stats import PathStats
from stream_detector.discovery.guessed import Guess
from stream_detector.discovery.levels import Levels
from stream_detector.discovery.name_words import is_named_as_state
from stream_detector.discovery.naming import listed
from stream_detector.discovery.pair_paths import is_of_machine
from stream_detector.discovery.scopes import Found, are_texts, find, fitting, repeats
from stream_detector.discovery.usual_names import ID, MACHINE, MAY_BE_UNIT, MEASURED_IN, NAME, QUALITY, SENSOR
from stream_detector.ingest.document import RejectionError
from stream_detector.ingest.times import text_time
from stream_detector.readings import Record

_ANYTHING = re.compile(".*", re.DOTALL)
_MOST_NAMED, _LONGEST_NAME = 4, 100


def set_sensor(guess: Guess, levels: Levels, records: Sequence[Record], time: str | None) -> None:
    """Set where the sensor is: a field, the key, or the topic, which is a doubt."""
    found = named_sensor(levels, time)
    if found is None and len(levels.scopes) > 1 and "readings" in guess.settings:
        found = find(levels.scopes[:1], NAME, lambda one: are_texts(one) and repeats(one))
    keys = keys_of(records)
    if found is not None and len(found.values.distinct) == 1 and set_instead(guess, levels, keys, time, found):
        return
    if found is not None:
        guess.set("sensor", found.text, f"it has {len(found.values.distinct)} values, such as {found.examples()}")
        return
    if keys and len(keys) <= max(1, len(records) // 2):
        examples = ", ".join(sorted(key.decode(errors="replace")[:30] for key in list(keys)[:3]))
        guess.set("sensor", "$key", f"the records have {len(keys)} keys, such as {examples}")
        return
    _set_by_values(guess, levels, keys, time)


def set_instead(guess: Guess, levels: Levels, keys: set[bytes], time: str | None, found: Found) -> bool:
    """Set the sensor to the text that tells machines apart where the field `found` has one value: it may name their plant.

    Without keys that say so this is a doubt. The name of a metric is no machine, and neither is a state or a quality.
    """
    taken = {value for value in guess.settings.values() if isinstance(value, str)}
    others = [one for one in _repeating(levels, time) if one.text not in {found.text, *taken} and not _is_state(one)]
    only = f"{found.text} has one value, {found.examples(1)}"
    texts = {key.decode(errors="replace") for key in keys}
    if same := next((one for one in others if len(texts) > 1 and set(one.values.distinct) == texts), None):
        guess.set("sensor", same.text, f"its {len(texts)} texts are the keys of the records, such as {same.examples()}; {only}")
        return True
    if others:
        guess.doubts.append(f"{only}: is that the machine, or does one of these name it: {_named(others)}? Set input.sensor")
    return False


def keys_of(records: Sequence[Record]) -> set[bytes]:
    """Return the keys that records have."""
    return {record.key for record in records if record.key}


def named_sensor(levels: Levels, time: str | None) -> Found | None:
    """Return the field that names the sensor by its own name, or by that of the object around it; None: there is none."""
    named = [one for scope in levels.scopes for one in fitting(scope, SENSOR, repeats) if one.text != time]
    named = [one for one in named if not (MAY_BE_UNIT.fullmatch(one.path[-1]) and _are_units(one.values))]
    inner = [one for scope in levels.scopes for one in fitting(scope, ID, repeats) if is_of_machine(one.path)]
    return min([*named, *inner], key=_order, default=None)


def _set_by_values(guess: Guess, levels: Levels, keys: set[bytes], time: str | None) -> None:
    """Set the one text whose values repeat, or the topic, with the doubt."""
    others = _repeating(levels, time)
    if len(others) == 1:
        (other,) = others
        guess.set("sensor", other.text, f"no name says sensor, but its {len(other.values.distinct)} texts repeat")
        guess.doubts.append(f"is the sensor in {other.text} ({other.listed(3)})? Else set input.sensor")
        return
    guess.set("sensor", "$topic", "no field and no key seems to name a sensor, so the whole topic is one sensor")
    if hint := _in_keys(keys):
        guess.doubts.append(hint)
    elif others:
        guess.doubts.append(f"which field names the sensor? These have texts that repeat: {_named(others)}. Set input.sensor")
    else:
        guess.doubts.append("which field names the sensor? Set input.sensor if the topic has more than one")


def say_others(guess: Guess, levels: Levels, time: str | None) -> None:
    """Name the fields with texts that repeat and of which nothing was made: one may be the machine."""
    taken = {value for value in guess.settings.values() if isinstance(value, str)}
    if others := [one for one in _repeating(levels, time) if one.text not in taken]:
        guess.others = f"fields with texts that repeat, of which no setting was made: {_named(others)}"


def _is_state(one: Found) -> bool:
    """Return whether a name says that it is a state of a machine or the quality of a value."""
    return is_named_as_state(one.path[-1]) or QUALITY.fullmatch(one.path[-1]) is not None


def _repeating(levels: Levels, time: str | None) -> list[Found]:
    return [
        one
        for scope in levels.scopes
        for one in fitting(scope, _ANYTHING, _may_name_several)
        if one.text != time and one.values.times == 0
    ]


def _named(fields: Sequence[Found]) -> str:
    return listed([f"{one.text} ({one.listed(3)})" for one in fields], _MOST_NAMED)


def _in_keys(keys: set[bytes]) -> str:
    """Say that the keys hold a sensor beside something else, if they do."""
    texts = [key.decode(errors="replace") for key in list(keys)[:1000]]
    for sign in "|;,#@/:_ ":
        heads = {text.partition(sign)[0] for text in texts if sign in text}
        if len(texts) > 1 and all(sign in text for text in texts) and 2 * len(heads) <= len(texts):
            rest = texts[0].partition(sign)[2]
            beside = "a time" if _is_time(rest) else "something else"
            return (
                f"the keys hold a sensor and {beside}, such as {texts[0][:60]!r}, and no setting takes a key apart: all of the "
                "topic is one sensor here, which mixes the machines. Have the sender key the records by the sensor alone, or "
                'write the sensor into the record; a key that is JSON, such as {"machine": ..., "time": ...}, can be read'
            )
    return ""


def _is_time(text: str) -> bool:
    try:
        text_time(text, None)
    except RejectionError:
        return False
    return True


def _are_units(one: PathStats) -> bool:
    return all(MEASURED_IN.fullmatch(text) for text in one.distinct)


def _may_name_several(one: PathStats) -> bool:
    is_short = all(len(text) <= _LONGEST_NAME and not text.startswith(("{", "[")) for text in one.distinct)
    return are_texts(one) and repeats(one) and not _are_units(one) and len(one.distinct) > 1 and is_short


def _order(one: Found) -> tuple[bool, bool, int]:
    """Names of machines come first, then what has several values, then what is nearest to the top."""
    is_machine = MACHINE.fullmatch(one.path[-1]) is not None or is_of_machine(one.path)
    return not is_machine, len(one.values.distinct) == 1, len(one.path)
