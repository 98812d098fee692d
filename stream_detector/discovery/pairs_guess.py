"""Guesses where names and values are, if a record, or each item of a list in it, has one name and one value."""

from __future__ import annotations

from collections.abc import Sequence

from stream_detector.discovery.document_stats import document_stats, path_text
from stream_detector.discovery.guessed import MOST, Guess
from stream_detector.discovery.levels import Levels, are_pairs, elements
from stream_detector.discovery.naming import listed
from stream_detector.discovery.pair_paths import name_paths, outer_pair, value_in, value_of
from stream_detector.discovery.quality_guess import set_quality
from stream_detector.discovery.scopes import Found, Scope, are_texts, find, repeats
from stream_detector.discovery.sensor_guess import keys_of, named_sensor, set_instead
from stream_detector.discovery.tag_names import split_of
from stream_detector.discovery.time_guess import set_time
from stream_detector.discovery.usual_names import NAME_OR_ID, QUALITY, SENSOR
from stream_detector.readings import Record


def set_pairs(guess: Guess, levels: Levels, records: Sequence[Record], time: str | None) -> bool:
    """Set where name and value are, if a record has one of each; return whether so."""
    here = levels.scopes[:1]
    named = list(name_paths(here[0], lambda one: are_texts(one) and len(one.distinct) <= max(1, one.count // 2)))
    found = next(((one, value) for one in named if (value := value_of(here[0], one.path)) is not None), None)
    are_apart = found is None
    found = found or outer_pair(here[0], named)
    if found is None:
        return False
    name, value = found
    if are_apart:
        guess.doubts.append(
            f"does {name.text} name what {value.text} is the value of? They are in different objects; if not, set "
            "input.feature and input.value"
        )
    guess.set("value", value.text, "one value in a record")
    set_quality(guess, here, QUALITY)
    names = list(name.values.distinct)
    sensor = named_sensor(levels, time)
    is_gateway = sensor is not None and len(sensor.values.distinct) == 1 and split_of(names) is not None
    if sensor is not None and sensor.text not in (time, name.text) and not is_gateway:
        guess.set("sensor", sensor.text, f"it has {len(sensor.values.distinct)} values")
        guess.set("feature", name.text, f"it names the value: {name.listed(4)}")
        if len(sensor.values.distinct) == 1:
            set_instead(guess, levels, keys_of(records), time, sensor)
    elif not _set_split(guess, name, names):
        guess.set("sensor", name.text, "each tag is a sensor of its own, because nothing says which belong to one machine")
        guess.doubts.append("do some tags belong to one machine? Then set input.tag_pattern, so that they are watched together")
    return True


def set_items(guess: Guess, levels: Levels) -> bool:
    """Set where the name-value pairs are, if most readings have a list of them; return whether so."""
    for path, count in levels.stats.lists.most_common():
        if count < MOST * levels.stats.documents:
            return False
        items = (Scope(document_stats(elements(levels.readings, path_text(path)))),)
        name, value = find(items, NAME_OR_ID, are_texts), value_in(items[0], lambda one: one.numbers > 0)
        if name is None or value is None or not are_pairs(items[0].stats):
            continue
        names = list(name.values.distinct)
        guess.set("items", path_text(path), f"a list of name-value pairs: {listed(names, 4)}")
        guess.set("feature", name.text, "it names the value")
        guess.set("value", value.text, "the value")
        set_quality(guess, items, QUALITY)
        if guess.settings.get("time") == "":
            set_time(guess, items)
        sensor = find(levels.scopes, SENSOR, repeats)
        if sensor is None or len(sensor.values.distinct) == 1:
            _set_split(guess, name, names)
        return True
    return False


def _set_split(guess: Guess, name: Found, names: Sequence[str]) -> bool:
    """Take names such as Line1.Press2.Temp apart if that gives sensors of several features; return whether so."""
    split = split_of(names)
    if split is None:
        return False
    guess.set("feature", name.text, f"it names the value: {listed(names, 3)}")
    machines = listed(split.machines, 3)
    guess.set("tag_pattern", split.pattern, f"what is before the last {split.sign!r} is the machine: {machines}")
    return True
