# SPDX-License-Identifier: Apache-2.0
"""The emulation of windows on images of bit planes: its loops, compiled by Numba.

Images are planes whose vectors are the channels of one pixel.
"""

from collections.abc import Callable

import numpy as np

from hwgq.compile.kernels import WordArray, compiled
from hwgq.compile.streams import IntArray
from hwgq.compile.window import Window


def pixels_under(window: Window) -> IntArray:
    """Find which pixel, numbered row by row, is under each tap.

    Returns
    -------
    Shape (positions, taps); -1 where a tap lies outside of the image.
    """
    geometry = zip(
        window.output,
        window.stride,
        window.kernel,
        window.dilation,
        window.pad,
        strict=True,
    )
    rows, columns = (
        stride * np.arange(output)[:, None] + step * np.arange(kernel) - pad
        for output, stride, kernel, step, pad in geometry
    )
    row, column = rows[:, None, :, None], columns[None, :, None, :]
    height, width = window.input
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    found = np.where(inside, row * width + column, -1)
    return found.reshape(window.pixels_out, window.taps)


def gather(pixels: WordArray, under: IntArray, size: int, fill: WordArray) -> WordArray:
    """Collect what lies under a window at each of its positions.

    Parameters
    ----------
    pixels
        Planes of images.
    under
        What :func:`pixels_under` tells of the window.
    size
        Pixels of an image.
    fill
        Planes, shape (1, bits, words), of a pixel outside of the images.

    Returns
    -------
    A vector for each tap of each position, in order.
    """
    starts = np.arange(0, len(pixels), size)[:, None, None]
    found = np.where(under < 0, len(pixels), starts + under)
    return np.concatenate([pixels, fill])[found.reshape(-1)]


def gather_joined(
    pixels: WordArray, under: IntArray, size: int, fill: WordArray, channels: int
) -> WordArray:
    """Do as :func:`gather`, but make one vector of all taps of a position.

    Parameters
    ----------
    pixels, under, size, fill
        As of :func:`gather`.
    channels
        Elements of a pixel.
    """
    return _join(np.concatenate([pixels, fill]), under, size, channels)


def _join(pixels: WordArray, under: IntArray, size: int, channels: int) -> WordArray:
    outside, bits, pieces = len(pixels) - 1, pixels.shape[1], pixels.shape[2]
    positions, taps = under.shape
    frames, words = outside // size, (taps * channels + 63) // 64
    joined = np.zeros((frames * positions, bits, words), np.uint64)
    for v in range(frames * positions):
        f, position = v // positions, v % positions
        for t in range(taps):
            p = under[position, t]
            p = outside if p < 0 else f * size + p
            shift, place = np.uint64(t * channels & 63), t * channels >> 6
            for w in range(pieces):
                for b in range(bits):
                    joined[v, b, place + w] |= pixels[p, b, w] << shift
                if shift and place + w + 1 < words:
                    for b in range(bits):
                        rest = pixels[p, b, w] >> (np.uint64(64) - shift)
                        joined[v, b, place + w + 1] |= rest
    return joined


_join = compiled(_join)


def _largest(planes: WordArray, taps: int, flips: WordArray) -> WordArray:
    vectors, bits, words = len(planes) // taps, planes.shape[1], planes.shape[2]
    out = np.empty((vectors, bits, words), np.uint64)
    for v in range(vectors):
        out[v] = planes[v * taps]
        for t in range(1, taps):
            for w in range(words):
                undecided, larger = ~np.uint64(0), np.uint64(0)
                for b in range(bits - 1, -1, -1):
                    differ = out[v, b, w] ^ planes[v * taps + t, b, w]
                    larger |= undecided & differ & planes[v * taps + t, b, w]
                    undecided &= ~differ
                for b in range(bits):
                    differ = out[v, b, w] ^ planes[v * taps + t, b, w]
                    out[v, b, w] ^= differ & larger
        for b in range(bits):
            for w in range(words):
                out[v, b, w] ^= flips[w]
    return out


#: Take the largest code, channel by channel, of so many vectors that follow each other,
#: and invert those where `flips`, shape (words,), says so.
largest: Callable[[WordArray, int, WordArray], WordArray] = compiled(_largest)
