"""Type aliases for tensors and for the modules that compute with them; TensorFlow and Keras ship no types."""

from __future__ import annotations

from types import ModuleType
from typing import Any

#: A tensor; where a function takes `xp`, also a NumPy array.
Tensor = Any
#: numpy or keras.ops: both have the functions used here under the same names, so one formula serves both.
Namespace = ModuleType
