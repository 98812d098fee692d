"""Turns the result of the gate into a warning or a refusal when a model is loaded to run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from stream_detector.errors import ModelError
from stream_detector.gate.baseline_comparison import BASELINE, MODEL

#: Keys in report.json of a model directory: the gate's result, the verdict, and in it what features that are missing do.
REPORT_KEY, VERDICT_KEY, MISSING_KEY = "gate", "verdict", "missing_features"
#: A loss of fewer standard errors than this may be chance.
BY_CHANCE = 2.0


def promotion_warning(report: Mapping[str, Any], refuse: bool, *, but_by_chance: bool = False) -> str | None:
    """Return a warning if the model was not promoted, according to its training report; else None.

    Raises ModelError for a report that cannot be understood and, if `refuse`, for a model that lost to windowed PCA, or that
    fails while features are missing. With `but_by_chance`, a loss of less than BY_CHANCE standard errors is not refused.
    A model without a result is never refused.
    """
    try:
        gate = report.get(REPORT_KEY) or {}
        failed = ((report.get(VERDICT_KEY) or {}).get(MISSING_KEY) or {}).get("failed")
        promoted = gate.get("promoted")
        if failed and promoted is not False:
            return _warn_or_refuse(f"the model {failed}", refuse)
        if promoted:
            return None
        if promoted is None:
            return "the model was not compared with windowed PCA: no faults could be injected into its held-back data"
        ours, theirs = (float(gate["overall"][name]["auc_pr"]) for name in (MODEL, BASELINE))
        error = math.inf if gate.get("standard_error") is None else float(gate["standard_error"])
    except (AttributeError, KeyError, TypeError, ValueError):
        msg = f"the gate's result in report.json ({REPORT_KEY}) cannot be understood; train the model again"
        raise ModelError(msg) from None
    lost = f"the model finds injected faults worse than windowed PCA (mean AUC-PR {ours:.3f} against {theirs:.3f})"
    if but_by_chance and theirs - ours < BY_CHANCE * error:
        return _warn_or_refuse(f"{lost}, which may be chance", refuse=False)
    return _warn_or_refuse(lost, refuse)


def _warn_or_refuse(what: str, refuse: bool) -> str:
    if refuse:
        msg = (
            f"{what}, and STREAM_DETECTOR_MODEL__REFUSE_UNPROMOTED is true; train on more data or with other options "
            "(the model's report.json has the figures by kind of fault), or set it to false"
        )
        raise ModelError(msg)
    return f"{what}; the model's report.json has the figures by kind of fault"
