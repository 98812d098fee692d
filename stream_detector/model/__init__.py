"""The attention LSTM autoencoder: the layer, the network, training, calibration, and the directory it is kept in.

Names are loaded when they are asked for, so that a model's metadata can be read without importing TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream_detector.model.attention import Attention
    from stream_detector.model.reference_autoencoder import build_autoencoder

__all__ = ["Attention", "build_autoencoder"]

_HOMES = {
    "Attention": "stream_detector.model.attention",
    "build_autoencoder": "stream_detector.model.reference_autoencoder",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_HOMES[name]), name)
