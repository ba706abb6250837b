"""A feature as bytes, and back: arrays in a plain form; nothing that is loaded can run code."""

import functools
import json
import math
from collections.abc import Sequence

import numpy as np
from numpy import ndarray

_KINDS = "biuf"  # of arrays: booleans and numbers


def pack(feature: ndarray | Sequence[ndarray] | None) -> bytes:
    """Return an array, or a tuple of arrays, as bytes; ``b""`` for None and for no keypoints.

    They are a JSON line with dtypes and shapes, then the data.

    Raises:
        ValueError: for anything but arrays of numbers or booleans.

    >>> unpack(pack(np.arange(3, dtype=np.uint8)))
    (array([0, 1, 2], dtype=uint8),)
    """
    values = feature if isinstance(feature, tuple) else (feature,)
    if feature is None or (isinstance(feature, tuple) and np.shape(feature[0])[:1] == (0,)):
        return b""
    arrays = [np.asarray(value) for value in values]
    for array in arrays:
        if array.dtype.kind not in _KINDS:
            raise ValueError(
                "a feature is an array of numbers or booleans, or a tuple of them,"
                f" not {array.dtype}"
            )
    header = json.dumps([[array.dtype.str, array.shape] for array in arrays]).encode()
    return header + b"\n" + b"".join(array.tobytes() for array in arrays)


def unpack(data: bytes) -> tuple[ndarray, ...]:
    """Return the arrays that :func:`pack` wrote, read-only.

    Raises:
        ValueError: for anything but what :func:`pack` writes.
    """
    header, _, body = data.partition(b"\n")
    arrays = []
    start = 0
    for dtype, shape in _described(header):
        array = np.frombuffer(body, dtype, math.prod(shape), start).reshape(shape)
        arrays.append(array)
        start += array.nbytes
    return tuple(arrays)


@functools.lru_cache(maxsize=1024)  # many features have one header
def _described(header: bytes) -> list[tuple[np.dtype, list[int]]]:
    """The dtype and the shape of each array."""
    described = []
    for text, shape in json.loads(header):
        dtype = np.dtype(text)
        if dtype.kind not in _KINDS:
            raise ValueError(f"a stored feature holds numbers or booleans, not {dtype}")
        described.append((dtype, shape))
    return described
