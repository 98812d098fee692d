"""What becomes of the verdict: lines for people, a place in the model's report, a warning or a refusal when it is to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_detector.errors import ModelError
from stream_detector.gate.baseline_comparison import BASELINE, MODEL, Quality, Verdict

#: Key of the verdict in report.json of a model directory.
REPORT_KEY = "gate"


def warning_of(report: Mapping[str, Any], refuse: bool) -> str | None:
    """Return the warning that a model deserves by its training report, or None if it was promoted.

    Raises ModelError for a model that lost, when such models are refused. One that was not judged is warned of only.
    """
    try:
        gate = report.get(REPORT_KEY) or {}
        promoted = gate.get("promoted")
        if promoted:
            return None
        if promoted is None:
            return "the model was not compared with windowed PCA: its held-back data gave no faults to find"
        ours, theirs = (float(gate["overall"][name]["auc_pr"]) for name in (MODEL, BASELINE))
    except (AttributeError, KeyError, TypeError, ValueError):
        msg = f"the verdict in report.json ({REPORT_KEY}) cannot be understood; train the model anew"
        raise ModelError(msg) from None
    lost = f"the model finds injected faults worse than windowed PCA does (mean AUC-PR {ours:.3f} against {theirs:.3f})"
    if refuse:
        msg = (
            f"{lost}, and STREAM_DETECTOR_MODEL__REFUSE_UNPROMOTED is true; train on more data or with other options "
            "(report.json of the model lists the kinds of faults), or set it to false"
        )
        raise ModelError(msg)
    return f"{lost}; report.json of the model lists the kinds of faults"


def describe(verdict: Verdict) -> str:
    """Say in a few lines what came out: the verdict, and a table of AUC-PR (faults detected) by kind and scorer."""
    if verdict.promoted is None:
        return "gate: not judged, the held-back data gave no faults to find"
    ours, theirs = verdict.overall[MODEL].auc_pr, verdict.overall[BASELINE].auc_pr
    error = "" if verdict.standard_error is None else f" (standard error {verdict.standard_error:.3f})"
    names = list(verdict.by_kind)
    lines = [
        f"gate: {'promoted' if verdict.promoted else 'NOT promoted'}; injected faults in held-back data, mean AUC-PR "
        f"{ours:.3f} against {theirs:.3f} of windowed PCA, {verdict.gain:+.3f}{error}",
        f"  {'AUC-PR (detected)':<18}{'faults':>7}" + "".join(f"{name:>20}" for name in names),
    ]
    for kind, count in verdict.trials.items():
        lines.append(_row(kind, count, [verdict.by_kind[name][kind] for name in names]))
    lines.append(_row("mean", sum(verdict.trials.values()), [verdict.overall[name] for name in names]))
    return "\n".join(lines)


def _row(title: str, count: int, qualities: list[Quality]) -> str:
    cells = [f"{quality.auc_pr:.3f} ({quality.detected:.0%})" for quality in qualities]
    return f"  {title.replace('_', ' '):<18}{count:>7}" + "".join(f"{cell:>20}" for cell in cells)
