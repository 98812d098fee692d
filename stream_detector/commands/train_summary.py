"""Says in a few lines what a training of `run` gave: what it learned from, what it left out, what it finds, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from stream_detector.commands.smallest_shift import smallest_shift
from stream_detector.commands.train_output import SHORT, describe_data
from stream_detector.commands.train_verdict import HARDLY, promotion_text
from stream_detector.gate.baseline_comparison import GateResult
from stream_detector.tables.dataset import Dataset
from stream_detector.timestamps import duration
from stream_detector.training.verdict import Verdict

#: Notes on what was left out, and characters of each.
_MOST_NOTES, _MOST_CHARACTERS = 6, 400


def print_summary(
    dataset: Dataset, notes: Sequence[str], verdict: Verdict, result: GateResult, say: Callable[[str], None]
) -> None:
    """Print the lines for the service that runs the training."""
    for line in summary_lines(dataset, notes, verdict, result):
        say(f"{SHORT}{line}")


def summary_lines(dataset: Dataset, notes: Sequence[str], verdict: Verdict, result: GateResult) -> list[str]:
    """Return the lines; `notes` say what was repaired and left out."""
    lines = [" ".join(describe_data(dataset).removeprefix("data: ").split())]
    lines += [_cut(note) for note in notes[:_MOST_NOTES]]
    if len(notes) > _MOST_NOTES:
        lines.append(f"and {len(notes) - _MOST_NOTES} more notes")
    return [*lines, *_found(verdict), promotion_text(result, verdict.alarms.missing), *_extent(verdict)]


def _found(verdict: Verdict) -> Iterator[str]:
    kinds = verdict.alarms.result.by_kind()
    if not kinds:
        yield "no faults could be injected to see what it finds: the held-back readings are too few, or never change"
        return
    injected, found = sum(one.injected for one in kinds), sum(one.found for one in kinds)
    bad = [one.text for one in kinds if one.found <= HARDLY * one.injected]
    hardly = f"; hardly or never: {', '.join(bad)}" if bad else ""
    budget = f"{verdict.budget.budget:g} false alarms a sensor and day"
    yield f"it finds {found} of {injected} injected faults in time, at {budget}{hardly}"
    if shift := smallest_shift(verdict):
        yield shift


def _extent(verdict: Verdict) -> Iterator[str]:
    extent = verdict.history.extent
    if extent.is_far_too_short or extent.is_short:
        enough = duration(extent.enough_seconds)
        yield (
            f"the history is short ({duration(verdict.history.span_seconds)}): what it has not seen may alarm. Train again "
            f"when there are {enough} or more"
        )


def _cut(note: str) -> str:
    text = " ".join(note.split())
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."
