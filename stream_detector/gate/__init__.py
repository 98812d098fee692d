"""The promotion gate: is a trained model worth running? Asked of held-back data with faults put into it.

effects.py and faults.py make the faults, trials.py plans where. quality.py measures how well scores find them; judging.py
holds the model against windowed PCA, members.py says which of its members help, blame.py whether it blames the right
features, and promotion.py what becomes of the verdict. NumPy only: scores are arguments, no model is known here.
"""

from __future__ import annotations
