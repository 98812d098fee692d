"""Arrays as the content of an npz file, and back. Nothing in such a file is trusted before it was measured.

An npz is a zip of npy files. What numpy writes is not compressed, so a file can hold no more than its own size; anything that
claims otherwise is refused before memory is taken for it, as is what only pickle could read.
"""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

#: What the readers of zip and npy raise for bytes that are neither; numpy reads an array's header as a literal of Python.
_UNREADABLE = (
    *(EOFError, OSError, OverflowError, NotImplementedError, RecursionError, MemoryError, SyntaxError),
    *(struct.error, tokenize.TokenError, zipfile.BadZipFile),
)
_ENCRYPTED = 1  # a flag of an entry


def write_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the content of an npz file; equal arrays give equal bytes."""
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]  # the names of arrays, not options
    return content.getvalue()


def read_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz file; raise ValueError for anything else. Takes memory in proportion to the content."""
    try:
        return _arrays(content)
    except _UNREADABLE as error:
        msg = f"no archive of arrays: {type(error).__name__}"
        raise ValueError(msg) from None


def _arrays(content: bytes) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _ENCRYPTED for entry in entries):
            msg = "an array is compressed or encrypted"
            raise ValueError(msg)
        if sum(entry.file_size for entry in entries) > len(content):
            msg = "the arrays claim to be larger than the file"
            raise ValueError(msg)
        return {entry.filename.removesuffix(".npy"): _array(archive.read(entry)) for entry in entries}


def _array(content: bytes) -> NDArray[Any]:
    """Return the array of an npy file whose header tells the truth."""
    file = io.BytesIO(content)
    version = npy.read_magic(file)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read_header(file)
    if dtype.hasobject:
        msg = "an array of objects, which only pickle could read (allow_pickle is off)"
        raise ValueError(msg)
    if min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        msg = f"an array of shape {shape} and type {dtype} in {len(content) - file.tell()} bytes"
        raise ValueError(msg)
    return np.ndarray(shape, dtype, content, file.tell(), order="F" if is_fortran else "C").copy("K")
