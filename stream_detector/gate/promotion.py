"""Turns the result of the gate into text, and into a warning or a refusal when the model is loaded to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_detector.errors import ModelError
from stream_detector.gate.baseline_comparison import BASELINE, MODEL, GateResult, Quality

#: Key of the gate's result in report.json of a model directory.
REPORT_KEY = "gate"


def promotion_warning(report: Mapping[str, Any], refuse: bool) -> str | None:
    """Return a warning if the model was not promoted, according to its training report; else None.

    Raises ModelError for a report that cannot be understood and, if `refuse`, for a model that lost to windowed PCA. A model
    without a result is never refused.
    """
    try:
        gate = report.get(REPORT_KEY) or {}
        promoted = gate.get("promoted")
        if promoted:
            return None
        if promoted is None:
            return "the model was not compared with windowed PCA: no faults could be injected into its held-back data"
        ours, theirs = (float(gate["overall"][name]["auc_pr"]) for name in (MODEL, BASELINE))
    except (AttributeError, KeyError, TypeError, ValueError):
        msg = f"the gate's result in report.json ({REPORT_KEY}) cannot be understood; train the model again"
        raise ModelError(msg) from None
    lost = f"the model finds injected faults worse than windowed PCA (mean AUC-PR {ours:.3f} against {theirs:.3f})"
    if refuse:
        msg = (
            f"{lost}, and STREAM_DETECTOR_MODEL__REFUSE_UNPROMOTED is true; train on more data or with other options "
            "(the model's report.json has the figures by kind of fault), or set it to false"
        )
        raise ModelError(msg)
    return f"{lost}; the model's report.json has the figures by kind of fault"


def describe(result: GateResult) -> str:
    """Return the result in a few lines, with a table of AUC-PR (faults detected) by kind of fault and scorer."""
    if result.promoted is None:
        return "gate: no result; no faults could be injected into the held-back data"
    ours, theirs = result.overall[MODEL].auc_pr, result.overall[BASELINE].auc_pr
    error = "" if result.standard_error is None else f" (standard error {result.standard_error:.3f})"
    names = list(result.by_kind)
    lines = [
        f"gate: {'promoted' if result.promoted else 'NOT promoted'}; injected faults in held-back data, mean AUC-PR "
        f"{ours:.3f} against {theirs:.3f} of windowed PCA, {result.gain:+.3f}{error}",
        f"  {'AUC-PR (detected)':<18}{'faults':>7}" + "".join(f"{name:>20}" for name in names),
    ]
    for kind, count in result.trials.items():
        lines.append(_row(kind, count, [result.by_kind[name][kind] for name in names]))
    lines.append(_row("mean", sum(result.trials.values()), [result.overall[name] for name in names]))
    return "\n".join(lines)


def _row(title: str, count: int, qualities: list[Quality]) -> str:
    cells = [f"{quality.auc_pr:.3f} ({quality.detected:.0%})" for quality in qualities]
    return f"  {title.replace('_', ' '):<18}{count:>7}" + "".join(f"{cell:>20}" for cell in cells)
