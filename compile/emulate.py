# SPDX-License-Identifier: Apache-2.0
"""Exact integer emulation of a graph, fast enough for whole data sets.

Emulation reads the graph alone: the very weights and thresholds that become memory
images. Where the datapath is a popcount it is computed as one, by XNOR on packed bit
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
    Thresholding,
    WidthConverter,
)
from hwgq.compile.image_kernels import gather
from hwgq.compile.popcount import BoolArray
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
    streams = [graph.streams[name] for name in layer.inputs]
    match layer:
        case Mvau():
            return (_mvau(graph, layer, inputs[0]),)
        case Thresholding():
            thresholds = graph.tensors[layer.thresholds].astype(np.int64)
            flat = inputs[0].reshape(-1, layer.channels)
            return (kernels.count_reached(flat, thresholds).reshape(inputs[0].shape),)
        case SlidingWindow():
            return (_windows(layer, inputs[0]),)
        case Pool():
            return (_largest(graph, layer, inputs[0]),)
        case Add():
            total = sum(s.type.values(c) for s, c in zip(streams, inputs, strict=True))
            return (graph.streams[layer.outputs[0]].type.codes(np.asarray(total)),)
        case Fork() | WidthConverter() | Fifo():
            return (inputs[0],) * len(layer.outputs)
    raise TypeError(f"no emulation of {type(layer).__name__}")


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


def _mvau(graph: Graph, layer: Mvau, codes: IntArray) -> IntArray:
    stream = graph.streams[layer.inputs[0]]
    weights = graph.tensors[layer.weights].astype(np.bool_)
    vectors = codes.reshape(-1, layer.columns)
    if layer.popcount:
        planes = kernels.pack_planes(vectors, stream.type.bits)
        sums = kernels.popcounts(planes, _pack_flips(weights))
    else:
        sums = _dot_products(stream.type.values(vectors), weights)
    if layer.thresholds is not None:
        thresholds = graph.tensors[layer.thresholds].astype(np.int64)
        sums = kernels.count_reached(sums, thresholds)
    else:
        sums = sums << layer.shift
        if layer.bias is not None:
            sums = sums + graph.tensors[layer.bias].astype(np.int64)
    return sums.reshape(len(codes), *graph.streams[layer.outputs[0]].shape)


def _dot_products(values: IntArray, weights: BoolArray) -> IntArray:
    signs = np.where(weights, 1.0, -1.0)
    # BLAS is exact here: float64 holds every partial sum of integers below 2^53.
    return (values.astype(np.float64) @ signs.T).astype(np.int64)


def _pack_flips(weights: BoolArray) -> kernels.WordArray:
    """Pack inverted signs, shape (rows, columns), to words, zero beyond the last."""
    return kernels.pack_planes((~weights).astype(np.int64), 1)[:, 0]
