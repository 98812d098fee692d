"""The built-in model: it scores sensors that no training saw, of any features. Needs no TensorFlow."""

from __future__ import annotations
