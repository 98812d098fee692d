"""How a model is made: prepare the data, fit the members, run the gate, calibrate, report. Needs TensorFlow."""

from __future__ import annotations
