# SPDX-License-Identifier: Apache-2.0
"""What a random network is: its input, and one step after another.

A plan says forms and sizes; weights, statistics and thresholds follow from its seed.
Its `repr` is Python that makes it again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

Pair = tuple[int, int]
Shape = tuple[int, ...]
"""Of a frame: (channels, rows, columns) of an image, or (elements,)."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a window lies, in ONNX's words.

    Parameters
    ----------
    pads
        Above, left, below, right.
    """

    kernel: Pair
    strides: Pair = (1, 1)
    dilations: Pair = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    auto_pad: str = "NOTSET"
    ceil: bool = False

    def output(self, size: Pair) -> Pair:
        """Give the positions of the window on an image of `size` pixels."""
        (rows, _), (columns, _) = (self._along(size[axis], axis) for axis in (0, 1))
        return rows, columns

    def reaches(self, size: Pair) -> bool:
        """Tell whether it meets a pixel wherever it lies."""
        return all(self._reaches(size[axis], axis) for axis in (0, 1))

    def padding(self, size: Pair) -> tuple[Pair, Pair]:
        """Give how far it lies outside of an image, before and behind, a side."""
        return self._outside(size[0], 0), self._outside(size[1], 1)

    def _outside(self, size: int, axis: int) -> Pair:
        positions, before = self._along(size, axis)
        extent = self.dilations[axis] * (self.kernel[axis] - 1) + 1
        end = (positions - 1) * self.strides[axis] + extent
        return before, max(0, end - before - size)

    def _reaches(self, size: int, axis: int) -> bool:
        stride, dilation = self.strides[axis], self.dilations[axis]
        positions, before = self._along(size, axis)
        taps = range(0, dilation * self.kernel[axis], dilation)
        starts = (i * stride - before for i in range(positions))
        return all(any(0 <= start + tap < size for tap in taps) for start in starts)

    def _along(self, size: int, axis: int) -> Pair:
        """Give positions along one side, and how far the first one lies outside."""
        stride, before = self.strides[axis], self.pads[axis]
        extent = self.dilations[axis] * (self.kernel[axis] - 1) + 1
        if self.auto_pad.startswith("SAME"):
            positions = -(-size // stride)
            total = max(0, (positions - 1) * stride + extent - size)
            lower = self.auto_pad == "SAME_LOWER"
            return positions, (total + lower) // 2
        room = size + before + self.pads[axis + 2] - extent
        positions = room // stride + 1
        if self.ceil:
            positions = -(-room // stride) + 1
            positions -= (positions - 1) * stride >= size + before
        return positions, before


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Low-bit weights: one scale, or one an output channel."""

    bits: int = 1
    scales: bool = False


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A convolution; of each channel by itself where `depthwise`."""

    rows: int
    place: Place
    weights: Weights = Weights()
    bias: bool = False
    depthwise: bool = False


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A product with a matrix; images are flattened before it."""

    rows: int
    weights: Weights = Weights()
    gemm: bool = False


@dataclass(frozen=True, kw_only=True)
class MaxPool:
    """A max pooling."""

    place: Place


@dataclass(frozen=True, kw_only=True)
class Average:
    """A mean over all pixels."""


@dataclass(frozen=True, kw_only=True)
class Norm:
    """Batch normalization, calibrated.

    Parameters
    ----------
    gammas
        "positive", "negative", "mixed", or "zeros": some of them 0.
    grid
        Whether means are values that do occur, so that results are exactly 0.
    """

    gammas: str = "positive"
    grid: bool = False


@dataclass(frozen=True, kw_only=True)
class Affine:
    """An ``Add``, ``Sub``, ``Mul`` or ``Div`` by one number, or one a channel."""

    operator: str
    value: float
    channels: bool = False


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function that never decreases, such as ``Relu``."""

    operator: str


@dataclass(frozen=True, kw_only=True)
class Quantizer:
    """A quantizer of activations, its scale or thresholds calibrated.

    Parameters
    ----------
    form
        "quant", "hwgq", "thresholds" (of each channel), or "bipolar".
    grid
        Whether thresholds are values that do occur.
    """

    form: str
    bits: int
    signed: bool = False
    narrow: bool = False
    zero_point: int = 0
    grid: bool = False


Step = Convolution | Linear | MaxPool | Average | Norm | Affine | Function | Quantizer


@dataclass(frozen=True, kw_only=True)
class Folding:
    """How the hardware of a network is made, and how it is tried.

    Parameters
    ----------
    picks
        Which of its possible lanes each unit of layers has, in hundredths of their
        list, which `folding` orders; the units go through them again and again. Those
        that the compiler chooses, where there are none.
    seed
        Of the pauses at both ends.
    source, sink
        Percent of the cycles in which they pause.
    """

    picks: tuple[int, ...] = ()
    seed: int = 0
    source: int = 40
    sink: int = 40


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A network.

    Parameters
    ----------
    shape
        Of a frame of the input.
    kind
        Integers that the input is made of, or "FLOAT32".
    steps
        What it does, in order.
    seed
        Of weights, statistics and frames.
    exact
        Whether scales are powers of two, so that float32 has no rounding.
    folding
        Its hardware.
    """

    shape: Shape
    kind: str
    steps: tuple[Step, ...]
    seed: int = 0
    exact: bool = False
    folding: Folding = Folding()

    def trace(self) -> Iterator[tuple[Step, Shape]]:
        """Go through the steps, each with the shape of what it reads."""
        shape = self.shape
        for step in self.steps:
            yield step, shape
            shape = shape_behind(step, shape)


def shape_behind(step: Step, shape: Shape) -> Shape:
    """Give the shape of a frame that a step writes."""
    match step:
        case Convolution(rows=rows, place=place):
            return (rows, *place.output(shape[1:]))
        case Linear(rows=rows):
            return (rows,)
        case MaxPool(place=place):
            return (shape[0], *place.output(shape[1:]))
        case Average():
            return (shape[0], 1, 1)
    return shape
