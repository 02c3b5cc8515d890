# SPDX-License-Identifier: Apache-2.0
"""What a low-bit network computes, as handed in: sections from integers to integers.

A section is a dot product with 1-bit weights, the float chain behind it, and the
quantizer that ends the chain. Exact thresholds and the reference are both read off
these chains, never off what FINN makes of them.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from hwgq.compile.evaluate import (
    Float64,
    FloatArray,
    Rounding,
    channel_axis,
    count_thresholds,
)
from hwgq.compile.graph import ElementType, IntArray

BoolArray = npt.NDArray[np.bool_]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A product with 1-bit weights.

    Parameters
    ----------
    name
        The node.
    signs
        Weights, shape (rows, columns), True for +1; the columns in the order of the
        integer tensor that the section reads, whatever layout stood between.
    scale
        α of each row, float64 of shape (rows,).
    """

    name: str
    signs: BoolArray
    scale: FloatArray

    def accumulate(self, integers: IntArray) -> IntArray:
        """Compute the accumulators, shape (frames, rows), exactly.

        float64 is exact here: a sum of at most 2^28 integers below 2^9.
        """
        weights = np.where(self.signs, 1.0, -1.0)
        return np.asarray(integers @ weights.T).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """From one integer tensor to the next.

    Parameters
    ----------
    name
        Identity of the layer on every rung: its quantizer's node, or the dot
        product's where none follows.
    input_type
        Integers that it reads.
    channels
        Elements of a frame that the section computes; the chain reads them flat.
    dot
        None where a quantizer follows another, or an integer input.
    head
        The chain's affine part, from the accumulators (or the integers read, without a
        dot product) to real numbers. None where no quantizer follows.
    tail
        The rest of the chain, from its first operator that is not affine to the
        quantizer's input; None where there is no such operator.
    quantizer
        None only for a last section whose accumulators leave the device.
    """

    name: str
    input_type: ElementType
    channels: int
    dot: Dot | None
    head: Float64 | None = None
    tail: Float64 | None = None
    quantizer: Quantizer | None = None

    def accumulate(self, integers: IntArray) -> IntArray:
        """Compute what the chain reads, shape (frames, channels)."""
        return self.dot.accumulate(integers) if self.dot else integers

    def codes(self, accumulators: IntArray) -> IntArray:
        """Evaluate chain and quantizer on accumulators of shape (frames, channels)."""
        return self.quantize(self.affine(accumulators))

    def real(self, accumulators: IntArray) -> FloatArray:
        """Evaluate the whole chain on accumulators of shape (frames, channels)."""
        return self.behind(self.affine(accumulators))

    def behind(self, real: FloatArray) -> FloatArray:
        """Evaluate the chain's tail, shape (frames, channels)."""
        return _flat(self.tail, real) if self.tail else real

    def affine(self, accumulators: npt.NDArray[np.generic]) -> FloatArray:
        """Evaluate the chain's head on accumulators of shape (frames, channels)."""
        assert self.head is not None
        return _flat(self.head, accumulators)

    def quantize(self, real: FloatArray) -> IntArray:
        """Evaluate the chain's tail and the quantizer, shape (frames, channels)."""
        assert self.quantizer is not None
        return self.quantizer.codes(self.behind(real))


def _flat(chain: Float64, values: npt.NDArray[np.generic]) -> FloatArray:
    """Evaluate a chain, and flatten what comes out."""
    return chain.run(values).reshape(len(values), -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network cut into what the host and what the device computes.

    Parameters
    ----------
    input_shape
        Shape of one frame of the network's own input.
    declared
        What the network's input is, where the file or the user says so.
    source
        What the integers that enter the device mean.
    before
        From the network's input to integers; None where its input is integers.
    start
        Nodes of the network's path that `before` stands for.
    sections
        What the device computes, in order.
    after
        From the integers that leave the device to the network's output.
    """

    input_shape: tuple[int, ...]
    declared: Integers | None
    source: Integers
    before: Float64 | None
    start: int
    sections: tuple[Section, ...]
    after: Float64

    @property
    def input_type(self) -> ElementType:
        """Integers that enter the device."""
        return self.sections[0].input_type

    @property
    def elements(self) -> int:
        """Integers of one frame that enter the device."""
        first = self.sections[0]
        return first.dot.signs.shape[1] if first.dot else first.channels

    def integers(self, inputs: npt.NDArray[np.generic]) -> IntArray:
        """Compute what enters the device, shape (frames, elements).

        `inputs` has the shape (frames, *input_shape).
        """
        frames = len(inputs)
        if self.before is None:
            return inputs.reshape(frames, -1).astype(np.int64)
        return self.before.run(inputs).reshape(frames, -1).astype(np.int64)
