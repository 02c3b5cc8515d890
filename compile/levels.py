# SPDX-License-Identifier: Apache-2.0
"""What integers mean, and what makes them of real numbers."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwgq.compile.evaluate import (
    FloatArray,
    Rounding,
    channel_axis,
    count_thresholds,
)
from hwgq.compile.streams import ElementType, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Integers:
    """What a tensor of integers means.

    Parameters
    ----------
    type
        Codes and integers.
    step, bias
        The real number of an integer: ``step * integer + bias``.
    """

    type: ElementType
    step: float = 1.0
    bias: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantizer:
    """What turns a real number x into a code.

    Parameters
    ----------
    output
        What its codes mean.
    thresholds
        Of a ``MultiThreshold``: float64 of shape (channels or 1, steps).
    layout
        Its dimensions, such as ``"NCHW"``.
    rounding, scale, zero_point
        Of a ``Quant`` or ``BipolarQuant``.
    """

    output: Integers
    thresholds: FloatArray | None = None
    layout: str = ""
    rounding: Rounding | None = None
    scale: float = 1.0
    zero_point: float = 0.0

    @property
    def type(self) -> ElementType:
        """Codes and the integers that they mean."""
        return self.output.type

    @property
    def steps(self) -> int:
        """Highest code, which is the number of thresholds that say the same."""
        return self.type.high

    def per_element(self, shape: tuple[int, ...]) -> Self:
        """Repeat thresholds of channels for each element of frames of `shape`."""
        if self.thresholds is None or len(self.thresholds) == 1:
            return self
        channels = np.indices(shape)[channel_axis(self.layout, 1 + len(shape)) - 1]
        return replace(self, thresholds=self.thresholds[channels.reshape(-1)])

    def codes(self, x: FloatArray) -> IntArray:
        """Quantize real numbers of shape (frames, channels)."""
        if self.thresholds is not None:
            return count_thresholds(x, self.thresholds).astype(np.int64)
        assert self.rounding is not None
        integers = self.rounding.integers(x, self.scale, self.zero_point)
        if self.rounding.bipolar:
            return (integers > 0).astype(np.int64)
        return (integers - self.rounding.bounds[0]).astype(np.int64)
