"""Names for what TensorFlow and Keras pass around; neither ships types."""

from __future__ import annotations

from types import ModuleType
from typing import Any

#: A tensor, or where a function takes `xp`, a NumPy array.
Tensor = Any
#: numpy or keras.ops: both have the functions used here under the same names, so one formula serves both.
Namespace = ModuleType
