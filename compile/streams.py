# SPDX-License-Identifier: Apache-2.0
"""What flows between layers: codes of a known range, in beats."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementType:
    """The integers that one element of a stream can be.

    The wire carries a *code*; the integer that the network means is
    ``step * code + offset``. Unsigned levels have step 1 and offset 0, signed ones are
    offset-binary (offset -2^(b-1)), bipolar ones have step 2 and offset -1.

    Parameters
    ----------
    bits
        Width of a code on the wire.
    low, high
        Smallest and largest code. A negative `low` means two's complement.
    step, offset
        Value of a code, see above.
    """

    bits: int
    low: int
    high: int
    step: int = 1
    offset: int = 0

    @classmethod
    def unsigned(cls, high: int, *, step: int = 1, offset: int = 0) -> Self:
        """Make the type of the codes 0 … `high`, no wider than they need."""
        bits = max(1, high.bit_length())
        return cls(bits=bits, low=0, high=high, step=step, offset=offset)

    @classmethod
    def signed(cls, low: int, high: int) -> Self:
        """Make the two's-complement type of `low` … `high`, no wider than needed."""
        bits = max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1
        return cls(bits=bits, low=min(low, -1), high=high)

    @property
    def is_signed(self) -> bool:
        """Whether the wire carries two's complement."""
        return self.low < 0

    def values(self, codes: IntArray) -> IntArray:
        """Turn codes into the integers that they mean."""
        return self.step * codes + self.offset

    def codes(self, values: IntArray) -> IntArray:
        """Turn integers into codes; the inverse of :meth:`values`."""
        return (values - self.offset) // self.step


BIPOLAR = ElementType.unsigned(1, step=2, offset=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One valid/ready connection.

    Parameters
    ----------
    name
        Name of the producing quantizer or tensor; on every rung the same.
    shape
        Elements of one frame, channels last.
    type
        What one element can be.
    beat
        Elements per transfer.
    """

    name: str
    shape: tuple[int, ...]
    type: ElementType
    beat: int = 1

    @property
    def elements(self) -> int:
        """Elements of one frame."""
        return math.prod(self.shape)

    @property
    def beats(self) -> int:
        """Transfers of one frame."""
        return self.elements // self.beat

    @property
    def width(self) -> int:
        """Wires of one transfer."""
        return self.beat * self.type.bits


def channels_last(frames: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Turn images of shape (frames, channels, rows, columns) as streams have them."""
    return np.moveaxis(frames, 1, -1)


def channels_first(frames: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Turn a stream's images as networks have them; leave flat frames as they are."""
    return np.moveaxis(frames, -1, 1)
