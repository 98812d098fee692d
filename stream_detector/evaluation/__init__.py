"""Measures a detector's scores and alarms on labelled readings, and compares it with simple baselines.

ranking.py, dominant_period.py, alarms.py, faithfulness.py and attention_check.py hold the measures, baselines.py the simple
detectors: NumPy only, no files, no clock. labels.py reads the ground truth, scorecard.py combines them per sensor, and
report.py, plots.py and html_report.py present the results.
"""

from __future__ import annotations
