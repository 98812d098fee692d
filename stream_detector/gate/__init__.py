"""The promotion gate: decides on injected faults whether a trained model may replace the one in use.

fault_kinds.py and fault_injection.py make the faults; trials.py plans them in held-back data. ranking_quality.py measures how
well scores rank them. From that member_selection.py and autoencoder_weight.py choose the members and their weights,
baseline_comparison.py compares the model with windowed PCA, and attribution.py compares its explanations with the features at
fault. promotion.py turns the result into text, a warning or a refusal. NumPy only: scores are arguments, and no model is known
here.
"""

from __future__ import annotations
