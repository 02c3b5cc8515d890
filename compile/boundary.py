# SPDX-License-Identifier: Apache-2.0
"""Inputs that meet every threshold exactly, from both sides.

Agreement on images leaves most thresholds untried: one that is off by one changes a
level only where the accumulator is just there. So for each channel and threshold T a
frame is made whose accumulator is T - 1 and one whose accumulator is T, wherever those
can be reached, and the layer is run on them alone. Such a frame is one vector: the
input of a single output pixel.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwgq.compile.graph import ElementType, Graph, IntArray, Mvau, Thresholding, Vvau
from hwgq.compile.popcount import layer_weights, popcount_bounds, popcounts
from hwgq.compile.reach import change

Thresholded = Mvau | Vvau | Thresholding


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
    """Make the graph of one layer alone, folded as it is, a frame being one vector.

    Frames have the shape (columns,), or (channels,) for a :class:`Thresholding`, or
    (channels / P, taps, P) for a :class:`Vvau` as in :class:`SlidingWindow`; those of
    the output have the shape (channels,).
    """
    (source,), (sink,) = layer.inputs, layer.outputs
    rows = layer.rows if isinstance(layer, Mvau) else layer.channels
    shapes = {source: _shape(graph, layer), sink: (rows,)}
    streams = {
        name: dataclasses.replace(graph.streams[name], shape=shape)
        for name, shape in shapes.items()
    }
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
    Input codes of the layer alone (:func:`isolate`), shape (frames, *input shape).
    """
    element = graph.streams[layer.inputs[0]].type
    sides = _sides(_thresholds(graph, layer))
    if isinstance(layer, Thresholding):
        # Channels do not share inputs: one frame serves all of them.
        return sides.clip(element.low, element.high).T
    weights = layer_weights(graph, layer)
    payable, coins = _change(graph, layer, sides)
    rng = np.random.default_rng(seed)
    if isinstance(layer, Mvau):
        rows, columns = np.nonzero(payable)
        return _spread(coins[rows, columns], weights[rows], element, rng)
    # As above; a channel whose threshold cannot be met gets its smallest popcount.
    rows = np.tile(np.arange(layer.channels), sides.shape[1])
    codes = _spread(
        coins.swapaxes(0, 1).reshape(len(rows), -1), weights[rows], element, rng
    )
    groups, taps, word = _shape(graph, layer)
    return codes.reshape(-1, groups, word, taps).swapaxes(2, 3)


def coverage(graph: Graph, layer: Thresholded, codes: IntArray) -> Coverage:
    """Count the sides of a layer's thresholds that frames meet.

    Parameters
    ----------
    graph
        A graph whose offsets are absorbed.
    layer
        A layer of it that has thresholds.
    codes
        Input codes, shape (frames, *input shape), of the layer in its graph or alone.
    """
    element = graph.streams[layer.inputs[0]].type
    sides = _sides(_thresholds(graph, layer))
    if isinstance(layer, Thresholding):
        seen = codes.reshape(-1, layer.channels)
        reachable = (sides >= element.low) & (sides <= element.high)
    else:
        if isinstance(layer, Mvau):
            vectors = codes.reshape(-1, layer.columns)
        else:
            vectors = _channelwise(layer, codes)
        weights = layer_weights(graph, layer)
        seen = popcounts(vectors, weights, element, layer.weight_bits)
        reachable, _ = _change(graph, layer, sides)
    met = np.stack(
        [np.isin(s, column) for s, column in zip(sides, seen.T, strict=True)]
    )
    return Coverage(
        layer=layer.name,
        reachable=int(reachable.sum()),
        covered=int((reachable & met).sum()),
    )


def _channelwise(layer: Vvau, codes: IntArray) -> IntArray:
    """Bring what a VVAU reads to the shape (pixels, channels, taps)."""
    groups = codes.reshape(-1, layer.taps, codes.shape[-1])
    return groups.swapaxes(1, 2).reshape(-1, layer.channels, layer.taps)


def _shape(graph: Graph, layer: Thresholded) -> tuple[int, ...]:
    """Find the shape of one vector that a layer reads."""
    if isinstance(layer, Vvau):
        word = graph.streams[layer.inputs[0]].shape[-1]
        return layer.channels // word, layer.taps, word
    return (layer.columns if isinstance(layer, Mvau) else layer.channels,)


def _thresholds(graph: Graph, layer: Thresholded) -> IntArray:
    assert layer.thresholds is not None
    return graph.tensors[layer.thresholds].astype(np.int64)


def _sides(thresholds: IntArray) -> IntArray:
    """Put T - 1 of every threshold beside T, shape (channels, 2 · steps)."""
    return np.concatenate([thresholds - 1, thresholds], axis=1)


def _change(
    graph: Graph, layer: Mvau | Vvau, sums: IntArray
) -> tuple[npt.NDArray[np.bool_], IntArray]:
    """Find how each row makes its sums S, shape (rows, sums), if at all.

    A column adds 0 … high - low times the magnitude of its weight to the smallest S:
    these are the coins of :func:`hwgq.compile.reach.change`.
    """
    element = graph.streams[layer.inputs[0]].type
    weights = layer_weights(graph, layer)
    low, _ = popcount_bounds(weights, element, layer.weight_bits)
    magnitudes = np.abs(weights)
    columns = [
        np.count_nonzero(magnitudes == value, axis=1)
        for value in range(int(magnitudes.max()) + 1)
    ]
    limits = (element.high - element.low) * np.stack(columns, axis=1).astype(np.int64)
    return change(limits, sums - low[:, None])


def _spread(
    coins: IntArray, weights: IntArray, element: ElementType, rng: np.random.Generator
) -> IntArray:
    """Find codes under which each magnitude of weights adds so many times itself.

    Columns of one magnitude are filled in random order, so that one of them at most is
    neither empty nor full.

    Parameters
    ----------
    coins
        Shape (frames, magnitudes).
    weights
        Those of each frame, shape (frames, columns).
    element
        Type of the input.
    rng
        For the order.

    Returns
    -------
    Codes, shape (frames, columns).
    """
    most, magnitudes = element.high - element.low, np.abs(weights)
    order = np.argsort(magnitudes + rng.random(weights.shape), axis=1)
    ranked = np.take_along_axis(magnitudes, order, axis=1)
    # The columns of a magnitude follow each other: they are counted from their first.
    first = np.concatenate([np.ones_like(ranked[:, :1]), np.diff(ranked)], axis=1) != 0
    places = np.arange(weights.shape[1])
    starts = np.maximum.accumulate(np.where(first, places, 0), axis=1)
    amounts = np.take_along_axis(coins, ranked, axis=1)
    added = np.empty_like(weights)
    filled = (amounts - most * (places - starts)).clip(0, most)
    np.put_along_axis(added, order, filled, axis=1)
    return np.where(weights > 0, element.low + added, element.high - added)
