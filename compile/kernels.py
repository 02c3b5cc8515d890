# SPDX-License-Identifier: Apache-2.0
"""The emulation's inner loops, compiled by Numba and cached on disk."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba.extending import intrinsic

from hwgq.compile.graph import IntArray

WordArray = npt.NDArray[np.uint64]


def _ctpop(_context: Any, word: Any) -> Any:  # Numba's own types are not typed
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return word(word), generate


_popcount: Any = intrinsic(_ctpop)


def _pack_planes(codes: IntArray, bits: int) -> WordArray:
    frames, columns = codes.shape
    planes = np.zeros((frames, bits, (columns + 63) // 64), dtype=np.uint64)
    for f in numba.prange(frames):
        for b in range(bits):
            for w in range(planes.shape[2]):
                word = np.uint64(0)
                for c in range(64 * w, min(64 * w + 64, columns)):
                    word |= np.uint64((codes[f, c] >> b) & 1) << np.uint64(c & 63)
                planes[f, b, w] = word
    return planes


def _popcounts(planes: WordArray, flips: WordArray, masks: WordArray) -> IntArray:
    frames, bits, words = planes.shape
    rows, places, _ = masks.shape
    sums = np.zeros((frames, rows), dtype=np.int64)
    for f in numba.prange(frames):
        for r in range(rows):
            total = np.int64(0)
            for k in range(places):
                for b in range(bits):
                    plane = np.int64(0)
                    for w in range(words):
                        word = (planes[f, b, w] ^ flips[r, k, w]) & masks[r, k, w]
                        plane += np.int64(_popcount(word))
                    total += plane << (b + k)
            sums[f, r] = total
    return sums


def _lane_popcounts(codes: IntArray, flips: IntArray, masks: IntArray) -> IntArray:
    vectors, rows, columns = codes.shape
    sums = np.zeros((vectors, rows), dtype=np.int64)
    for v in numba.prange(vectors):
        for r in range(rows):
            for k in range(masks.shape[1]):
                for c in range(columns):
                    word = (codes[v, r, c] ^ flips[r, k, c]) & masks[r, k, c]
                    sums[v, r] += word << k
    return sums


def _count_reached(numbers: IntArray, thresholds: IntArray) -> IntArray:
    frames, channels = numbers.shape
    counts = np.zeros((frames, channels), dtype=np.int64)
    for f in numba.prange(frames):
        for c in range(channels):
            for j in range(thresholds.shape[1]):
                counts[f, c] += numbers[f, c] >= thresholds[c, j]
    return counts


_compile = numba.njit(cache=True, parallel=True)

#: Lay codes of shape (frames, columns) out as bit planes, shape (frames, bits, words);
#: bit c % 64 of word c // 64 belongs to column c.
pack_planes: Callable[[IntArray, int], WordArray] = _compile(_pack_planes)

#: Popcounts S, shape (frames, rows): of planes inverted where `flips` say so, the bits
#: where `masks` are set. Both have the shape (rows, weight bits, words), each bit of a
#: weight being laid out as one plane is; masks are zero beyond the last column.
popcounts: Callable[[WordArray, WordArray, WordArray], IntArray] = _compile(_popcounts)

#: The same, shape (vectors, rows), where rows share no codes: of the codes themselves,
#: shape (vectors, rows, columns), each with its own word of `flips` and `masks`, shape
#: (rows, weight bits, columns).
lane_popcounts: Callable[[IntArray, IntArray, IntArray], IntArray] = _compile(
    _lane_popcounts
)

#: How many thresholds of its channel, shape (channels, steps), each number of shape
#: (frames, channels) reaches.
count_reached: Callable[[IntArray, IntArray], IntArray] = _compile(_count_reached)
