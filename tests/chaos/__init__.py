"""The chaos campaign: what can fail is made to fail, on real servers, and the alerts are compared with a crash-free run.

What the service scores is scored here as well, so by the same products.
"""

from __future__ import annotations

import os

# As the command line has it; TensorFlow reads it when it is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
