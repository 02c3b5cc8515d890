# SPDX-License-Identifier: Apache-2.0
"""How numbers lie on wires and in memory images, written once more for the tests."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


def write_image(path: Path, words: Ints, width: int = 1) -> None:
    """Write a memory image from fields of shape (words, fields), field 0 lowest."""
    bits = (words[..., None] >> np.arange(width)) & 1
    rows = bits.reshape(len(words), -1).astype(np.uint8)
    lines = (int("".join(map(str, row[::-1])), 2) for row in rows)
    path.write_text("".join(f"{line:x}\n" for line in lines))


def to_beats(codes: Ints, beat: int, bits: int) -> Bytes:
    """Pack unsigned codes plane by plane."""
    planes = (codes.reshape(-1, 1, beat) >> np.arange(bits)[:, None]) & 1
    wires = planes.reshape(len(planes), -1).astype(np.uint8)
    return np.packbits(wires, axis=1, bitorder="little")


def from_planes(beats: Bytes, beat: int, bits: int) -> Ints:
    """Read unsigned codes, in order; the inverse of `to_beats`."""
    wires = np.unpackbits(beats, axis=1, count=beat * bits, bitorder="little")
    return np.tensordot(wires.reshape(-1, bits, beat), 1 << np.arange(bits), (1, 0))


def from_fields(beats: Bytes, beat: int, bits: int) -> Ints:
    """Read numbers in two's complement that lie side by side."""
    wires = np.unpackbits(beats, axis=1, count=beat * bits, bitorder="little")
    powers = 1 << np.arange(bits)
    powers[-1] *= -1
    return np.asarray(wires.reshape(-1, beat, bits) @ powers)
