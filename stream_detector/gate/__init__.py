"""The promotion gate: is a trained model worth running? Asked of held-back data with faults put into it.

fault_kinds.py and fault_injection.py make the faults, and trials.py plans where. ranking_quality.py measures how well scores
find them. baseline_comparison.py compares the model with windowed PCA, member_selection.py says which members help,
attribution.py whether the model blames the right features, and promotion.py whether it is promoted. NumPy only: scores are
arguments, and no model is known here.
"""

from __future__ import annotations
