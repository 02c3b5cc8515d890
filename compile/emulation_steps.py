# SPDX-License-Identifier: Apache-2.0
"""Layers prepared for emulation: weights and thresholds as the inner loops want them.

Where the datapath is a popcount it is computed as one, by XNOR or AND on bit planes;
before that pass, as plain integer dot products. The two share no arithmetic.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwgq.compile.bit_planes import pack, place_values, unpack
from hwgq.compile.forms import Form
from hwgq.compile.graph import (
    Add,
    ElementType,
    Fifo,
    Fork,
    Graph,
    IntArray,
    Layer,
    Mvau,
    Pool,
    SlidingWindow,
    Stream,
    SumPool,
    Thresholding,
    Vvau,
    WidthConverter,
)
from hwgq.compile.image_kernels import gather, gather_joined, largest, pixels_under
from hwgq.compile.kernels import (
    Activation,
    WordArray,
    activate,
    lane_sums,
    products,
)
from hwgq.compile.popcount import layer_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A layer, ready to run.

    Parameters
    ----------
    reads
        Form of its inputs; None where any will do, and is that of the outputs.
    writes
        Form of its outputs.
    run
        Makes the planes of each output of those of the inputs.
    """

    reads: Form | None
    writes: Form | None
    run: Callable[..., WordArray]


def prepare(graph: Graph, layer: Layer) -> Step:
    """Prepare a layer of a graph."""
    match layer:
        case Mvau():
            step = _mvau(graph, layer)
        case Vvau():
            step = _vvau(graph, layer)
        case Thresholding():
            step = _thresholding(graph, layer)
        case SumPool():
            step = _sum_pool(graph, layer)
        case SlidingWindow():
            step = _window(graph, layer)
        case Pool():
            step = _pool(graph, layer)
        case Add():
            step = _add(graph, layer)
        case Fork() | WidthConverter() | Fifo():
            step = Step(reads=None, writes=None, run=lambda planes: planes)
        case _:
            raise TypeError(f"no emulation of {type(layer).__name__}")
    return step


def _mvau(graph: Graph, layer: Mvau) -> Step:
    source, _ = _ends(graph, layer)
    weights, activation = layer_weights(graph, layer), _activation(graph, layer)
    ends = {"reads": Form.plain(layer.columns), "writes": Form.plain(layer.rows)}
    if not layer.popcount:
        # BLAS is exact here: float64 holds every partial sum of integers below 2^53.
        factors = weights.T.astype(np.float64)

        def dot(planes: WordArray) -> WordArray:
            codes = unpack(planes, source.type, layer.columns)
            sums = source.type.values(codes).astype(np.float64) @ factors
            return activate(sums.astype(np.int64), activation)

        return Step(**ends, run=dot)
    flips, masks = (
        np.ascontiguousarray([pack(rows, 1)[:, 0].T for rows in bits])
        for bits in _weight_planes(weights, layer.weight_bits)
    )
    some = None if layer.weight_bits == 1 else masks
    return Step(**ends, run=lambda planes: products(planes, flips, some, activation))


def _vvau(graph: Graph, layer: Vvau) -> Step:
    source, _ = _ends(graph, layer)
    channels, taps = layer.channels, layer.taps
    weights, activation = layer_weights(graph, layer), _activation(graph, layer)
    ends = {
        "reads": Form(columns=channels, taps=taps, word=source.shape[-1]),
        "writes": Form.plain(channels),
    }
    if not layer.popcount:

        def dot(planes: WordArray) -> WordArray:
            values = source.type.values(unpack(planes, source.type, channels))
            vectors = values.reshape(-1, taps, channels)
            return activate(np.einsum("vtc,ct->vc", vectors, weights), activation)

        return Step(**ends, run=dot)
    flips, masks = (
        np.stack([pack(rows.T, 1)[:, 0] for rows in bits])
        for bits in _weight_planes(weights, layer.weight_bits)
    )
    places = place_values(source.type)
    return Step(
        **ends, run=lambda planes: lane_sums(planes, places, flips, masks, activation)
    )


