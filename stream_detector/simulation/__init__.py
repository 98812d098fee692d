"""A simulated fleet of pumps, with faults that are known: data to try, show and judge the detector on.

fleet.py makes the readings, faults.py breaks them, series.py puts both into one series, counter_rng.py is the random numbers:
NumPy only, no clock, no I/O. file_writer.py and topic_writer.py write a series out.
"""

from __future__ import annotations
