"""Converts named arrays to bytes and back, in the safetensors format: a JSON header, then raw numbers, and no code.

The library rejects shapes and offsets that do not match the content before it allocates memory for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

#: The library's reason may quote names from the content.
_REASON_CHARACTERS = 200


def write_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the content of a safetensors file; equal arrays give equal bytes."""
    # The library copies an array's memory as it is, so it must be in C (row-major) order.
    return save({name: np.asarray(array, order="C") for name, array in arrays.items()})


def read_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of a safetensors file; raise ValueError for anything else. Memory is proportional to the content."""
    try:
        return load(content)
    except (SafetensorError, KeyError) as error:  # KeyError: a number type that NumPy does not have
        msg = f"no arrays in the safetensors format: {str(error)[:_REASON_CHARACTERS]}"
        raise ValueError(msg) from None