def _thresholding(graph: Graph, layer: Thresholding) -> Step:
    source, sink = _ends(graph, layer)
    channels = source.shape[-1]
    # All channels may share one row of thresholds.
    thresholds = graph.tensors[layer.thresholds].astype(np.int64).T
    tiled = np.tile(thresholds, channels // layer.channels)
    return _sums_of_codes(source.type, channels, 1, _counting(tiled, sink))


def _sum_pool(graph: Graph, layer: SumPool) -> Step:
    source, sink = _ends(graph, layer)
    activation = _emission(layer.channels, sink)
    return _sums_of_codes(source.type, layer.channels, layer.pixels, activation)


def _sums_of_codes(
    element: ElementType, channels: int, taps: int, activation: Activation
) -> Step:
    """Add so many codes up, channel by channel: dot products with ones."""
    form, places = Form.plain(channels), place_values(element)
    masks = pack(np.ones((taps, channels), np.int64), 1)[None, :, 0]
    flips = np.zeros_like(masks)
    return Step(
        reads=form,
        writes=form,
        run=lambda planes: lane_sums(planes, places, flips, masks, activation),
    )


def _window(graph: Graph, layer: SlidingWindow) -> Step:
    source, _ = _ends(graph, layer)
    channels, window = layer.channels, layer.window
    under, size = pixels_under(window), window.pixels_in
    fill = pack(np.full((1, channels), layer.pad_code), source.type.bits)
    if layer.grouped:
        return Step(
            reads=Form.plain(channels),
            writes=Form(columns=channels, taps=window.taps, word=layer.word),
            run=lambda planes: gather(planes, under, size, fill),
        )
    return Step(
        reads=Form.plain(channels),
        writes=Form.plain(channels * window.taps),
        run=lambda planes: gather_joined(planes, under, size, fill, channels),
    )


def _pool(graph: Graph, layer: Pool) -> Step:
    source, _ = _ends(graph, layer)
    assert not source.type.is_signed
    inverted = np.zeros(layer.channels, np.int64)
    if layer.flips is not None:
        inverted = graph.tensors[layer.flips].astype(np.int64)
    flips = pack(inverted[None], 1)[0, 0]
    return Step(
        reads=Form(columns=layer.channels, taps=layer.taps, word=source.shape[-1]),
        writes=Form.plain(layer.channels),
        run=lambda planes: largest(planes, layer.taps, flips),
    )


def _add(graph: Graph, layer: Add) -> Step:
    _, sink = _ends(graph, layer)
    types = [graph.streams[name].type for name in layer.inputs]
    columns = sink.shape[-1]

    def run(*inputs: WordArray) -> WordArray:
        pairs = zip(inputs, types, strict=True)
        values = [kind.values(unpack(p, kind, columns)) for p, kind in pairs]
        return pack(sink.type.codes(np.sum(values, axis=0)), sink.type.bits)

    return Step(reads=Form.plain(columns), writes=Form.plain(columns), run=run)


def _ends(graph: Graph, layer: Layer) -> tuple[Stream, Stream]:
    return graph.streams[layer.inputs[0]], graph.streams[layer.outputs[0]]


def _weight_planes(weights: IntArray, bits: int) -> tuple[IntArray, IntArray]:
    """Tell where each bit of the weights inverts codes, and where it counts them.

    Both are 0 or 1, shape (bits, rows, columns).
    """
    if bits == 1:
        flips = (weights < 0).astype(np.int64)[None]
        return flips, np.ones_like(flips)
    masks = weights >> np.arange(bits)[:, None, None] & 1
    flips = np.zeros_like(masks)
    flips[-1] = 1
    return flips, masks


def _activation(graph: Graph, layer: Mvau | Vvau) -> Activation:
    _, sink = _ends(graph, layer)
    if layer.thresholds is not None:
        return _counting(graph.tensors[layer.thresholds].astype(np.int64).T, sink)
    channels = layer.rows if isinstance(layer, Mvau) else layer.channels
    emission = _emission(channels, sink)._replace(shift=layer.shift)
    if layer.bias is None:
        return emission
    return emission._replace(bias=graph.tensors[layer.bias].astype(np.int64))


def _counting(thresholds: IntArray, sink: Stream) -> Activation:
    """Make the codes of a stream by thresholds of shape (steps, channels)."""
    return Activation(
        counts=True,
        thresholds=np.ascontiguousarray(thresholds),
        bias=np.zeros(thresholds.shape[1], np.int64),
        shift=0,
        bits=sink.type.bits,
    )


def _emission(channels: int, sink: Stream) -> Activation:
    """Take sums as the codes of a stream."""
    return Activation(
        counts=False,
        thresholds=np.zeros((0, channels), np.int64),
        bias=np.zeros(channels, np.int64),
        shift=0,
        bits=sink.type.bits,
    )
