"""Decides whether `stream-detector train` replaces the model in its output directory, and says so."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stream_detector.commands.train_output import WIDTH
from stream_detector.errors import ModelError
from stream_detector.files import check_replaceable
from stream_detector.model.artifact import Artifact
from stream_detector.model_store.model_directory import is_model, load_artifact
from stream_detector.tables.dataset import Dataset
from stream_detector.timestamps import duration
from stream_detector.training.extent import Extent, extent_of_model

if TYPE_CHECKING:
    from stream_detector.training.comparison import Comparison
    from stream_detector.training.own_figures import OwnFigures

#: Exit code of a training whose model is worse than the one there.
REJECTED = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model goes, and what is there."""

    output: Path
    there: Artifact | None  # None: no model, or one that cannot be read
    unreadable: str | None  # why

    @property
    def previous(self) -> Path:
        """Where a model that is replaced is kept."""
        return Path(f"{self.output}.previous")

    @property
    def rejected(self) -> Path:
        """Where a model goes that is worse than the one there."""
        return Path(f"{self.output}.rejected")


def look_at(output: Path) -> Place:
    """Read the model in the output directory. Raises ModelError if it, or a place beside it, holds something else."""
    place = Place(output, None, None)
    for path in (output, place.previous, place.rejected):
        check_replaceable(path, is_model)
    if not output.is_dir() or not is_model(output):
        return place
    try:
        return Place(output, load_artifact(output), None)
    except ModelError as error:
        return Place(output, None, str(error))


def check_features(place: Place, features: Sequence[str], *, replace: bool) -> None:
    """Raise ModelError if the model there has other features, unless the user wants it replaced."""
    if place.there is None or replace or set(place.there.spec.features) == set(features):
        return
    known = place.there.spec.features
    more = ", ".join(name for name in features if name not in known)
    less = ", ".join(name for name in known if name not in features)
    difference = " and ".join(filter(None, [f"the data have {more} more" if more else "", f"lack {less}" if less else ""]))
    msg = (
        f"the model in {place.output} has other features ({difference}), so it cannot be compared with a new one. "
        f"To replace it all the same, add --replace (it is kept as {place.previous}); to keep both, choose another --output"
    )
    raise ModelError(msg)


def in_its_order(place: Place, dataset: Dataset) -> Dataset:
    """Return the dataset with its features in the order of the model there, if they are the same; else as it is.

    Models of features in another order could not be compared, and would not go on with the sensors' windows.
    """
    if place.there is None or set(place.there.spec.features) != set(dataset.features):
        return dataset
    return dataset.select(place.there.spec.features)


def describe_comparison(comparison: Comparison) -> str:
    """Return a table of both models."""
    there, new = comparison.there, comparison.new
    about = (
        f"A model is there already. Both on the same readings held back from the new one's training, at {comparison.budget:g} "
        "false alarms a sensor and day:"
    )
    rows = [
        ("", "model there", "this one"),
        *_history_row(there.extent, new.extent),
        (f"faults alarmed in time, of {len(new.found)}", f"{int(there.found.sum())}", f"{int(new.found.sum())}"),
        (
            f"false alarms in {comparison.healthy_days:.3g} healthy sensor-days",
            f"{there.false_alarms}",
            f"{new.false_alarms}",
        ),
    ]
    if rankings := comparison.rankings():
        rows.append(("faulty told from healthy readings (1 is best)", f"{rankings[0]:.3f}", f"{rankings[1]:.3f}"))
    rows += _own_rows(there.own, new.own)
    lines = [f"  {what:<48}{left:>12}{right:>12}".rstrip() for what, left, right in rows]
    return "\n".join(["", *textwrap.wrap(about, WIDTH), "", *lines])


def _history_row(there: Extent | None, new: Extent | None) -> list[tuple[str, str, str]]:
    """Return the row of how much history each model was trained on."""
    if new is None:
        return []
    left = duration(there.span_seconds) if there else "unknown"
    return [(f"history (enough is {duration(new.enough_seconds)})", left, duration(new.span_seconds))]


def describe_short(place: Place, extent: Extent) -> str | None:
    """Say before a training that its history is too short to replace the model there; None if it may be enough."""
    there = extent_of_model(place.there) if place.there else None
    if there is None or not extent.is_far_too_short or not extent.why_less_than(there):
        return None
    return (
        f"The model in {place.output} was trained on {duration(there.span_seconds)}, so this one will not take its place, "
        f"unless you add --replace: it goes to {place.rejected}."
    )


def _own_rows(there: OwnFigures, new: OwnFigures) -> list[tuple[str, str, str]]:
    """Return the rows of what each model showed in its own training, as far as anything is known of the one there."""
    rows = []
    if there.faults and new.faults:
        at = "" if there.budget == new.budget else f" (at {there.budget:g} a day)"
        left, right = f"{there.found} of {there.faults}", f"{new.found} of {new.faults}"
        rows.append((f"in its own training: faults alarmed{at}", left, right))
    if there.ranking is not None and new.ranking is not None:
        rows.append(("in its own training: faulty told from healthy", f"{there.ranking:.3f}", f"{new.ranking:.3f}"))
    return rows


def describe_doubt(place: Place, comparison: Comparison) -> str | None:
    """Say what it may mean that the model there alarms far beyond its budget on the new data; None if it does not."""
    if not comparison.there_alarms_too_often():
        return None
    there = comparison.there
    text = (
        f"MIND: on healthy readings of the new history the model there raises {_alarms(there.false_alarms)} in "
        f"{comparison.healthy_days:.3g} sensor-days, where its budget allows {comparison.allowed:.2g}, and is in alarm "
        f"{there.alarmed_share:.0%} of the time. Either the plant has changed, or something is wrong with this history. "
    )
    if comparison.new.own.why_weaker_than(there.own):
        return _filled(
            f"{text}After a mere change the new model should be about as good as the old one was. It is clearly weaker, so "
            "look at the history first: values multiplied, negated, or in other units? Other columns, a fault in it?"
        )
    return _filled(
        f"{text}The new model is no weaker by its own training than that one was by its own, as after a change. If "
        f"nothing has changed at the plant, look at the history before you use this model; the old one is {place.previous}."
    )


def _alarms(count: int) -> str:
    return "1 false alarm" if count == 1 else f"{count} false alarms"


def describe_decision(place: Place, comparison: Comparison | None, *, replace: bool) -> str | None:
    """Say in a sentence what happened to the model there and to the new one; None if there was none."""
    worse = comparison.why_worse() if comparison else None
    if worse and not replace:
        return _filled(f"REJECTED: this model {worse}. The model in {place.output} stays, this one is in {place.rejected}.")
    if place.unreadable:
        return _filled(f"REPLACED without a comparison: {place.unreadable}. It is kept as {place.previous}.")
    if place.there is None:
        return None
    if comparison is None:
        return _filled(f"REPLACED without a comparison, for it has other features. It is kept as {place.previous}.")
    verdict = f"although this one {worse}" if worse else "this one is not worse"
    return _filled(f"REPLACED: {verdict}. The model that was there is kept as {place.previous}.")


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
