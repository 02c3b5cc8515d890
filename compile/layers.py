# SPDX-License-Identifier: Apache-2.0
"""The kinds of layers of the dataflow IR: one frozen class each, big arrays by key."""

from dataclasses import dataclass

from hwgq.compile.streams import ElementType
from hwgq.compile.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A node of the graph.

    Parameters
    ----------
    name
        Identity of the layer on every rung, in every report and every error.
    inputs, outputs
        Names of the streams read and written.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mvau(Layer):
    """A matrix-vector-activation unit, which multiplies each vector of a frame.

    Parameters
    ----------
    rows, columns
        Output channels (MH) and inputs (MW).
    pe, simd
        Rows and columns in parallel; each divides its dimension.
    weights
        Key of the weights, shape (rows, columns): bool where `weight_bits` is 1, True
        for +1; else int64.
    weight_bits
        Bits of a weight; more than 1 are two's complement.
    thresholds
        Key of the thresholds, int64 of shape (rows, steps), sorted along a row;
        None where the layer emits its accumulators.
    bias
        Key of what is added to the accumulator, int64 of shape (rows,); only where
        `thresholds` is None.
    accumulator
        Type of the accumulator that thresholds are compared with. Before
        "absorb-offsets" it is the dot product of the integers that the codes mean;
        after it, the weighted popcount S of the XNOR datapath, which is unsigned.
    popcount
        Whether `thresholds`, `bias` and `accumulator` are in terms of S.
    shift
        The emitted accumulator is ``(S << shift) + bias``; 1 for a bipolar input.
    datapath
        Formulation of the popcount; "plain" is any device's.
    weight_store, parameter_store
        Memories that hold the weights and the thresholds or biases: "lut" or "block".
    """

    rows: int
    columns: int
    weights: str
    weight_bits: int = 1
    thresholds: str | None = None
    bias: str | None = None
    accumulator: ElementType
    popcount: bool = False
    shift: int = 0
    pe: int = 1
    simd: int = 1
    datapath: str = "plain"
    weight_store: str = "block"
    parameter_store: str = "block"

    @property
    def synapse_folds(self) -> int:
        """Cycles of one group of rows (SF)."""
        return self.columns // self.simd

    @property
    def neuron_folds(self) -> int:
        """Groups of rows (NF)."""
        return self.rows // self.pe

    @property
    def cycles(self) -> int:
        """Cycles of one vector."""
        return self.synapse_folds * self.neuron_folds


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingWindow(Layer):
    """Gather the elements under a window at each of its positions (SWG).

    Reads frames of shape (rows, columns, channels). Writes, for each position of the
    window, (kernel rows, kernel columns, channels); or, where `grouped`, (channels / P,
    kernel rows, kernel columns, P) with P = min(`simd`, `channels`), so that what is
    under the window in one group of channels comes together.

    Parameters
    ----------
    window
        Where the window lies.
    channels
        Elements of a pixel.
    pad_code
        Code of what lies outside the frame.
    grouped
        Which of the two orders is written.
    simd
        Elements of a beat that is written: a divisor of `channels`, or `channels` times
        the kernel's columns, or times all of the kernel.
    depth
        Rows of a frame that are held.
    """

    window: Window
    channels: int
    pad_code: int = 0
    grouped: bool = False
    simd: int = 1
    depth: int = 0

    @property
    def word(self) -> int:
        """Elements of a beat that is read, and channels of a group (P)."""
        return min(self.simd, self.channels)

    @property
    def cycles(self) -> int:
        """Cycles of one frame: its beats in or its beats out, whichever are more."""
        return max(
            self.window.pixels_in * self.channels // self.word,
            self.window.pixels_out * self.window.taps * self.channels // self.simd,
        )

    @property
    def shape_out(self) -> tuple[int, ...]:
        """Shape of a frame of the stream that is written."""
        kernel, rows = self.window.kernel, self.window.output
        if not self.grouped:
            return (*rows, *kernel, self.channels)
        return (*rows, self.channels // self.word, *kernel, self.word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool(Layer):
    """Take the largest code under a window, channel by channel.

    Reads what a grouped :class:`SlidingWindow` writes; writes (rows, columns,
    channels).

    Parameters
    ----------
    channels
        Elements of a pixel.
    taps
        Elements under the window.
    flips
        Key of the channels, bool of shape (channels,), whose codes are inverted bit by
        bit on leaving: what comes in is inverted, too: the largest is the least.
        None where there is no such channel.
    parameter_store
        "lut" or "block": where `flips` lie.
    pe
        Channels in parallel; divides `channels`.
    simd
        Taps in parallel; more than 1 only if `pe` is `channels`.
    """

    channels: int
    taps: int
    flips: str | None = None
    pe: int = 1
    simd: int = 1
    parameter_store: str = "lut"


@dataclass(frozen=True, slots=True, kw_only=True)
class SumPool(Layer):
    """Add the codes of all pixels of a frame up, channel by channel.

    Reads (rows, columns, channels); writes (1, 1, channels).

    Parameters
    ----------
    channels
        Elements of a pixel.
    pixels
        Pixels of a frame.
    pe
        Channels in parallel; divides `channels`.
    """

    channels: int
    pixels: int
    pe: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Vvau(Layer):
    """A vector-vector-activation unit: a depthwise convolution's dot products.

    Reads what a grouped :class:`SlidingWindow` writes; writes (rows, columns,
    channels).
    Each channel has a row of weights of its own, and its own columns.

    Parameters
    ----------
    channels
        Elements of a pixel.
    taps
        Elements under the window of one channel.
    pe
        Channels in parallel; divides `channels`.
    simd
        Taps in parallel; more than 1 only if `pe` is `channels`.
    weights
        Key of the weights, shape (channels, taps); as of :class:`Mvau`.
    weight_bits, thresholds, bias, accumulator, popcount, shift
        As of :class:`Mvau`.
    weight_store, parameter_store
        As of :class:`Mvau`.
    """

    channels: int
    taps: int
    weights: str
    weight_bits: int = 1
    thresholds: str | None = None
    bias: str | None = None
    accumulator: ElementType
    popcount: bool = False
    shift: int = 0
    pe: int = 1
    simd: int = 1
    weight_store: str = "block"
    parameter_store: str = "block"

    @property
    def synapse_folds(self) -> int:
        """Cycles of one group of channels (SF)."""
        return self.taps // self.simd

    @property
    def neuron_folds(self) -> int:
        """Groups of channels (NF)."""
        return self.channels // self.pe

    @property
    def cycles(self) -> int:
        """Cycles of one pixel."""
        return self.synapse_folds * self.neuron_folds


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholding(Layer):
    """Count, element by element, how many thresholds the input's code reaches.

    Parameters
    ----------
    channels
        Length of the last dimension of the stream.
    thresholds
        Key of the thresholds on the input's *code*, int64 of shape (channels, steps).
    pe
        Elements per beat; divides `channels`.
    parameter_store
        Memory that holds the thresholds: "lut" or "block".
    """

    channels: int
    thresholds: str
    pe: int = 1
    parameter_store: str = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork(Layer):
    """Copy one stream to several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Layer):
    """Add two streams of one shape, element by element, as integers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthConverter(Layer):
    """Change the elements per beat of a stream (DWC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fifo(Layer):
    """Hold up to `depth` beats of a stream."""

    depth: int
