"""What an open incident waits for: since when it is quiet, when it closes, and what holds it open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.detection.rules.fold import RuleConfig
from stream_detector.detection.transition import CLOSED
from stream_detector.inspection.closing import (
    ABOVE,
    APPLIES,
    BEYOND,
    NEAR,
    NOT_TOLD,
    Closing,
    closing_document,
    closing_in_words,
    closing_of,
    explained,
)
from stream_detector.inspection.scored_window import BeyondHealthy, Scored
from stream_detector.state.record_layout import NO_INCIDENT, Records
from tests.detection.decision_cases import RULES, decided, headers, readings_of
from tests.inspection.records import model, record
from tests.pipeline.replica_config import SECOND_MS, START_MS, ReplicaConfig, some_rules

#: An incident closes after 2 s of quiet, and is accepted after an hour.
OF_SCORE = model(ReplicaConfig()).rules
SCORED = Scored(1.5, 3.0, 1.0, np.zeros((1, 1)), np.ones(1, np.float32), np.ones(1, np.float32), held_above=1.25)


def opened(quiet_ms: int, **fields: object) -> Records:
    """Return a record with an incident of the score that opened 10 s before its newest reading."""
    return record(incident_offset=5, incident_time_ms=START_MS - 10_000, last_anomalous_ms=START_MS - quiet_ms, **fields)


def words(records: Records, scored: Scored | None = None) -> str:
    return closing_in_words(explained(closing_of(records, "anomaly", OF_SCORE), scored, START_MS - 10_000))


@given(
    surprises=st.lists(st.sampled_from([1.0, 1.3, 3.0]), max_size=12),
    step_ms=st.sampled_from([10, 20, 70]),
)
def test_an_incident_closes_when_it_says_if_all_stays_quiet(surprises: list[float], step_ms: int) -> None:
    """A surprise of 1.3 is above a quarter of the margin of 1, and holds an incident open; one of 3 opens it."""
    times = [step_ms * at for at in range(1, len(surprises) + 2)]
    header = headers()
    decided(header, readings_of([3.0, *surprises], times))
    header["last_time_ms"], header["filled"] = times[-1], 2
    if header["incident_offset"][0] == NO_INCIDENT:
        return
    records = record()[:1].copy()
    for name in ("incident_offset", "incident_time_ms", "last_anomalous_ms", "last_time_ms"):
        records["header"][name] = header[name]
    found = closing_of(records, "anomaly", RULES)
    later = [times[-1] + step_ms * at for at in range(1, 9)]
    closed = [one for one in decided(header, readings_of([1.0] * 8, later)).transitions if one.status == CLOSED]

    expected = (times[-1] + RULES.quiet_ms) if found.closes_ms is None else found.closes_ms
    assert found.is_quiet == ([3.0, *surprises][-1] == 1.0)
    assert later[closed[0].position] == min(time for time in later if time >= expected)


def test_a_quiet_incident_says_for_how_long_and_when_it_closes() -> None:
    assert words(opened(500)) == "quiet for 0.5 s; closes after 2 s of quiet, about 2023-11-14 22:13:21Z"


def test_a_window_that_fills_closes_nothing_before_it_is_full() -> None:
    """Its window has 1 of 3 readings, a second apart."""
    found = closing_of(opened(1_500, filled=1), "anomaly", OF_SCORE)

    assert found.closes_ms == START_MS + 2 * SECOND_MS
    assert "closes after 2 s of quiet and once its window is full (1 of 3 readings), about" in closing_in_words(found)


def test_what_holds_it_open_is_told_with_what_would_close_it() -> None:
    beyond = BeyondHealthy("temperature", 48.0, 21.2, 45.6)
    low = replace(SCORED, score=1.1, beyond=beyond)
    accepted = "if it stays so, it is the new normal from 2023-11-15 00:13:10Z on"

    assert words(opened(0), SCORED) == (
        f"still open: its score of 1.5 is below the threshold, but closes it only below 1.25; "
        f"closes 2 s after the last such reading; {accepted}"
    )
    assert words(opened(0), low).startswith(
        "still open: temperature 48 is beyond all of its healthy readings in training: 21.2 to 45.6; closes 2 s after"
    )
    assert words(opened(0)).startswith("still open: its newest reading holds it open; closes 2 s after")


def test_an_anomalous_reading_accepts_it_after_half_the_time_of_one_that_only_holds_it_open() -> None:
    found = explained(closing_of(opened(0), "anomaly", OF_SCORE), replace(SCORED, score=4.0), START_MS - 10_000)

    assert (found.held_by, found.accepted_ms) == (ABOVE, START_MS - 10_000 + 3_600_000)


@pytest.mark.parametrize(
    ("scored", "held_by"),
    [
        (None, NOT_TOLD),
        (replace(SCORED, score=4.0), ABOVE),
        (SCORED, NEAR),
        (replace(SCORED, score=1.0, beyond=BeyondHealthy("a", 1.0, 0.0, 0.5)), BEYOND),
    ],
)
def test_the_document_names_what_holds_it_open(scored: Scored | None, held_by: str) -> None:
    told = closing_document(explained(closing_of(opened(0), "anomaly", OF_SCORE), scored, START_MS))

    assert told is not None
    assert (told["held_by"], told["closes_at"], told["closes_after_quiet_seconds"]) == (held_by, None, 2.0)
    assert closing_document(None) is None


def test_without_a_model_it_says_since_when_it_is_quiet() -> None:
    assert closing_in_words(closing_of(opened(90_000), "anomaly", None)) == "quiet for 90 s"
    assert closing_in_words(closing_of(opened(0), "anomaly", None)) == "still open: its newest reading holds it open"


def of_rule(kind: str, calm: int, config: RuleConfig | None) -> Closing:
    records = record()
    records["rules"]["incidents"][kind]["offset"] = 3
    records["rules"]["incidents"][kind]["calm"] = calm
    return closing_of(records, kind, replace(OF_SCORE, findings=config))


def test_an_incident_of_a_rule_closes_after_calm_readings_at_the_pace_of_its_sensor() -> None:
    """The tests' rules close after 2 readings, a second apart; a switch has to rest for 32, whatever is set."""
    config = some_rules()

    assert of_rule("frozen", 1, config).closes_ms == START_MS + SECOND_MS
    assert of_rule("flapping", 12, config).closes_ms == START_MS + 20 * SECOND_MS
    assert closing_in_words(of_rule("flapping", 12, config)) == (
        "quiet for 12 s; closes after 32 s of quiet, about 2023-11-14 22:13:40Z"
    )
    assert of_rule("frozen", 0, config).held_by == APPLIES
    assert closing_in_words(of_rule("frozen", 0, None)) == "still open: the rule applies to its newest reading"
    assert closing_in_words(of_rule("frozen", 4, None)) == "quiet for 4 s"
