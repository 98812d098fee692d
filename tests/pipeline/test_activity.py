"""How long partitions are idle, and what does not count."""

from __future__ import annotations

from stream_detector.pipeline.activity import Activity


def looked(activity: Activity, seconds: range, *arrived_in: int, elsewhere: bool = False) -> None:
    """Look once a second; readings arrive in these partitions each time."""
    for second in seconds:
        activity.look(float(second), arrived_in, elsewhere=elsewhere, longest_quiet_s=60.0)


def test_a_partition_is_idle_while_readings_arrive_in_others() -> None:
    activity = Activity()
    looked(activity, range(10), 0, 1)
    looked(activity, range(10, 40), 0)

    assert (activity.idle_s(0), activity.idle_s(1)) == (0, 30)


def test_readings_in_partitions_of_other_replicas_count_as_well() -> None:
    activity = Activity()
    looked(activity, range(10), 0)
    looked(activity, range(10, 40), elsewhere=True)

    assert activity.idle_s(0) == 30


def test_time_without_any_reading_does_not_count_if_it_was_long() -> None:
    activity = Activity()
    looked(activity, range(10), 0, 1)
    looked(activity, range(10, 500))
    quiet = activity.quiet_s
    looked(activity, range(500, 520), 0)

    assert quiet == 490
    assert (activity.quiet_s, activity.idle_s(1)) == (0, 19)


def test_time_between_two_sparse_readings_of_others_counts() -> None:
    activity = Activity()
    looked(activity, range(10), 0, 1)
    for second in range(10, 100):
        activity.look(float(second), [0] if second % 30 == 0 else [], elsewhere=False, longest_quiet_s=60.0)

    assert activity.idle_s(1) == 90 - 9


def test_a_suspended_process_learns_nothing() -> None:
    activity = Activity()
    looked(activity, range(10), 0, 1)
    activity.look(100_000.0, [0], elsewhere=False, longest_quiet_s=60.0)

    assert activity.idle_s(1) == 5


def test_a_partition_that_was_not_read_begins_anew() -> None:
    activity = Activity()
    looked(activity, range(40), 0)
    activity.forget(1)

    assert activity.idle_s(1) == 0
    looked(activity, range(40, 50), 0)
    assert activity.idle_s(1) == 10
