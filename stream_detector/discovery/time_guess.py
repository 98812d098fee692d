"""Guesses where the time of a reading is."""

from __future__ import annotations

from stream_detector.discovery.document_stats import DocumentStats, path_text
from stream_detector.discovery.guessed import MOST, Guess
from stream_detector.discovery.usual_names import TIME, best


def set_time(guess: Guess, stats: DocumentStats) -> tuple[str, ...] | None:
    """Set where the time is; return its path, None if that of the record counts."""
    time = best(stats, TIME, lambda one: one.times >= MOST * one.count)
    if time is None:
        time = next((path for path, one in stats.paths.items() if one.near >= MOST * stats.documents), None)
    if time is None:
        text = best(stats, TIME, lambda one: one.texts >= MOST * one.count)
        guess.set("time", "", "no field can be read as a time, so the time at which the record was written counts")
        if text is not None:
            example = next(iter(stats.paths[text].distinct), "")
            guess.doubts.append(f"{path_text(text)} may be the time ({example!r}): then set input.time and input.time_format")
        return None
    guess.set("time", path_text(time), f"its values can be read as times: {next(iter(stats.paths[time].distinct), '')}")
    return time
