# SPDX-License-Identifier: Apache-2.0
"""Exact integer emulation of a graph, fast enough for whole data sets.

Emulation reads the graph alone: the very weights and thresholds that become memory
images. Where the datapath is a popcount it is computed as one, by XNOR or AND on bit
planes; before that pass, as plain integer dot products. The two share no arithmetic.
"""

from collections.abc import Sequence

import numpy as np

from hwgq.compile import kernels
from hwgq.compile.graph import (
    Add,
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
from hwgq.compile.image_kernels import gather
from hwgq.compile.popcount import layer_weights
from hwgq.errors import DataError


def emulate(graph: Graph, codes: IntArray) -> dict[str, IntArray]:
    """Run frames through the graph.

    Parameters
    ----------
    graph
        A graph after any pass.
    codes
        Codes of the input stream, shape (frames, *input shape).

    Returns
    -------
    Codes of every stream by name, shape (frames, *stream shape).

    Raises
    ------
    DataError
        If `codes` has another shape or codes outside the input's range.
    """
    entry = graph.streams[graph.input]
    _check_input(entry, codes)
    known = {graph.input: codes.astype(np.int64, copy=False)}
    for layer in graph.layers:
        results = emulate_layer(graph, layer, [known[name] for name in layer.inputs])
        known.update(zip(layer.outputs, results, strict=True))
    return known


def emulate_layer(
    graph: Graph, layer: Layer, inputs: Sequence[IntArray]
) -> tuple[IntArray, ...]:
    """Run one layer alone.

    Parameters
    ----------
    graph
        The graph that the layer is of.
    layer
        The layer.
    inputs
        Codes of each of its input streams, shape (frames, *stream shape).

    Returns
    -------
    Codes of each of its output streams, likewise.
    """
    codes = inputs[0]
    match layer:
        case Mvau():
            sums = _mvau(graph, layer, codes.reshape(-1, layer.columns))
            result = _activations(graph, layer, sums)
        case Vvau():
            sums = _vvau(graph, layer, channelwise(layer, codes))
            result = _activations(graph, layer, sums)
        case Thresholding():
            thresholds = graph.tensors[layer.thresholds].astype(np.int64)
            flat = codes.reshape(-1, layer.channels)
            counts = kernels.count_reached(flat, thresholds)
            result = counts.reshape(-1, *graph.streams[layer.outputs[0]].shape)
        case SlidingWindow():
            result = _windows(layer, codes)
        case Pool():
            result = _largest(graph, layer, codes)
        case SumPool():
            sums = codes.reshape(-1, layer.pixels, layer.channels).sum(axis=1)
            result = sums.reshape(-1, *graph.streams[layer.outputs[0]].shape)
        case Add():
            streams = [graph.streams[name].type for name in layer.inputs]
            total = sum(s.values(c) for s, c in zip(streams, inputs, strict=True))
            result = graph.streams[layer.outputs[0]].type.codes(np.asarray(total))
        case Fork() | WidthConverter() | Fifo():
            result = codes
        case _:
            raise TypeError(f"no emulation of {type(layer).__name__}")
    return (result,) * len(layer.outputs)


def _windows(layer: SlidingWindow, images: IntArray) -> IntArray:
    windows = gather(images, layer.window, layer.pad_code)
    if layer.grouped:
        groups = (layer.channels // layer.word, layer.word)
        windows = windows.reshape(*windows.shape[:-1], *groups)
        windows = np.moveaxis(windows, -2, 3)
    return windows.reshape(len(images), *layer.shape_out)


def _largest(graph: Graph, layer: Pool, codes: IntArray) -> IntArray:
    """Take the maximum over the taps of each group of channels."""
    stream = graph.streams[layer.outputs[0]]
    rows, columns, _ = stream.shape
    group = codes.shape[-1]
    windows = codes.reshape(len(codes), rows, columns, -1, layer.taps, group)
    largest: IntArray = windows.max(axis=-2).reshape(len(codes), *stream.shape)
    if layer.flips is None:
        return largest
    ones = (1 << stream.type.bits) - 1
    flips: IntArray = np.where(graph.tensors[layer.flips], ones, 0)
    return np.bitwise_xor(largest, flips)


def _check_input(entry: Stream, codes: IntArray) -> None:
    if codes.shape[1:] != entry.shape:
        raise DataError(
            entry.name,
            f"frames have shape {codes.shape[1:]}, the network takes {entry.shape}",
            "Give an array of shape (frames, *network input)",
        )
    low, high = entry.type.low, entry.type.high
    if codes.size and (codes.min() < low or codes.max() > high):
        raise DataError(
            entry.name,
            f"codes reach from {codes.min()} to {codes.max()}, not {low} to {high}",
            "Scale the input to the integers that the network was trained on",
        )


def _mvau(graph: Graph, layer: Mvau, vectors: IntArray) -> IntArray:
    """Compute accumulators, shape (vectors, rows)."""
    element = graph.streams[layer.inputs[0]].type
    weights = layer_weights(graph, layer)
    if not layer.popcount:
        # BLAS is exact here: float64 holds every partial sum of integers below 2^53.
        values = element.values(vectors).astype(np.float64)
        return (values @ weights.T.astype(np.float64)).astype(np.int64)
    planes = kernels.pack_planes(vectors, element.bits)
    shape = (layer.rows, layer.weight_bits, -1)
    flips, masks = (
        kernels.pack_planes(bits.reshape(-1, layer.columns), 1).reshape(shape)
        for bits in _weight_planes(weights, layer.weight_bits)
    )
    return kernels.popcounts(planes, flips, masks)


def channelwise(layer: Vvau, codes: IntArray) -> IntArray:
    """Bring what a VVAU reads to the shape (pixels, channels, taps)."""
    groups = codes.reshape(-1, layer.taps, codes.shape[-1])
    return groups.swapaxes(1, 2).reshape(-1, layer.channels, layer.taps)


def _vvau(graph: Graph, layer: Vvau, vectors: IntArray) -> IntArray:
    """Compute accumulators, shape (pixels, channels)."""
    element = graph.streams[layer.inputs[0]].type
    weights = layer_weights(graph, layer)
    if not layer.popcount:
        dots: IntArray = np.einsum("vct,ct->vc", element.values(vectors), weights)
        return dots
    ones = (1 << element.bits) - 1
    flips, masks = _weight_planes(weights, layer.weight_bits)
    return kernels.lane_popcounts(vectors, ones * flips, ones * masks)


def _weight_planes(weights: IntArray, bits: int) -> tuple[IntArray, IntArray]:
    """Tell where each bit of the weights inverts codes, and where it counts them.

    Both are 0 or 1, shape (rows, bits, columns).
    """
    if bits == 1:
        flips = (weights < 0).astype(np.int64)[:, None]
        return flips, np.ones_like(flips)
    masks = weights[:, None] >> np.arange(bits)[:, None] & 1
    flips = np.zeros_like(masks)
    flips[:, -1] = 1
    return flips, masks


def _activations(graph: Graph, layer: Mvau | Vvau, sums: IntArray) -> IntArray:
    """Turn accumulators, shape (vectors, channels), into frames of the output."""
    if layer.thresholds is not None:
        thresholds = graph.tensors[layer.thresholds].astype(np.int64)
        sums = kernels.count_reached(sums, thresholds)
    else:
        sums = sums << layer.shift
        if layer.bias is not None:
            sums = sums + graph.tensors[layer.bias].astype(np.int64)
    return sums.reshape(-1, *graph.streams[layer.outputs[0]].shape)
