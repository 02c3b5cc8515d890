# SPDX-License-Identifier: Apache-2.0
"""Inputs that meet every threshold exactly, from both sides.

Agreement on images leaves most thresholds untried: one that is off by one changes a
level only where the accumulator is just there. So for each channel and threshold T a
frame is made whose accumulator is T - 1 and one whose accumulator is T, wherever those
can be reached, and the layer is run on them alone.
"""

from dataclasses import dataclass

import numpy as np

from hwgq.compile.graph import ElementType, Graph, IntArray, Mvau, Thresholding
from hwgq.compile.popcount import BoolArray, popcount_bounds

Thresholded = Mvau | Thresholding


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many sides of a layer's thresholds a set of frames meets.

    Parameters
    ----------
    layer
        Name of the layer.
    reachable
        Sides, T - 1 or T of a channel's threshold, that some input reaches.
    covered
        Those that an input of the set reaches.
    """

    layer: str
    reachable: int
    covered: int


def boundary_layers(graph: Graph) -> tuple[Thresholded, ...]:
    """List the layers that have thresholds."""
    return tuple(
        layer
        for layer in graph.layers
        if isinstance(layer, Thresholded) and layer.thresholds is not None
    )


def isolate(graph: Graph, layer: Thresholded) -> Graph:
    """Make the graph of one layer alone, folded as it is."""
    (source,), (sink,) = layer.inputs, layer.outputs
    streams = {name: graph.streams[name] for name in (source, sink)}
    return graph.replace(layers=(layer,), streams=streams, input=source, output=sink)


def boundary_vectors(graph: Graph, layer: Thresholded, seed: int = 0) -> IntArray:
    """Make frames that meet every threshold of a layer from both sides.

    Parameters
    ----------
    graph
        A graph whose offsets are absorbed.
    layer
        A layer of it that has thresholds.
    seed
        Of the choice among the many inputs that give one accumulator.

    Returns
    -------
    Input codes, shape (frames, *input shape).
    """
    stream = graph.streams[layer.inputs[0]]
    sides = _sides(_thresholds(graph, layer))
    if isinstance(layer, Thresholding):
        # Channels do not share inputs: one frame serves all of them.
        codes = sides.clip(stream.type.low, stream.type.high).T
        repeats = stream.elements // layer.channels
        return np.tile(codes, (1, repeats)).reshape(-1, *stream.shape)
    weights = graph.tensors[layer.weights].astype(np.bool_)
    low, high = popcount_bounds(weights, stream.type)
    reached = (sides >= low[:, None]) & (sides <= high[:, None])
    rows, columns = np.nonzero(reached)
    targets = sides[rows, columns] - low[rows]
    order = np.random.default_rng(seed).permuted(
        np.tile(np.arange(layer.columns), (len(rows), 1)), axis=1
    )
    codes = _spread(targets, weights[rows], stream.type, order)
    return codes.reshape(-1, *stream.shape)


def coverage(graph: Graph, layer: Thresholded, codes: IntArray) -> Coverage:
    """Count the sides of a layer's thresholds that frames meet.

    Parameters
    ----------
    graph
        A graph whose offsets are absorbed.
    layer
        A layer of it that has thresholds.
    codes
        Input codes, shape (frames, *input shape).
    """
    stream = graph.streams[layer.inputs[0]]
    sides = _sides(_thresholds(graph, layer))
    if isinstance(layer, Thresholding):
        seen = codes.reshape(-1, layer.channels)
        low, high = np.full(
            (2, layer.channels), [[stream.type.low], [stream.type.high]]
        )
    else:
        weights = graph.tensors[layer.weights].astype(np.bool_)
        seen = _sums(codes.reshape(-1, layer.columns), weights, stream.type)
        low, high = popcount_bounds(weights, stream.type)
    reachable = (sides >= low[:, None]) & (sides <= high[:, None])
    met = np.stack(
        [np.isin(s, column) for s, column in zip(sides, seen.T, strict=True)]
    )
    return Coverage(
        layer=layer.name,
        reachable=int(reachable.sum()),
        covered=int((reachable & met).sum()),
    )


def _thresholds(graph: Graph, layer: Thresholded) -> IntArray:
    assert layer.thresholds is not None
    return graph.tensors[layer.thresholds].astype(np.int64)


def _sides(thresholds: IntArray) -> IntArray:
    """Put T - 1 of every threshold beside T, shape (channels, 2 · steps)."""
    return np.concatenate([thresholds - 1, thresholds], axis=1)


def _spread(
    amounts: IntArray, weights: BoolArray, element: ElementType, order: IntArray
) -> IntArray:
    """Find codes whose popcount exceeds the smallest possible one by given amounts.

    Each column can add 0 … high - low to the smallest popcount. The columns are filled
    in the given order, so that one of them at most is neither empty nor full.

    Parameters
    ----------
    amounts
        Shape (frames,).
    weights, order
        Signs and ranks of each frame's columns, shape (frames, columns).
    element
        Type of the input.

    Returns
    -------
    Codes, shape (frames, columns).
    """
    most = element.high - element.low
    added = (amounts[:, None] - most * order).clip(0, most)
    return np.where(weights, element.low + added, element.high - added)


def _sums(codes: IntArray, weights: BoolArray, element: ElementType) -> IntArray:
    """Add up each column's part of S as its definition says, shape (frames, rows)."""
    top = (1 << element.bits) - 1
    plus, minus = weights.astype(np.int64).T, (~weights).astype(np.int64).T
    return codes @ plus + (top - codes) @ minus
