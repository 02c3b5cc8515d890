# SPDX-License-Identifier: Apache-2.0
"""Codes to beats and back: how a stream lies on its wires.

Unsigned codes are plane-major: bit b of element n of a beat of N is wire ``b·N + n``.
Accumulators, which are signed, keep their bits together: bit b of element n is wire
``n·bits + b``. Beats are bytes, little-endian, the unused bits of the last one zero.
"""

import numpy as np
import numpy.typing as npt

from hwgq.compile.graph import IntArray, Stream

Beats = npt.NDArray[np.uint8]


def bytes_of(width: int) -> int:
    """Count the bytes that hold a beat of so many bits."""
    return -(-width // 8)


def beat_bytes(stream: Stream) -> int:
    """Count the bytes that hold one beat."""
    return bytes_of(stream.width)


def pack(codes: IntArray, stream: Stream) -> Beats:
    """Lay frames out as the beats that carry them.

    Parameters
    ----------
    codes
        Shape (frames, *stream shape).
    stream
        The stream; its `beat` divides its elements.

    Returns
    -------
    Shape (frames · beats of a frame, bytes of a beat).
    """
    # In small numbers, of which the processor takes many at a time.
    kind = _smallest(stream)
    elements = codes.reshape(-1, stream.beat).astype(kind)
    wires = np.empty((len(elements), stream.width), np.uint8)
    for place, bits in enumerate(_places(wires, stream)):
        bits[...] = elements >> kind.type(place) & kind.type(1)
    return np.packbits(wires, axis=1, bitorder="little")


def unpack(beats: Beats, stream: Stream) -> IntArray:
    """Read the codes of whole frames from beats; the inverse of :func:`pack`.

    Beats of a last frame that is not whole are left out.
    """
    whole = len(beats) // stream.beats * stream.beats
    wires = np.unpackbits(beats[:whole], axis=1, count=stream.width, bitorder="little")
    kind = _smallest(stream)
    codes = np.zeros((len(wires), stream.beat), kind)
    for place, bits in enumerate(_places(wires, stream)):
        codes |= bits.astype(kind) << kind.type(place)
    integers = codes.astype(np.int64)
    if stream.type.is_signed:
        sign = stream.type.bits - 1
        integers -= (integers >> sign & 1) << (sign + 1)
    return integers.reshape(-1, *stream.shape)


def _places(wires: Beats, stream: Stream) -> Beats:
    """Show the wires of beats as (places of a code's bits, beats, elements)."""
    if stream.type.is_signed:
        return wires.reshape(-1, stream.beat, stream.type.bits).transpose(2, 0, 1)
    return wires.reshape(-1, stream.type.bits, stream.beat).swapaxes(0, 1)


def _smallest(stream: Stream) -> np.dtype[np.unsignedinteger]:
    """Choose the numbers that hold a code's bits."""
    return np.min_scalar_type((1 << stream.type.bits) - 1)
