from __future__ import annotations

from pathlib import Path

from tests.judge.cases import START_MS, CaseRef, labelled_series, read_series, rows_to_score, rows_to_train, select
from tests.judge.samples import series_file


def test_a_series_is_read_with_its_family_and_its_test_follows_the_training(tmp_path: Path) -> None:
    series_file(tmp_path, "SKAB__valve1__0")
    (ref,) = labelled_series(tmp_path)
    (sensor,) = read_series(ref).sensors

    assert (ref.family, ref.name, ref.key) == ("SKAB", "valve1__0", "SKAB__valve1__0")
    assert sensor.train_ms[0] == START_MS
    assert sensor.test_ms.tolist() == [START_MS + 60_000 * row for row in range(300, 320)]
    assert sensor.labels.nonzero()[0].tolist() == [4, 5, 6, 7]


def test_an_interval_below_a_second_counts_as_a_second(tmp_path: Path) -> None:
    series_file(tmp_path, "ALFA__1", seconds=0.05)
    (sensor,) = read_series(labelled_series(tmp_path)[0]).sensors

    assert sensor.interval_seconds == 1.0
    assert sensor.train_ms[1] == START_MS + 1000


def test_the_test_starts_with_the_last_two_hundred_healthy_readings(tmp_path: Path) -> None:
    series_file(tmp_path, "A__1")
    case = read_series(labelled_series(tmp_path)[0])
    rows = rows_to_score(case)

    assert len(rows_to_train(case).times_ms) == 300
    assert len(rows.times_ms) == 220
    assert rows.values[0].tolist() == [200.0, 201.0]  # row 100 of the training
    assert rows.labels.nonzero()[0].tolist() == [204, 205, 206, 207]


def test_the_small_set_has_one_series_of_a_family_that_takes_long() -> None:
    refs = [CaseRef("A", str(number), read_series, cost=5e6) for number in range(3)]

    assert len(select(refs, [], small=True)) == 1


def test_the_small_set_has_as_many_series_of_each_family_always_the_same_and_with_events(tmp_path: Path) -> None:
    for number in range(6):
        series_file(tmp_path, f"A__{number}")
    series_file(tmp_path, "B__1")
    series_file(tmp_path, "B__2", events=0)
    refs = labelled_series(tmp_path)
    chosen = [ref.key for ref in select(refs, [], small=True)]

    assert [key[0] for key in chosen] == ["A", "A", "B"]
    assert chosen[-1] == "B__1"
    assert [ref.key for ref in select(refs[::-1], [], small=True)] == chosen
    assert [ref.key for ref in select(refs, ["B"], small=False)] == ["B__1", "B__2"]
