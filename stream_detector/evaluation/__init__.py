"""How good a detector's scores and alarms are on labelled readings, beside baselines.

ranking.py, dominant_period.py, alarms.py and faithfulness.py are the measures, baselines.py the other detectors: NumPy only, no
files, no clock. labels.py reads what is true, scorecard.py puts all of it together, report.py, plots.py and html_report.py
write it down.
"""

from __future__ import annotations
