"""The models that score windows, in TensorFlow. training/ fits them, and model_store/ reads and writes their files.

To change the network, open network.py (layers and loss) and its mirror for serving, xla_forward.py.

    artifact               a trained model as data
    members                runs all members, and computes the error of each per feature
      linear_members       principal components, forecasts and changes
      masked_autoencoder   the network as a member
        network            its layers and loss; attention is its attention layer
        xla_forward        the same forward pass, faster
        static_covariates  its inputs about the sensor, apart from the window
    network_reading        what the network expects without some steps, to check its attention
    input_scaling          raw values to scaled values
    error_normalization    errors per feature to one log error per member
    compiled               compiled functions for the errors and explanations of windows
    tiles                  runs them over any number of windows, bit-identical in any batch
    reference_autoencoder  the textbook network of docs/model.md; no product code uses it

Attention and build_autoencoder are imported on first use, so the data modules need no TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream_detector.model.attention import Attention
    from stream_detector.model.reference_autoencoder import build_autoencoder

__all__ = ["Attention", "build_autoencoder"]

_MODULES = {
    "Attention": "stream_detector.model.attention",
    "build_autoencoder": "stream_detector.model.reference_autoencoder",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use."""
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_MODULES[name]), name)
