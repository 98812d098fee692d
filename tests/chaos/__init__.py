"""The chaos campaign: injects every kind of failure on real servers, and compares the alerts with a crash-free run.

The checker scores what the service scores, so it must compute matrix products in the same way.
"""

from __future__ import annotations

import os

# As the command line has it; TensorFlow reads it when it is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
