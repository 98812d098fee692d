"""Mends the client's consumer group coordinator, which forgets joins, and reads its private state.

Defects: it drops a join whose answer arrives between two polls, and a leader that rejoins for new partitions never applies
its own assignment (see resume_pending_join). A fenced static member gets no error: its heartbeats just stop. While a heartbeat
is unanswered, poll() considers it due and spins. Seen in kafka-python 3.0.12; no upstream issue found.
"""

# ruff: noqa: SLF001 - the client has no public way to do this

from __future__ import annotations

from kafka import KafkaConsumer

#: How long after the client starts waiting for a join's answer it gets the answer again.
JOIN_ANSWER_SECONDS = 0.02
#: The shortest interval at which the client's poll checks its group. Another thread sends the heartbeats.
GROUP_CHECK_SECONDS = 0.1


class GroupCoordinator:
    """The coordinator of one consumer, between its polls."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._coordinator = consumer._coordinator
        self._net = consumer._net

    def resume_pending_join(self) -> float:
        """Resume a join that earlier polls had no time to finish; return the seconds that the next poll must last at least.

        The client forgets a join in two ways. A leader that rejoins because of new partitions considers itself done as soon as
        it has assigned them: nobody applies the answer, and the member dies because its heartbeats are off. And if the answer
        arrives between two polls, the client discards it and joins again; a leader thereby rebalances the entire group again.
        """
        coordinator = self._coordinator
        if not coordinator.rejoining:
            return 0.0
        coordinator.request_rejoin()
        answered = coordinator._join_task
        if answered is not None and answered.is_done and answered.succeeded():

            async def answer_again() -> object:
                await self._net.sleep(JOIN_ANSWER_SECONDS)
                return answered.value

            coordinator._join_task = self._net.call_soon_with_future(answer_again)
        return 3 * JOIN_ANSWER_SECONDS

    def is_stable(self) -> bool:
        """Return whether the consumer is a member of the current generation: it is not joining."""
        return bool(self._coordinator.stable())

    def has_heartbeats(self) -> bool:
        """Return whether heartbeats are sent. A stable member without them was fenced."""
        return bool(self._coordinator._heartbeat_enabled)

    def last_heartbeat(self) -> float:
        """Return when the brokers last answered a heartbeat, by time.monotonic()."""
        return float(self._coordinator.heartbeat.last_receive)


def keep_poll_from_spinning(consumer: KafkaConsumer) -> None:
    """Make poll() check its group at most every GROUP_CHECK_SECONDS, even while a heartbeat is unanswered."""
    coordinator = consumer._coordinator
    time_to_next_poll = coordinator.time_to_next_poll
    coordinator.time_to_next_poll = lambda: max(GROUP_CHECK_SECONDS, time_to_next_poll())
