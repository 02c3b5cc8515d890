# SPDX-License-Identifier: Apache-2.0
"""Networks for images with random weights, as the front end would make them."""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hwgq.compile.graph import (
    ElementType,
    Graph,
    Layer,
    Mvau,
    Pool,
    SlidingWindow,
    Stream,
    SumPool,
    Vvau,
    Window,
)
from tests.compile.graphs import draw_products


class Conv(NamedTuple):
    """A convolution of square windows."""

    channels: int
    kernel: int
    stride: int = 1
    pad: int = 0


class Depthwise(NamedTuple):
    """A convolution of each channel by itself."""

    kernel: int
    stride: int = 1
    pad: int = 0


class MaxPool(NamedTuple):
    """The largest under windows that do not overlap."""

    kernel: int


class PixelSum(NamedTuple):
    """The sum over all pixels."""


class Dense(NamedTuple):
    """A layer of all elements of a frame."""

    rows: int


Kind = Conv | Depthwise | MaxPool | PixelSum | Dense


def random_cnn(
    seed: int,
    image: tuple[int, int, int],
    kinds: Sequence[Kind],
    *,
    entry: ElementType | None = None,
    steps: int = 3,
) -> Graph:
    """Make a chain in terms of dot products, all lanes 1.

    Parameters
    ----------
    seed
        Of weights and thresholds.
    image
        Rows, columns and channels of a frame.
    kinds
        Layers in order; the last emits accumulators. Number N is ``layerN``, and a
        sliding window before it ``layerN.window``.
    entry
        Type of the input stream; 8-bit levels unless given.
    steps
        Thresholds per channel of all but the last.
    """
    stream = Stream(name="image", shape=image, type=entry or ElementType.unsigned(255))
    graph = Graph(layers=(), streams={"image": stream}, input="image", output="image")
    maker = _Maker(np.random.default_rng(seed))
    for i, kind in enumerate(kinds):
        last = i == len(kinds) - 1
        graph = maker.appended(graph, f"layer{i}", kind, 0 if last else steps)
    return graph


def lenet(seed: int = 1) -> Graph:
    """Make a network like LeNet-5."""
    kinds = (Conv(20, 5), MaxPool(2), Conv(50, 5), MaxPool(2), Dense(500), Dense(10))
    return random_cnn(seed, (28, 28, 1), kinds)


def cnv(seed: int = 1) -> Graph:
    """Make a network like FINN's CNV."""
    kinds = (
        *(Conv(64, 3), Conv(64, 3), MaxPool(2)),
        *(Conv(128, 3), Conv(128, 3), MaxPool(2)),
        *(Conv(256, 3), Conv(256, 3), Dense(512), Dense(512), Dense(10)),
    )
    return random_cnn(seed, (32, 32, 3), kinds)


class _Maker:
    """Appends layers.

    Parameters
    ----------
    rng
        Source of weights and thresholds.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def appended(self, graph: Graph, name: str, kind: Kind, steps: int) -> Graph:
        """Put a layer, and a window where it needs one, behind the last."""
        match kind:
            case Conv():
                window = _placed(graph.streams[graph.output], kind[1:])
                if not (window.whole or window.pointwise):
                    graph = self._window(graph, name, kind[1:], grouped=False)
                return self._mvau(graph, name, (*window.output, kind.channels), steps)
            case Dense():
                return self._mvau(graph, name, (kind.rows,), steps)
            case Depthwise():
                graph = self._window(graph, name, kind, grouped=True)
                return self._vvau(graph, name, steps)
            case MaxPool():
                sides = (kind.kernel, kind.kernel, 0)
                return self._pool(self._window(graph, name, sides, grouped=True), name)
        source = graph.streams[graph.output]
        *sizes, channels = source.shape
        pixels = math.prod(sizes)
        ends = {"name": name, "inputs": (source.name,), "outputs": (f"{name}.out",)}
        layer = SumPool(**ends, channels=channels, pixels=pixels)
        total = ElementType.unsigned(source.type.high * pixels)
        out = dataclasses.replace(source, shape=(channels,), type=total)
        return _joined(graph, layer, out)

    def _window(
        self, graph: Graph, name: str, sides: tuple[int, ...], *, grouped: bool
    ) -> Graph:
        source = graph.streams[graph.output]
        layer = SlidingWindow(
            name=f"{name}.window",
            inputs=(source.name,),
            outputs=(f"{name}.windows",),
            window=_placed(source, sides),
            channels=source.shape[-1],
            grouped=grouped,
        )
        shape = layer.shape_out
        return _joined(graph, layer, dataclasses.replace(source, shape=shape))

    def _mvau(
        self, graph: Graph, name: str, shape: tuple[int, ...], steps: int
    ) -> Graph:
        source = graph.streams[graph.output]
        *positions, rows = shape
        columns = source.elements // math.prod(positions)
        weights = (rows, columns)
        graph, fields, kind = draw_products(graph, self._rng, weights, 1, steps)
        ends = {"name": name, "inputs": (source.name,), "outputs": (f"{name}.out",)}
        layer = Mvau(**ends, **fields, rows=rows, columns=columns)
        return _joined(graph, layer, Stream(name="", shape=shape, type=kind))

    def _vvau(self, graph: Graph, name: str, steps: int) -> Graph:
        source = graph.streams[graph.output]
        rows, columns, groups, kernel_rows, kernel_columns, each = source.shape
        channels, taps = groups * each, kernel_rows * kernel_columns
        shape = (channels, taps)
        graph, fields, kind = draw_products(graph, self._rng, shape, 1, steps)
        ends = {"name": name, "inputs": (source.name,), "outputs": (f"{name}.out",)}
        layer = Vvau(**ends, **fields, channels=channels, taps=taps)
        return _joined(
            graph, layer, Stream(name="", shape=(rows, columns, channels), type=kind)
        )

    def _pool(self, graph: Graph, name: str) -> Graph:
        source = graph.streams[graph.output]
        rows, columns, groups, kernel_rows, kernel_columns, each = source.shape
        ends = {"name": name, "inputs": (source.name,), "outputs": (f"{name}.out",)}
        layer = Pool(**ends, channels=groups * each, taps=kernel_rows * kernel_columns)
        shape = (rows, columns, groups * each)
        return _joined(graph, layer, dataclasses.replace(source, shape=shape))


def _placed(source: Stream, sides: tuple[int, ...]) -> Window:
    """Lay a square window of (kernel, stride, padding) on an image."""
    kernel, stride, pad = sides
    rows, columns, _ = source.shape
    return Window(
        input=(rows, columns),
        output=(
            (rows + 2 * pad - kernel) // stride + 1,
            (columns + 2 * pad - kernel) // stride + 1,
        ),
        kernel=(kernel, kernel),
        stride=(stride, stride),
        pad=(pad, pad),
    )


def _joined(graph: Graph, layer: Layer, out: Stream) -> Graph:
    """Put a layer behind the last one."""
    (name,) = layer.outputs
    return graph.replace(
        layers=(*graph.layers, layer),
        streams={**graph.streams, name: dataclasses.replace(out, name=name)},
        output=name,
    )
