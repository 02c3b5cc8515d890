# SPDX-License-Identifier: Apache-2.0
"""Codes as bit planes, 64 of a vector in a word, and back."""

import numpy as np

from hwgq.compile.kernels import (
    WORD,
    Integers,
    WordArray,
    pack_planes,
    unpack_planes,
)
from hwgq.compile.streams import ElementType, IntArray


def words(columns: int) -> int:
    """Count the words of a plane."""
    return -(-columns // WORD)


def pack(codes: Integers, bits: int) -> WordArray:
    """Lay codes of any type of integers out as planes.

    Parameters
    ----------
    codes
        Shape (vectors, columns).
    bits
        Planes of a vector; negative codes are in two's complement.

    Returns
    -------
    Shape (vectors, bits, words).
    """
    if 8 * codes.dtype.itemsize < bits:
        codes = codes.astype(np.int64)
    return pack_planes(np.ascontiguousarray(codes), bits)


def place_values(element: ElementType) -> IntArray:
    """Give what each bit of a code counts."""
    places = np.int64(1) << np.arange(element.bits)
    if element.is_signed:
        places[-1] = -places[-1]
    return places


def unpack(planes: WordArray, element: ElementType, columns: int) -> IntArray:
    """Turn planes back into codes of a type.

    Parameters
    ----------
    planes
        Shape (vectors, bits, words).
    element
        The type.
    columns
        Elements of a vector.

    Returns
    -------
    Shape (vectors, columns).
    """
    return unpack_planes(planes, place_values(element), columns)
