# SPDX-License-Identifier: Apache-2.0
"""A section of a network: from one tensor of integers to the next.

Frames are laid out as on the device: (rows, columns, channels) where they are images,
(elements,) elsewhere. What stands behind a dot product is the same for every pixel.
"""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwgq.compile.evaluate import Float64, FloatArray
from hwgq.compile.levels import Integers, Quantizer
from hwgq.compile.streams import ElementType, IntArray
from hwgq.compile.window import Pair, Window

BoolArray = npt.NDArray[np.bool_]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A product with low-bit weights, or a convolution with them.

    Parameters
    ----------
    name
        The node.
    weights
        Shape (rows, columns): −1 and +1 where `bits` is 1, else integers of that many
        bits. Columns are in the order of the integer tensor that the section reads,
        whatever layout stood between; of a convolution, in the order (kernel rows,
        kernel columns, channels).
    bits
        Bits of a weight.
    scale
        α of each row, float64 of shape (rows,).
    window
        Of a convolution.
    depthwise
        Whether row number c meets channel number c alone; the columns are then the
        window's taps.
    """

    name: str
    weights: IntArray
    scale: FloatArray
    bits: int = 1
    window: Window | None = None
    depthwise: bool = False

    def accumulate(self, integers: IntArray) -> IntArray:
        """Compute the accumulators of frames, shape (frames, ..., rows), exactly.

        float64 is exact here: a sum of at most 2^28 integers below 2^17.
        """
        weights = self.weights.astype(np.float64)
        if self.window is None:
            flat = integers.reshape(len(integers), -1)
            return np.asarray(flat @ weights.T).astype(np.int64)
        kernels = weights.reshape(len(weights), *self.window.kernel, -1)
        total = np.zeros((len(integers), *self.window.output, len(weights)))
        for tap, shifted in taps(integers.astype(np.float64), self.window, 0):
            kernel = kernels[:, *tap]
            total += shifted * kernel[:, 0] if self.depthwise else shifted @ kernel.T
        return total.astype(np.int64)

    def bounds(self, kind: ElementType) -> tuple[IntArray, IntArray]:
        """Give each row's smallest and largest accumulator of integers of a type."""
        low, high = (int(kind.values(np.asarray(c))) for c in (kind.low, kind.high))
        # What is padded counts 0, which lies between the two where there is padding.
        positive = np.maximum(self.weights, 0).sum(axis=1)
        negative = np.minimum(self.weights, 0).sum(axis=1)
        return positive * low + negative * high, positive * high + negative * low

    def multiply(self, vectors: IntArray) -> IntArray:
        """Multiply what lies under the window at one position, shape (n, columns).

        A depthwise product takes shape (n, rows, columns).
        """
        if self.depthwise:
            return np.asarray((vectors * self.weights).sum(axis=-1))
        return np.asarray(vectors @ self.weights.T)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """From one integer tensor to the next.

    A dot product, the chain behind it, the quantizer that ends the chain, and a pooling
    of what the quantizer emits: each may be missing.

    Parameters
    ----------
    name
        Identity of the layer on every rung: its quantizer's node, or the node of the
        dot product or the pooling where none follows.
    input_type
        Integers that it reads.
    shape_in
        Shape of a frame of them.
    shape
        Shape of a frame that the chain reads; the last dimension is channels.
    dot
        None where a quantizer follows another, or an integer input.
    head
        The chain's affine part, from the accumulators of one pixel (or the integers
        read, without a dot product) to real numbers. None where no quantizer follows.
    tail
        The rest of the chain, from its first operator that is not affine to the
        quantizer's input; None where there is no such operator.
    quantizer
        None only where accumulators, or the integers read, go on.
    pool
        Window of a max pooling. One that stood before the quantizer, which rises with
        its input, stands behind it here.
    minimum
        Channels, shape (channels,), whose smallest code such a pooling takes, because
        the chain falls from the pooling on; None where there are none.
    sums
        Whether the integers of all pixels are added up, channel by channel.
    output
        What the integers emitted mean; None where they are accumulators.
    """

    name: str
    input_type: ElementType
    shape_in: Shape
    shape: Shape
    dot: Dot | None = None
    head: Float64 | None = None
    tail: Float64 | None = None
    quantizer: Quantizer | None = None
    pool: Window | None = None
    minimum: BoolArray | None = None
    sums: bool = False
    output: Integers | None = None

    @property
    def channels(self) -> int:
        """Elements of a pixel that the section emits."""
        return self.shape[-1]

    @property
    def shape_out(self) -> Shape:
        """Shape of a frame that the section emits."""
        return self.shape if self.pool is None else (*self.pool.output, self.channels)

    @property
    def unpooled(self) -> str:
        """Name of what the quantizer emits before the pooling."""
        return f"{self.name}.unpooled"

    @property
    def steps(self) -> int:
        """Thresholds of a channel."""
        assert self.quantizer is not None
        inverts = self.minimum is not None
        return self._all_ones if inverts else self.quantizer.steps

    @property
    def output_type(self) -> ElementType:
        """Codes that the section emits, and what they mean."""
        if self.output is not None:
            return self.output.type
        assert self.dot is not None
        low, high = self.dot.bounds(self.input_type)
        return ElementType.signed(int(low.min()), int(high.max()))

    @property
    def _all_ones(self) -> int:
        """What a code and its inverse, bit by bit, add up to."""
        assert self.quantizer is not None
        return (1 << self.quantizer.type.bits) - 1

    def emit(self, accumulators: IntArray) -> IntArray:
        """Compute the codes that the section emits, shape (frames, *shape_out)."""
        if self.quantizer is not None:
            return self.pooled(self.codes(accumulators))
        if self.output is None:
            return accumulators
        return self.output.type.codes(self.pooled(accumulators))

    def accumulate(self, integers: IntArray) -> IntArray:
        """Compute what the chain reads, shape (frames, *shape)."""
        if self.dot is not None:
            return self.dot.accumulate(integers).reshape(len(integers), *self.shape)
        if self.sums:
            return np.asarray(integers.sum(axis=(1, 2), keepdims=True))
        return integers.reshape(len(integers), *self.shape)

    def codes(self, accumulators: IntArray) -> IntArray:
        """Evaluate chain and quantizer on accumulators of shape (..., channels)."""
        return self.quantize(self.affine(accumulators))

    def inner_codes(self, accumulators: IntArray) -> IntArray:
        """Evaluate what the device emits before the pooling, shape (..., channels).

        Codes of `minimum` channels are inverted, so that the largest is the least.
        """
        codes = self.codes(accumulators)
        if self.minimum is None:
            return codes
        return np.where(self.minimum, self._all_ones - codes, codes)

    def pooled(self, codes: IntArray) -> IntArray:
        """Pool codes of shape (frames, *shape)."""
        if self.pool is None:
            return codes
        falls = False if self.minimum is None else self.minimum
        rising = np.where(falls, -codes, codes)
        every = (tap for _, tap in taps(rising, self.pool, _LEAST))
        largest: IntArray = functools.reduce(np.maximum, every)
        return np.where(falls, -largest, largest)

    def real(self, accumulators: IntArray) -> FloatArray:
        """Evaluate the whole chain on accumulators of shape (..., channels)."""
        return self.behind(self.affine(accumulators))

    def behind(self, real: FloatArray) -> FloatArray:
        """Evaluate the chain's tail, shape (..., channels)."""
        return self._pixel_by_pixel(self.tail, real) if self.tail else real

    def affine(self, accumulators: npt.NDArray[np.generic]) -> FloatArray:
        """Evaluate the chain's head on accumulators of shape (..., channels)."""
        assert self.head is not None
        return self._pixel_by_pixel(self.head, accumulators)

    def quantize(self, real: FloatArray) -> IntArray:
        """Evaluate the chain's tail and the quantizer, shape (..., channels)."""
        assert self.quantizer is not None
        pixels = self.behind(real).reshape(-1, self.channels)
        return self.quantizer.codes(pixels).reshape(real.shape)

    def _pixel_by_pixel(
        self, chain: Float64, values: npt.NDArray[np.generic]
    ) -> FloatArray:
        """Evaluate a chain on the pixels of frames."""
        return chain.run(values.reshape(-1, self.channels)).reshape(values.shape)


_LEAST = np.iinfo(np.int64).min


def taps(
    images: npt.NDArray[Any], window: Window, fill: int
) -> Iterator[tuple[Pair, npt.NDArray[Any]]]:
    """Cut out what each tap of a window meets at all of its positions.

    Parameters
    ----------
    images
        Shape (frames, rows, columns, channels).
    window
        The window.
    fill
        What lies outside of the images.

    Yields
    ------
    Each tap (row, column), and an array of shape (frames, *window.output, channels).
    """
    pads = zip(window.pad, window.pad_end, strict=True)
    padded = np.pad(images, [(0, 0), *pads, (0, 0)], constant_values=fill)
    steps = list(zip(window.dilation, window.output, window.stride, strict=True))
    for row, column in itertools.product(*map(range, window.kernel)):
        rows, columns = (
            slice(tap * d, tap * d + (o - 1) * s + 1, s)
            for tap, (d, o, s) in zip((row, column), steps, strict=True)
        )
        yield (row, column), padded[:, rows, columns]
