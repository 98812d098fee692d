"""The chaos campaign. What the service's scores are compared with is scored here, so by the same products as there."""

from __future__ import annotations

import os

# As the command line has it; TensorFlow reads it when it is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
