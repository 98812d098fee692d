"""From a model as data to members that run: the network is rebuilt, nothing is deserialised that could run code."""

from __future__ import annotations

from stream_detector.model.artifact import Artifact
from stream_detector.model.masked_autoencoder import MaskedAutoencoder
from stream_detector.model.members import Members
from stream_detector.model.network import build_network, hidden_rows, load_weights
from stream_detector.model.xla_forward import served


def restore_members(artifact: Artifact) -> Members:
    """Build the members that an artifact describes; raise ValueError if its weights do not fit."""
    spec = artifact.spec
    network = build_network(spec.window_length, len(spec.features), artifact.network)
    load_weights(network, artifact.weights)
    autoencoder = MaskedAutoencoder(served(network), artifact.fleet, artifact.whitening.scored, hidden_rows(spec.window_length))
    return Members(artifact.linear, autoencoder, spec.members, spec.window_length)
