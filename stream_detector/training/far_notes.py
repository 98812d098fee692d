"""Says what was done about the far values of a column, and how to decide otherwise; in a bounded number of lines."""

from __future__ import annotations

from stream_detector.readings import Float64Array
from stream_detector.training.far_columns import FarColumn

#: Values of a column of which each has a line.
_LISTED = 3


def notes_on_far(name: str, found: FarColumn, values: Float64Array) -> list[str]:
    """Return sentences on the far values of a column [N]: what was done, and how to decide otherwise."""
    total = len(values)
    measured = "if it is a measurement, --missing-values ''"

    def listed(values: dict[float, int], what: str, then: str) -> list[str]:
        notes = []
        for value, count in list(values.items())[:_LISTED]:
            low, high = found.beside.get(value, (found.low, found.high))
            beside = f"(all else of its sensor is from {low:.6g} to {high:.6g})"
            notes.append(f"column {name}: {value:.10g} {_times(count, total)}{what} {beside}. {then.format(value=value)}")
        if more := dict(list(values.items())[_LISTED:]):
            of_all = f"{min(more):.10g} to {max(more):.10g}, {_times(sum(more.values()), total)}"
            notes.append(f"column {name}: {len(more):,} more such values, from {of_all}, treated alike")
        return notes

    failed = f"if it stands for a failed read, --missing-values {name}={{value:.10g}}"
    left_out = "Left out of the training, so an alarm when"
    return [
        *listed(found.codes, " looks like an error code", f"Taken as missing, in training and in operation; {measured}"),
        *listed(found.repeated, " is far from the rest", f"{left_out} it comes again; {failed}; {measured}"),
        *_note_on_single(name, found, f"{left_out} such a value comes again; {measured}"),
        *_note_on_jumps(name, found, total, f"{left_out} that happens again; {measured}"),
        *listed(found.doubtful, ", far from the rest", f"Kept as a measurement; {failed}"),
        *_note_on_standing(name, found, values),
        *_note_on_crowd(name, found, total),
    ]


def _note_on_single(name: str, found: FarColumn, then: str) -> list[str]:
    if not found.single:
        return []
    low, high = min(found.single), max(found.single)
    what = f"{low:.10g}" if low == high else f"{len(found.single):,} values from {low:.10g} to {high:.10g}"
    return [f"column {name}: {what} far from the rest of their sensors. {then}"]


def _note_on_jumps(name: str, found: FarColumn, total: int, then: str) -> list[str]:
    if not found.jumps:
        return []
    return [
        f"column {name}: {len(found.jumps):,} single values ({100.0 * len(found.jumps) / total:.2g} % of the readings) "
        f"from {min(found.jumps):.6g} to {max(found.jumps):.6g} jump away from those around them and back. {then}"
    ]


def _note_on_standing(name: str, found: FarColumn, values: Float64Array) -> list[str]:
    stands = values[found.standing]
    if not len(stands):
        return []
    low, high = float(stands.min()), float(stands.max())
    what, then, failed = f"from {low:.6g} to {high:.6g},", "Kept as measurements", ""
    if low == high:
        what, then, failed = (
            f"{low:.10g}",
            "Kept as a measurement",
            f"; if it is a failed read, --missing-values {name}={low:.10g}",
        )
    rest = f"(all else is from {found.low:.6g} to {found.high:.6g})"
    return [
        f"column {name}: {what} {_times(len(stands), len(values))}, up to {found.longest_standing:,} in a row, far from the "
        f"rest {rest}, as of a machine that stands still. {then}; --only-while (of run: learning.only_while) leaves such "
        f"times out (docs/idle.md){failed}"
    ]


def _note_on_crowd(name: str, found: FarColumn, total: int) -> list[str]:
    if not found.crowd or found.jumps:  # the jumps are left out
        return []
    return [
        f"column {name}: {_times(found.crowd, total)} a value jumps far from the rest of its sensor and back. Kept, for that "
        "is too often, and to too many values, for failed reads. Is this history sound? A model learns what it shows as normal"
    ]


def _times(count: int, total: int) -> str:
    return f"{'once' if count == 1 else f'{count:,} times'} ({100.0 * count / total:.2g} % of the readings)"
