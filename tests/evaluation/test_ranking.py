"""VUS-PR and AUC-PR: by hand, against the reference implementation, and what they are invariant to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream_detector.evaluation.ranking import average_precision, lowest_where_absent, vus_pr
from stream_detector.evaluation.segments import find_segments
from stream_detector.readings import BoolArray, Float64Array
from tests.examples import examples

#: Labels, scores, AUC-PR, and VUS-PR at windows of 1, 5, 8 and 30 rows, as computed by the
#: reference: average_precision_score of scikit-learn 1.9, and the fast form of TSB-AD's generate_curve(..., "opt", 250).
FROZEN = {
    "one event": (
        "000000011111000000000000",
        [1, 2, 1, 3, 2, 1, 4, 6, 9, 8, 3, 7, 5, 4, 2, 1, 2, 8, 1, 3, 2, 1, 1, 2],
        0.7342424242424241,
        (0.7342424242424243, 0.7754433813444742, 0.7866400772903862, 0.8977321966880706),
    ),
    "events so close that rows between them are near two": (
        "001001000110000000010000",
        [3, 1, 7, 2, 5, 8, 4, 1, 6, 9, 2, 7, 7, 1, 3, 2, 1, 4, 5, 2, 6, 1, 1, 3],
        0.6311111111111111,
        (0.5027777777777778, 0.7456415711713236, 0.8185300789445035, 0.9445048373521406),
    ),
    "events at both ends": (
        "110000000000000000000111",
        [5, 9, 4, 1, 2, 1, 6, 1, 1, 2, 1, 3, 2, 1, 1, 2, 7, 2, 1, 8, 3, 6, 2, 4],
        0.5425,
        (0.48250000000000004, 0.5848340090355283, 0.6408627168614659, 0.8561951104530234),
    ),
    "almost all anomalous": (
        "111111101111111111110111",
        [5, 9, 4, 1, 2, 1, 6, 8, 1, 2, 1, 3, 2, 1, 1, 2, 7, 2, 1, 8, 3, 6, 2, 4],
        0.8748736409164216,
        (0.8710857621285428, 0.9570285873761809, 0.9713523915841206, 0.9916829523953898),
    ),
    "two values of the score": (
        "000011100000000110000000",
        [1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 2, 1, 1],
        0.44333333333333336,
        (0.44333333333333336, 0.4962862156369629, 0.5490947775928805, 0.8378413868834116),
    ),
}


def flags(text: str) -> BoolArray:
    return np.array([character == "1" for character in text])


@pytest.mark.parametrize(("text", "scores", "auc", "volumes"), FROZEN.values(), ids=list(FROZEN))
def test_agrees_with_the_reference(text: str, scores: list[float], auc: float, volumes: tuple[float, ...]) -> None:
    labels, values = flags(text), np.array(scores, np.float64)

    assert average_precision(labels, values) == pytest.approx(auc, abs=1e-12)
    assert [vus_pr(labels, values, window) for window in (1, 5, 8, 30)] == pytest.approx(volumes, abs=1e-12)


def test_rows_that_are_not_scored_rank_as_the_lowest_as_in_the_reference() -> None:
    text, scores, _, _ = FROZEN["one event"]
    values = np.array(scores, np.float64)
    values[[0, 1, 8]] = np.nan

    ranked = lowest_where_absent(values)

    assert ranked[[0, 1, 8]].tolist() == [1.0] * 3
    assert average_precision(flags(text), ranked) == pytest.approx(0.505, abs=1e-12)
    assert vus_pr(flags(text), ranked, 6) == pytest.approx(0.6142300278348214, abs=1e-12)
    assert lowest_where_absent(np.full(2, np.nan)).tolist() == [0.0, 0.0]


def test_average_precision_by_hand() -> None:
    # falling scores: hit (1/1), miss, hit (2/3), miss, hit (3/5)
    labels, scores = flags("10101"), np.array([5.0, 4.0, 3.0, 2.0, 1.0])

    assert average_precision(labels, scores) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert average_precision(labels, np.zeros(5)) == pytest.approx(3 / 5)  # all in one step


def test_vus_pr_by_hand() -> None:
    # One event at row 2; its row is second, a row beside it first. Without tolerance: precision 0/1, then 1/2 with recall 1,
    # and a window of one row has none either.
    labels, scores = flags("00100"), np.array([0.0, 4.0, 3.0, 0.0, 0.0])
    assert vus_pr(labels, scores, 1) == pytest.approx(1 / 2)

    # Tolerance 2: rows 1 and 3 count sqrt(1 - 1/2) = .7071. First threshold: .7071 found of 1 + .7071/2, by one row.
    # Second: 1.7071 found by two rows, recall 1 (capped). The event is found at both.
    beside = np.sqrt(0.5)
    first = beside / (1 + beside / 2)
    with_tolerance = first * beside + (1 - first) * (1 + beside) / 2
    assert vus_pr(labels, scores, 2) == pytest.approx((1 / 2 + 1 / 2 + with_tolerance) / 3)


def test_a_perfect_score_is_worth_one_without_tolerance_and_a_constant_one_what_chance_is() -> None:
    labels = flags("0001100000")

    assert vus_pr(labels, labels.astype(np.float64), 0) == pytest.approx(1.0)
    assert vus_pr(labels, np.zeros(10), 0) == pytest.approx(0.2)


@st.composite
def labelled_scores(draw: st.DrawFn) -> tuple[BoolArray, Float64Array]:
    count = draw(st.integers(2, 60))
    labels = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    scores = np.array(draw(st.lists(st.integers(0, 8), min_size=count, max_size=count)), np.float64)
    assume(labels.any())
    return labels, scores


@given(labelled_scores(), st.integers(0, 40))
@settings(deadline=None)
def test_only_the_order_of_scores_matters_and_time_has_no_direction(
    given_: tuple[BoolArray, Float64Array], window: int
) -> None:
    labels, scores = given_
    volume = vus_pr(labels, scores, window)

    assert 0.0 <= volume <= 1.0 + 1e-9
    assert vus_pr(labels, np.exp(scores) - 7.0, window) == pytest.approx(volume)
    assert vus_pr(labels[::-1], scores[::-1], window) == pytest.approx(volume)
    assert average_precision(labels[::-1], np.exp(scores[::-1])) == pytest.approx(average_precision(labels, scores))


def slow_vus_pr(labels: BoolArray, scores: Float64Array, window: int) -> float:
    """Compute VUS-PR by its definition, row by row."""
    count, events = len(labels), find_segments(labels).tolist()
    thresholds = sorted(scores.tolist(), reverse=True)
    thresholds = [thresholds[int(position)] for position in np.linspace(0, count - 1, 250)]
    areas = []
    for width in range(window + 1):
        reach, soft = width // 2, labels.astype(float)
        for row in np.flatnonzero(~labels):
            distances = [first - row if row < first else row - (stop - 1) for first, stop in events]
            soft[row] = min(1.0, sum(np.sqrt(1 - distance / width) for distance in distances if distance <= reach))
        joined: list[list[int]] = []
        for first, stop in events:
            begin, end = max(first - reach, 0), min(stop + reach, count)
            if joined and begin < joined[-1][1]:
                joined[-1][1] = end
            else:
                joined.append([begin, end])
        area = before = 0.0
        for threshold in thresholds:
            passed = scores >= threshold
            found = float((soft * passed).sum())
            whole = labels.sum() + float((soft * passed)[~labels].sum()) / 2
            existence = sum(passed[begin:end].any() for begin, end in joined) / len(joined)
            recall = min(found / whole, 1.0) * existence
            area += (recall - before) * found / passed.sum()
            before = recall
        areas.append(area)
    return float(np.mean(areas))


@given(labelled_scores(), st.integers(0, 12))
@settings(deadline=None, max_examples=examples(40))
def test_equals_its_definition_row_by_row(given_: tuple[BoolArray, Float64Array], window: int) -> None:
    labels, scores = given_

    assert vus_pr(labels, scores, window) == pytest.approx(slow_vus_pr(labels, scores, window))


@pytest.mark.parametrize(
    ("text", "expected"), [("", []), ("000", []), ("111", [[0, 3]]), ("0110", [[1, 3]]), ("1011", [[0, 1], [2, 4]])]
)
def test_spans_are_the_runs_of_true(text: str, expected: list[list[int]]) -> None:
    assert find_segments(flags(text) if text else np.empty(0, np.bool_)).tolist() == expected
