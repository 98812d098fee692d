"""Follows the sequence numbers of nodes: from 0 at a birth of the node, one more with each message, after 255 again 0.

Numbers tell of missing messages only where all messages of a node come through one partition, in order. So a node is followed
once eight of its messages were in order, and no longer where many are not: then its messages are spread over partitions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_NUMBERS = 256
#: A node is followed from this trust on; a message in order adds 1, up to the most, and a gap takes some.
_FOLLOWED, _MOST_TRUST, _GAP = 8, 16, 4
_KEPT_GAPS = 8
_MOST_NODES = 100_000


@dataclass(slots=True)
class _Node:
    offset: int  # of its newest message
    seq: int
    trust: int = 0
    gaps: dict[int, int] = field(default_factory=dict)  # offset -> missing messages, of the newest gaps


class Sequences:
    """The sequence numbers of the nodes of each partition. Kept in memory only: a restart is not a gap."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[int, str], _Node] = {}

    def missing(self, partition: int, node: str, offset: int, seq: int | None, *, begins: bool) -> int:
        """Fold a message; return how many messages of its node are missing before it. `begins`: it is a birth of the node.

        A message that is read again gives what it gave before.
        """
        if seq is None or not 0 <= seq < _NUMBERS:
            return 0
        state = self._nodes.get((partition, node))
        if state is None:
            if len(self._nodes) >= _MOST_NODES:
                del self._nodes[next(iter(self._nodes))]
            self._nodes[partition, node] = _Node(offset, seq)
            return 0
        if offset <= state.offset:
            return state.gaps.get(offset, 0)
        step = (seq - state.seq) % _NUMBERS
        state.offset, state.seq = offset, seq
        if begins or step == 0:  # a birth begins again; a message that MQTT delivered twice is no gap
            return 0
        if step == 1:
            state.trust = min(_MOST_TRUST, state.trust + 1)
            return 0
        return self._gap(state, offset, step - 1)

    @staticmethod
    def _gap(state: _Node, offset: int, missing: int) -> int:
        is_followed, state.trust = state.trust >= _FOLLOWED, max(0, state.trust - _GAP)
        if not is_followed:
            return 0
        state.gaps[offset] = missing
        while len(state.gaps) > _KEPT_GAPS:
            del state.gaps[next(iter(state.gaps))]
        return missing

    def forget(self, partition: int) -> None:
        """Forget the nodes of a partition."""
        self._nodes = {key: node for key, node in self._nodes.items() if key[0] != partition}
