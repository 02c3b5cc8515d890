# SPDX-License-Identifier: Apache-2.0
"""How emulation holds a stream: which of its elements make a vector of bit planes."""

from dataclasses import dataclass
from typing import Self

from hwgq.compile.bit_planes import pack, unpack
from hwgq.compile.kernels import Integers, WordArray
from hwgq.compile.streams import IntArray, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How the elements of a stream's frames lie in vectors.

    Parameters
    ----------
    columns
        Elements of a vector.
    taps, word
        Of a stream in groups of channels, (columns / `word`, `taps`, `word`), a vector
        has all channels of one tap. Elsewhere there is one tap, and one group.
    """

    columns: int
    taps: int
    word: int

    @classmethod
    def plain(cls, columns: int) -> Self:
        """Take so many elements at a time, in the stream's order."""
        return cls(columns=columns, taps=1, word=columns)

    def vectors(self, codes: Integers) -> Integers:
        """Bring frames to the shape (vectors, columns)."""
        groups = codes.reshape(-1, self.columns // self.word, self.taps, self.word)
        return groups.swapaxes(1, 2).reshape(-1, self.columns)

    def frames(self, vectors: IntArray, shape: tuple[int, ...]) -> IntArray:
        """Bring vectors to the shape (frames, *shape)."""
        taps = vectors.reshape(-1, self.taps, self.columns // self.word, self.word)
        return taps.swapaxes(1, 2).reshape(-1, *shape)

    def packed(self, stream: Stream, codes: Integers) -> WordArray:
        """Lay frames of a stream out as bit planes."""
        return pack(self.vectors(codes), stream.type.bits)

    def unpacked(self, stream: Stream, planes: WordArray) -> IntArray:
        """Turn bit planes back into frames of a stream."""
        codes = unpack(planes, stream.type, self.columns)
        return self.frames(codes, stream.shape)
