"""Trains a model: prepares the data, fits the members, runs the gate, calibrates and reports. Needs TensorFlow."""

from __future__ import annotations
