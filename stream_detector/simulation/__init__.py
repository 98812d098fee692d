"""Simulates a fleet of pumps with known faults, to try, demonstrate and test the detector.

fleet.py generates readings, faults.py changes them, series.py combines both, and counter_rng.py supplies random numbers: NumPy
only, no clock, no I/O. file_writer.py and topic_writer.py write a series; fault_matching.py compares alerts with faults.
"""

from __future__ import annotations
