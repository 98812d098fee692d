"""Reads, checks and writes the files of a model. Needs no TensorFlow."""

from __future__ import annotations
