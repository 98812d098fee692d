"""A simulated fleet of pumps, with faults that are known: data to try, show and judge the detector on.

fleet.py makes the readings, faults.py breaks them, series.py puts both into one series, chance.py is the random numbers:
NumPy only, no clock, no I/O. to_file.py and to_topic.py write a series out.
"""

from __future__ import annotations
