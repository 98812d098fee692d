"""Guesses where names and values are, if a record, or each item of a list in it, has one name and one value."""

from __future__ import annotations

from collections.abc import Sequence

from stream_detector.discovery.document_stats import DocumentStats, document_stats, path_text
from stream_detector.discovery.guessed import MOST, Guess
from stream_detector.discovery.tag_names import split_of
from stream_detector.discovery.time_guess import set_time
from stream_detector.discovery.usual_names import NAME, NAME_OR_ID, QUALITY, SENSOR, VALUE, best
from stream_detector.ingest.paths import compile_path


def set_pairs(guess: Guess, stats: DocumentStats, time: tuple[str, ...] | None) -> bool:
    """Set where name and value are, if a record, or each item of a list in it, has one of each; return whether so."""
    name = best(stats, NAME, lambda one: one.texts >= MOST * one.count and len(one.distinct) <= max(1, one.count // 2))
    value = best(stats, VALUE, lambda one: one.numbers >= MOST * one.count)
    if name is None or value is None or name[:-1] != value[:-1]:
        return False
    names = stats.paths[name].distinct
    guess.set("value", path_text(value), "one value in a record")
    quality = best(stats, QUALITY, lambda _: True)
    if quality is not None:
        guess.set("quality", path_text(quality), f"its values: {', '.join(list(stats.paths[quality].distinct)[:4])}")
    sensor = best(stats, SENSOR, lambda one: one.count == one.distinct.total() and len(one.distinct) <= max(1, one.count // 2))
    is_gateway = sensor is not None and len(stats.paths[sensor].distinct) == 1 and split_of(list(names)) is not None
    if sensor is not None and sensor not in (time, name) and not is_gateway:
        guess.set("sensor", path_text(sensor), f"it has {len(stats.paths[sensor].distinct)} values")
        guess.set("feature", path_text(name), f"it names the value: {', '.join(list(names)[:4])}")
        return True
    _split_tags(guess, name, list(names))
    return True


def set_items(guess: Guess, stats: DocumentStats, dated: Sequence[tuple[object, int]]) -> bool:
    """Set where the name-value pairs are, if most documents have a list of them; return whether so."""
    for path, count in stats.lists.most_common():
        if count < MOST * stats.documents:
            return False
        get = compile_path(path_text(path))
        of_items = document_stats((get(one), written_ms) for one, written_ms in dated)
        name = best(of_items, NAME_OR_ID, lambda one: one.texts >= MOST * one.count)
        value = best(of_items, VALUE, lambda one: one.numbers > 0)
        if name is None or value is None:
            continue
        names = list(of_items.paths[name].distinct)
        guess.set("items", path_text(path), f"a list of name-value pairs: {', '.join(names[:4])}")
        guess.set("feature", path_text(name), "it names the value")
        guess.set("value", path_text(value), "the value")
        quality = best(of_items, QUALITY, lambda _: True)
        if quality is not None:
            guess.set("quality", path_text(quality), f"its values: {', '.join(list(of_items.paths[quality].distinct)[:4])}")
        if guess.settings.get("time") == "":
            set_time(guess, of_items)
        return True
    return False


def _split_tags(guess: Guess, path: tuple[str, ...], names: Sequence[str]) -> None:
    """Take a name such as Line1.Press2.Temp apart if that gives sensors of several features; else each tag is a sensor."""
    split = split_of(names)
    if split is not None:
        guess.set("feature", path_text(path), f"it names the value: {', '.join(names[:3])}")
        machines = ", ".join(split.machines[:3])
        guess.set("tag_pattern", split.pattern, f"what is before the last {split.sign!r} is the machine: {machines}")
        return
    guess.set("sensor", path_text(path), "each tag is a sensor of its own, because nothing says which belong to one machine")
    guess.doubts.append("do some tags belong to one machine? Then set input.tag_pattern, so that they are watched together")
