"""Keys are renewed rarely, and never too late."""

from __future__ import annotations

from stream_detector.adapters.redis.ttl_renewal import Renewals
from tests.fakes.clock import Clock


def test_a_key_is_due_until_it_was_renewed_and_then_not_within_the_quarter() -> None:
    clock = Clock()
    renewals = Renewals(400.0, clock)

    assert renewals.due([b"a", b"b"]) == {b"a", b"b"}
    assert renewals.due([b"a", b"b"]) == {b"a", b"b"}
    renewals.done({b"a"})
    clock.seconds = 1099.0

    assert renewals.due([b"a", b"b"]) == {b"b"}


def test_a_key_is_due_again_in_the_next_quarter() -> None:
    clock = Clock()
    renewals = Renewals(400.0, clock)
    renewals.due([b"a"])
    renewals.done({b"a"})

    clock.seconds = 1100.0

    assert renewals.due([b"a"]) == {b"a"}


def test_a_key_lives_the_whole_lifetime_after_the_last_write_of_the_quarter_it_was_renewed_in() -> None:
    renewals = Renewals(400.0, Clock())
    renewed_at, last_write_at = 1000.0, 1100.0

    assert renewed_at + renewals.time_to_live_seconds - last_write_at >= 400.0


def test_nearly_all_of_many_keys_are_remembered() -> None:
    renewals = Renewals(400.0, Clock())
    keys = [f"pump-{number}".encode() for number in range(20_000)]

    for first in range(0, len(keys), 1000):
        renewals.done(renewals.due(keys[first : first + 1000]))

    assert len(renewals.due(keys)) < 0.2 * len(keys)


def test_what_is_remembered_is_bounded() -> None:
    renewals = Renewals(400.0, Clock(), most_places=16)
    keys = [f"pump-{number}".encode() for number in range(1000)]

    renewals.done(renewals.due(keys))

    assert len(keys) - 16 <= len(renewals.due(keys)) < len(keys)
