"""Says in the user's units how large a change that lasts must be for a model to find it, by the injected faults."""

from __future__ import annotations

from collections.abc import Iterator

from stream_detector.gate.drill import SHIFTS
from stream_detector.gate.drill_run import KindResult
from stream_detector.model_store.serialization import REPORT
from stream_detector.training.verdict import Verdict

#: Features that are listed; the report of the training has all.
LISTED = 12
#: A size is found if this share of its faults is alarmed in time.
RELIABLE = 0.8


def smallest_shift(verdict: Verdict, most: int = LISTED) -> str:
    """Return the sentence, with at most so many features, and where the others are; empty without such faults or deviations."""
    tried = _tried(verdict)
    if not tried or not verdict.deviations:
        return ""
    found = list(_found_from_above(tried))
    size = found[-1] if found else tried[-1][0]
    amounts = [f"{one.feature} by {size * one.size:.3g}{one.unit and ' '}{one.unit}" for one in verdict.deviations[:most]]
    more = len(verdict.deviations) - most
    listed = ", ".join(amounts) + (f", and {more_in_report(more)}" if more > 0 else "")
    each = f"{size:g} standard deviation{'s' if size > 1 else ''}"
    if found:
        return f"The smallest lasting shift of one feature that it finds reliably: {each} ({listed})."
    return f"It does not find a lasting shift of one feature reliably, not even by {each} ({listed})."


def more_in_report(count: int) -> str:
    """Say that so many features are not listed, and where they are."""
    return f"{count} more, in {REPORT} of the model (verdict.deviations)"


def coupling_advice(verdict: Verdict) -> str:
    """Say how smaller shifts may be found, if a shift by one deviation is not, and the model does not do it yet."""
    tried = _tried(verdict)
    if not tried or verdict.has_others or len(verdict.deviations) < 2:
        return ""
    if 1.0 in _found_from_above(tried):
        return ""
    return (
        "If features of a machine go together, as the current, pressure and flow of a pump do, --coupled-features may find "
        "smaller ones. Train again with it, to the same --output: the new model takes the place of this one unless it is worse."
    )


def _tried(verdict: Verdict) -> list[tuple[float, KindResult]]:
    """Return the shifts that were injected, by size in deviations."""
    return sorted((SHIFTS[one.kind], one) for one in verdict.alarms.result.by_kind() if one.kind in SHIFTS and one.injected)


def _found_from_above(tried: list[tuple[float, KindResult]]) -> Iterator[float]:
    """Yield the sizes that are found reliably, from the largest down to the first that is not."""
    for size, one in reversed(tried):
        if one.found < RELIABLE * one.injected:
            return
        yield size
