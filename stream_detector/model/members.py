"""Runs the members of a model on the same windows, and computes the error that each makes per feature.

All members run in one graph: the linear ones are matrix products next to the network, which is compiled (xla_forward.py).
Does not know how windows are batched (tiles.py) or how the errors are used (compiled.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from keras import ops

from stream_detector.model.artifact import Artifact
from stream_detector.model.linear_members import CHANGE, LinearMember
from stream_detector.model.masked_autoencoder import MaskedAutoencoder, Windows
from stream_detector.model.network import build_network, hidden_rows, load_weights
from stream_detector.model.tensor_types import Tensor
from stream_detector.model.xla_forward import compile_forward
from stream_detector.readings import Int64Array


@dataclass(frozen=True, slots=True)
class MemberOutput:
    """One member's prediction of the newest R rows of N windows, and its residuals."""

    residuals: Tensor  # [N, R, F] 0 where a value is missing
    present: Tensor  # [N, R, F] 1 where there is a value, else 0
    known: Tensor  # [N, R] 1 where the row has any value, else 0: its reading was lost, or it is before the first
    begun: Tensor  # [N, 1] how many of the rows are not before the window's first with a value; at least 1
    newest: Tensor  # [N, F] 1 where there is a newest value, else 0; without it a feature has no error
    expected: Tensor | None  # [N, R, F] scaled values; None: the member expects changes, not values
    attention: Tensor | None = None  # [N, T] of the network; the linear members have none


@dataclass(frozen=True, slots=True)
class Members:
    """The members of a model. An autoencoder that is not scored is never run."""

    linear: tuple[LinearMember, ...]
    autoencoder: MaskedAutoencoder
    names: tuple[str, ...]  # [M] of the scored members, in the order of the model spec
    window_length: int

    def rows_read(self) -> Int64Array:
        """Return how many of the newest rows each scored member reads [M]."""
        of_linear = {member.spec.name: member.spec.rows_read + (member.spec.kind == CHANGE) for member in self.linear}
        return np.array([of_linear.get(name, self.window_length) for name in self.names], np.int64)

    def outputs(self, windows: Windows) -> list[MemberOutput]:
        """Return the output of each scored member for these windows."""
        by_name, rows = {member.spec.name: member for member in self.linear}, _rows_there(windows)
        return [
            _linear_output(by_name[name], windows, rows)
            if name in by_name
            else _network_output(self.autoencoder, windows, rows)
            for name in self.names
        ]


def restore_members(artifact: Artifact) -> Members:
    """Build the members that an artifact describes; raise ValueError if its weights do not fit.

    The network is rebuilt from its spec. Nothing that could run code is deserialised.
    """
    spec = artifact.spec
    network = build_network(spec.window_length, len(spec.features), artifact.network)
    load_weights(network, artifact.weights)
    autoencoder = MaskedAutoencoder(
        compile_forward(network), artifact.fleet, artifact.normalization.scored, hidden_rows(spec.window_length)
    )
    return Members(artifact.linear, autoencoder, spec.members, spec.window_length)


def feature_errors(outputs: list[MemberOutput]) -> tuple[Tensor, Tensor]:
    """Return the errors e_f [N, M, F] over the rows that have a value, and how much they count [N, M, F].

    They count where there is such a row, and a newest value, by the share of the member's rows that were not lost, of those
    since the window's first; elsewhere both are 0.

    The error is the mean squared residual. For the network it is the root of that, times the absolute mean residual: a shifted
    level makes its residuals err in one direction.
    """
    counts = [ops.sum(output.present, axis=1) for output in outputs]
    known = [ops.sum(output.known, axis=1, keepdims=True) / output.begun for output in outputs]
    errors = []
    for output, count in zip(outputs, counts, strict=True):
        at_least_one = ops.maximum(count, 1.0)
        square = ops.sum(ops.square(output.residuals), axis=1) / at_least_one
        mean = ops.absolute(ops.sum(output.residuals, axis=1)) / at_least_one
        errors.append(ops.sqrt(square) * mean if output.attention is not None else square)
    newest = ops.expand_dims(outputs[0].newest, 1)
    seen = [ops.where(count > 0, share, 0.0) for count, share in zip(counts, known, strict=True)]
    return ops.stack(errors, axis=1) * newest, ops.stack(seen, axis=1) * newest


def _network_output(autoencoder: MaskedAutoencoder, windows: Windows, rows: Tensor) -> MemberOutput:
    centre, spread, attention = autoencoder.expect(windows)
    present = windows.present[:, -centre.shape[1] :]
    residuals = (windows.scaled[:, -centre.shape[1] :] - centre) / spread * present
    begun = ops.clip(rows, 1.0, float(centre.shape[1]))
    return MemberOutput(residuals, present, ops.max(present, axis=2), begun, windows.present[:, -1], centre, attention)


def _linear_output(member: LinearMember, windows: Windows, rows: Tensor) -> MemberOutput:
    actual, expected = member.expect(windows.scaled, ops)
    present = windows.present[:, -member.spec.rows_predicted :]
    known = ops.max(present, axis=2)
    if member.spec.kind == CHANGE:
        before = windows.present[:, -member.spec.rows_predicted - 1 : -1]
        present, known = present * before, known * ops.max(before, axis=2)
        rows = rows - 1.0
    shown = None if member.spec.kind == CHANGE else expected
    begun = ops.clip(rows, 1.0, float(member.spec.rows_predicted))
    return MemberOutput((actual - expected) * present, present, known, begun, windows.present[:, -1], shown)


def _rows_there(windows: Windows) -> Tensor:
    """Return how many rows [N, 1] there are from the first on that has any value; all, if none has."""
    first = ops.argmax(ops.max(windows.present, axis=2), axis=1, keepdims=True)
    return float(windows.present.shape[1]) - ops.cast(first, "float32")
