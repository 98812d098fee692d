"""The three positions of a partition: none moves back, the store never leads, and only a restoration resets them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stream_detector.pipeline.partition import REBUILDING, Partition

EPOCH = b"epoch--1"


def restored(position: int) -> Partition:
    """Return a partition whose state the store held completely."""
    partition = Partition(0)
    partition.found_stored(EPOCH, position)
    partition.continue_from_stored()
    partition.finish_restoring()
    return partition


def positions(partition: Partition) -> tuple[int, int, int]:
    return partition.persisted, partition.committed, partition.next


def test_a_batch_is_appended_then_committed_then_persisted() -> None:
    partition = restored(10)

    partition.appended_to(15)
    assert (positions(partition), partition.unsaved) == ((10, 10, 15), True)
    partition.committed_to(15)
    partition.persisted_to(15)

    assert (positions(partition), partition.unsaved) == ((15, 15, 15), False)


def test_a_position_may_stay_where_it_is() -> None:
    partition = restored(10)

    partition.appended_to(10)
    partition.committed_to(10)
    partition.persisted_to(10)

    assert positions(partition) == (10, 10, 10)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        pytest.param(lambda one: one.appended_to(19), "appended to 19: it is at 20", id="appended back"),
        pytest.param(lambda one: one.committed_to(14), "committed to 14: it is at 15, at most 20", id="committed back"),
        pytest.param(lambda one: one.committed_to(21), "committed to 21", id="committed, but not appended"),
        pytest.param(lambda one: one.persisted_to(9), "persisted to 9: it is at 10, at most 15", id="persisted back"),
        pytest.param(lambda one: one.persisted_to(16), "persisted to 16", id="persisted, but not committed"),
        pytest.param(lambda one: one.found_stored(EPOCH, 0), "only move forward", id="found in the store anew"),
        pytest.param(lambda one: one.continue_from_stored(), "only move forward", id="continued from the store"),
        pytest.param(lambda one: one.finish_restoring(), "only move forward", id="restored twice"),
    ],
)
def test_a_step_back_is_refused_and_changes_nothing(step: Callable[[Partition], None], said: str) -> None:
    partition = restored(10)
    partition.appended_to(20)
    partition.committed_to(15)

    with pytest.raises(ValueError, match=said):
        step(partition)

    assert positions(partition) == (10, 15, 20)


def test_a_replay_moves_memory_and_store_together_up_to_what_is_committed() -> None:
    partition = Partition(0)
    partition.found_stored(EPOCH, 7)
    partition.continue_from_stored()

    partition.appended_to(9)
    partition.persisted_to(9)
    partition.finish_restoring()

    assert positions(partition) == (9, 9, 9)


def test_a_rebuild_starts_over_below_zero_whatever_was_stored_and_counts_its_slices() -> None:
    partition = Partition(0)
    partition.found_stored(EPOCH, 1_000)  # ahead of what is committed
    partition.started_epoch(b"epoch--2", REBUILDING)
    partition.continue_from_stored()

    for _ in range(2):
        partition.appended_to(partition.next + 1)
        partition.persisted_to(partition.next)
    assert positions(partition) == (REBUILDING + 2, REBUILDING, REBUILDING + 2)
    partition.appended_to(50)
    partition.persisted_to(50)
    partition.finish_restoring()

    assert (positions(partition), partition.epoch) == ((50, 50, 50), b"epoch--2")


def test_a_restoration_persists_nothing_that_is_not_in_memory() -> None:
    partition = Partition(0)
    partition.found_stored(EPOCH, 7)
    partition.continue_from_stored()

    with pytest.raises(ValueError, match="persisted to 8"):
        partition.persisted_to(8)


def test_a_rewrite_starts_a_new_epoch_below_zero_and_leaves_what_is_committed() -> None:
    partition = restored(10)

    partition.started_epoch(b"epoch--2", -2)
    partition.persisted_to(-1)
    partition.persisted_to(10)

    assert (positions(partition), partition.epoch) == ((10, 10, 10), b"epoch--2")
