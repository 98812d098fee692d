"""A model on disk: its files, their checks, and reading and writing them. Needs no TensorFlow."""

from __future__ import annotations
