# SPDX-License-Identifier: Apache-2.0
"""The emulation's inner loops, compiled by Numba and cached on disk.

Codes are bit planes of the shape (vectors, bits, words): bit c % 64 of word c // 64
belongs to column c of a vector, and bits beyond its last column are zero. Each vector's
sums are activated and packed while they are in the processor's nearest cache. The loops
leave Python's lock to others. What a loop calls is in its own file: of a change in
another one, Numba's cache would not know.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.extending import intrinsic

from hwgq.compile.streams import IntArray

WORD = 64
WordArray = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.integer[Any]]

#: Compile a loop.
compiled = numba.njit(cache=True, nogil=True)

# Make a part of a loop: as a call, counting references to arrays costs more than it.
_inlined = numba.njit(inline="always")


class Activation(NamedTuple):
    """What becomes of a sum, channel by channel.

    Parameters
    ----------
    counts
        Whether it is how many thresholds the sum reaches; else it is
        ``(sum << shift) + bias``.
    thresholds
        Shape (steps, channels).
    bias
        Shape (channels,).
    shift
        See above.
    bits
        Of a code that is written.
    """

    counts: bool
    thresholds: IntArray
    bias: IntArray
    shift: int
    bits: int


def _ctpop(_context: Any, word: Any) -> Any:  # Numba's own types are not typed
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return word(word), generate


_popcount: Any = intrinsic(_ctpop)


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


# Makes a word of one bit of each of 64 integers, of ``codes[start : start + 64]`` if
# called as ``_bits_at(codes, start, bit)``; they must have that bit.
_bits_at: Any = intrinsic(_collect)


def _pack_planes(codes: Integers, bits: int) -> WordArray:
    vectors, columns = codes.shape
    whole, words = columns // 64, (columns + 63) // 64
    planes = np.empty((vectors, bits, words), np.uint64)
    elements, rest = codes.reshape(-1), np.zeros(64, codes.dtype)
    for v in range(vectors):
        for w in range(whole):
            for b in range(bits):
                planes[v, b, w] = _bits_at(elements, v * columns + 64 * w, b)
        if whole < words:
            for c in range(64 * whole, columns):
                rest[c & 63] = codes[v, c]
            for b in range(bits):
                planes[v, b, whole] = _bits_at(rest, 0, b)
    return planes


def _spread(word: int, sums: IntArray, first: int, columns: int, place: int) -> None:
    for c in range(min(64, columns - first)):
        if word >> np.uint64(c) & np.uint64(1):
            sums[first + c] += place


_spread = _inlined(_spread)


def _unpack_planes(planes: WordArray, places: IntArray, columns: int) -> IntArray:
    vectors, bits, words = planes.shape
    codes = np.zeros((vectors, columns), np.int64)
    elements = codes.reshape(-1)
    for v in range(vectors):
        for b in range(bits):
            for w in range(words):
                first, end = v * columns + 64 * w, (v + 1) * columns
                _spread(planes[v, b, w], elements, first, end, places[b])
    return codes


def _ones(
    word: int, flips: WordArray, masks: WordArray | None, at: tuple[int, int], r: int
) -> np.int64:
    inverted = word ^ flips[at[0], at[1], r]
    if masks is not None:
        inverted &= masks[at[0], at[1], r]
    return np.int64(_popcount(inverted))  # NumPy makes real numbers of mixed signs


_ones = _inlined(_ones)


def _popcounts(
    sums: IntArray, planes: WordArray, v: int, flips: WordArray, masks: WordArray | None
) -> None:
    # Rows are innermost, for they fill a processor's vectors, and several planes of a
    # word are counted at once, for every time the sums are loaded and stored.
    bits, words, rows = planes.shape[1], planes.shape[2], len(sums)
    sums[:] = 0
    for k in range(len(flips)):
        for w in range(words):
            at = (k, w)
            for b in range(0, bits - 3, 4):
                p0, p1 = planes[v, b, w], planes[v, b + 1, w]
                p2, p3 = planes[v, b + 2, w], planes[v, b + 3, w]
                for r in range(rows):
                    low = _ones(p0, flips, masks, at, r)
                    low += _ones(p1, flips, masks, at, r) << 1
                    high = _ones(p2, flips, masks, at, r)
                    high += _ones(p3, flips, masks, at, r) << 1
                    sums[r] += (low + (high << 2)) << (b + k)
            rest = bits & ~3
            if bits & 2:
                p0, p1 = planes[v, rest, w], planes[v, rest + 1, w]
                for r in range(rows):
                    low = _ones(p0, flips, masks, at, r)
                    low += _ones(p1, flips, masks, at, r) << 1
                    sums[r] += low << (rest + k)
            if bits & 1:
                p0 = planes[v, bits - 1, w]
                for r in range(rows):
                    ones = _ones(p0, flips, masks, at, r)
                    sums[r] += ones << (bits - 1 + k)


_popcounts = _inlined(_popcounts)


def _activate_vector(
    sums: IntArray, activation: Activation, codes: IntArray, planes: WordArray, v: int
) -> None:
    channels = len(sums)
    if activation.counts:
        codes[:] = 0
        for j in range(len(activation.thresholds)):
            for c in range(channels):
                codes[c] += sums[c] >= activation.thresholds[j, c]
    else:
        for c in range(channels):
            codes[c] = (sums[c] << activation.shift) + activation.bias[c]
    for b in range(planes.shape[1]):
        for w in range(planes.shape[2]):
            planes[v, b, w] = _bits_at(codes, 64 * w, b)


_activate_vector = _inlined(_activate_vector)


def _activate(sums: IntArray, activation: Activation) -> WordArray:
    vectors, channels = sums.shape
    words = (channels + 63) // 64
    planes = np.empty((vectors, activation.bits, words), np.uint64)
    codes = np.zeros(64 * words, np.int64)
    for v in range(vectors):
        _activate_vector(sums[v], activation, codes, planes, v)
    return planes


def _products(
    planes: WordArray,
    flips: WordArray,
    masks: WordArray | None,
    activation: Activation,
) -> WordArray:
    vectors, rows = len(planes), flips.shape[2]
    words = (rows + 63) // 64
    out = np.empty((vectors, activation.bits, words), np.uint64)
    sums, codes = np.empty(rows, np.int64), np.zeros(64 * words, np.int64)
    for v in range(vectors):
        _popcounts(sums, planes, v, flips, masks)
        _activate_vector(sums, activation, codes, out, v)
    return out


def _lane_sums(
    planes: WordArray,
    places: IntArray,
    flips: WordArray,
    masks: WordArray,
    activation: Activation,
) -> WordArray:
    weight_bits, taps, words = flips.shape
    vectors, channels = len(planes) // taps, len(activation.bias)
    out = np.empty((vectors, activation.bits, words), np.uint64)
    sums, codes = np.empty(channels, np.int64), np.zeros(64 * words, np.int64)
    for v in range(vectors):
        sums[:] = 0
        for t in range(taps):
            for k in range(weight_bits):
                for b in range(len(places)):
                    for w in range(words):
                        word = planes[v * taps + t, b, w] ^ flips[k, t, w]
                        word &= masks[k, t, w]
                        _spread(word, sums, 64 * w, channels, places[b] << k)
        _activate_vector(sums, activation, codes, out, v)
    return out


#: Lay codes of shape (vectors, columns), of any type of integers that have these bits,
#: out as planes: ``pack_planes(codes, bits)``.
pack_planes: Callable[[Integers, int], WordArray] = compiled(_pack_planes)

#: Add up, for so many columns, what each bit of a code counts.
unpack_planes: Callable[[WordArray, IntArray, int], IntArray] = compiled(_unpack_planes)

#: Codes, as planes, of sums of shape (vectors, channels).
activate: Callable[[IntArray, Activation], WordArray] = compiled(_activate)

#: Codes of popcounts: of planes inverted where `flips` say so, the bits where `masks`
#: are set. Both have the shape (weight bits, words, rows), each bit of a weight being
#: laid out as one plane is; they are zero beyond the last column. Without masks every
#: bit counts.
products: Callable[[WordArray, WordArray, WordArray | None, Activation], WordArray] = (
    compiled(_products)
)

#: Codes of the same where channels share no codes: the taps of a position follow each
#: other, `places` are what the bits of a code count, and flips and masks have the shape
#: (weight bits, taps, words).
lane_sums: Callable[
    [WordArray, IntArray, WordArray, WordArray, Activation], WordArray
] = compiled(_lane_sums)
