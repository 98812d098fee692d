"""What `evaluate` says of how the decision followed the sensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stream_detector.detection.governor import Governor
from stream_detector.evaluation.adaptation import adaptation_notes
from stream_detector.evaluation.incident_list import LISTED, IncidentList
from stream_detector.evaluation.incident_past import FileRows
from stream_detector.evaluation.offline_scoring import join, score_dataset
from tests.evaluation.test_offline_scoring import mixed
from tests.pipeline.replica_config import SECOND_MS, ReplicaConfig

PLANT = ReplicaConfig(governor=Governor(2.0), accept_ms=5 * SECOND_MS)


def test_what_was_accepted_and_whose_limit_was_raised_is_named() -> None:
    table, found = mixed(sensors=6, rows=1_200), IncidentList()

    rows = join(list(score_dataset(PLANT.detector(), table, found.add)))
    accepted, raised = adaptation_notes(table, rows)

    count = sum(one.is_accepted for one in found.found)
    assert len(rows.accepted) == count > 1
    assert accepted.startswith(f"{count} incidents were accepted as the new normal, of s")
    assert "and 1 more: what lasts after that is no alarm" in accepted
    most = max(one.margin_factor or 0.0 for one in found.found)
    assert 1.05 < most <= np.nanmax(rows.margin_factor) <= 1.5
    assert raised.startswith("own alarms raised the limit of s0, s1, s2 and ")
    assert raised.endswith(f"to a margin of {np.nanmax(rows.margin_factor):.3g} x at most (docs/false-alarms.md)")
    assert np.isnan(rows.margin_factor).tolist() == np.isnan(rows.score).tolist()


def test_an_incident_accepted_at_an_anomalous_reading_is_not_said_to_be_last_anomalous_then() -> None:
    table, found = mixed(sensors=6, rows=1_200), IncidentList()
    rows = join(list(score_dataset(PLANT.detector(), table, found.add)))

    accepted = [line for line in found.lines(FileRows(table, rows)) if "accepted as the new normal" in line]

    assert len(accepted) == len(rows.accepted) > 1
    assert not any("last anomalous" in line for line in accepted)


def test_a_list_that_is_cut_ends_with_what_concerns_all_incidents() -> None:
    table, found = mixed(sensors=20, rows=4_000), IncidentList()
    rows = join(list(score_dataset(PLANT.detector(), table, found.add)))

    lines = found.lines(FileRows(table, rows))

    assert len(found.found) > LISTED
    assert lines[-3:] == [
        f"  and {len(found.found) - LISTED} more, no more severe",
        *(f"  {note}" for note in adaptation_notes(table, rows)),
    ]


def test_nothing_is_said_where_nothing_moved() -> None:
    table = mixed(sensors=2, rows=100)

    still = join(list(score_dataset(replace(PLANT, margin=50.0, governor=None).detector(), table)))

    assert adaptation_notes(table, still) == []
    assert adaptation_notes(table, replace(still, margin_factor=np.empty(0))) == []
