# SPDX-License-Identifier: Apache-2.0
"""Codes as bit planes, 64 to a word, by loops that Numba compiles and caches on disk.

Planes have the shape (vectors, bits, words); bit c % 64 of word c // 64 belongs to
column c of a vector, and bits beyond its last column are zero. The loops of a core keep
Python's lock released, so that others run beside them.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.extending import intrinsic

from hwgq.compile.streams import ElementType, IntArray

WORD = 64
WordArray = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.integer[Any]]

#: Compile a loop.
compiled = numba.njit(cache=True, nogil=True)

#: Make a part of a loop: as a call, counting references to arrays costs more than it.
inlined = numba.njit(inline="always")


def words(columns: int) -> int:
    """Count the words of a plane."""
    return -(-columns // WORD)


def _collect(_context: Any, codes: Any, _start: Any, _bit: Any) -> Any:
    """Test all 64 at once: LLVM knows instructions for it, but does not find them."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        integer = context.get_data_type(signature.args[0].dtype)
        lanes = ir.VectorType(integer, WORD)
        address = builder.gep(array.data, [args[1]])
        loaded = builder.load(builder.bitcast(address, lanes.as_pointer()), align=1)
        place = builder.trunc(args[2], integer) if integer.width < WORD else args[2]
        mask = builder.shl(ir.Constant(integer, 1), place)
        first, none = ir.IntType(32)(0), ir.Constant(lanes, ir.Undefined)
        mask = builder.insert_element(none, mask, first)
        every = ir.Constant(ir.VectorType(first.type, WORD), [0] * WORD)
        masks = builder.shuffle_vector(mask, none, every)
        zeros = ir.Constant(lanes, [0] * WORD)
        found = builder.icmp_unsigned("!=", builder.and_(loaded, masks), zeros)
        return builder.bitcast(found, ir.IntType(WORD))

    int64 = numba.types.int64
    return numba.types.uint64(codes, int64, int64), generate


#: Make a word of one bit of each of 64 integers, of ``codes[start : start + 64]`` if
#: called as ``bits_at(codes, start, bit)``; they must have that bit.
bits_at: Any = intrinsic(_collect)


def _pack(codes: Integers, bits: int) -> WordArray:
    vectors, columns = codes.shape
    whole, words = columns // 64, (columns + 63) // 64
    planes = np.empty((vectors, bits, words), np.uint64)
    elements, rest = codes.reshape(-1), np.zeros(64, codes.dtype)
    for v in range(vectors):
        for w in range(whole):
            for b in range(bits):
                planes[v, b, w] = bits_at(elements, v * columns + 64 * w, b)
        if whole < words:
            for c in range(64 * whole, columns):
                rest[c & 63] = codes[v, c]
            for b in range(bits):
                planes[v, b, whole] = bits_at(rest, 0, b)
    return planes


_pack = compiled(_pack)


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
    return _pack(np.ascontiguousarray(codes), bits)


def _spread(word: int, sums: IntArray, first: int, columns: int, place: int) -> None:
    for c in range(min(64, columns - first)):
        if word >> np.uint64(c) & np.uint64(1):
            sums[first + c] += place


#: Add `place` to each of the sums from the `first` on whose bit in `word` is set; there
#: are so many columns: ``spread(word, sums, first, columns, place)``.
spread: Any = inlined(_spread)


def _unpack(planes: WordArray, places: IntArray, columns: int) -> IntArray:
    vectors, bits, words = planes.shape
    codes = np.zeros((vectors, columns), np.int64)
    elements = codes.reshape(-1)
    for v in range(vectors):
        for b in range(bits):
            for w in range(words):
                first, end = v * columns + 64 * w, (v + 1) * columns
                spread(planes[v, b, w], elements, first, end, places[b])
    return codes


_unpack = compiled(_unpack)


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
    return _unpack(planes, place_values(element), columns)
