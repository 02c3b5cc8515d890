# SPDX-License-Identifier: Apache-2.0
"""Give every layer its lanes, and every stream the beats that follow from them."""

import dataclasses
from collections.abc import Mapping

from hwgq.compile import lanes as folded
from hwgq.compile.cost import Lanes
from hwgq.compile.fabric import Fabric
from hwgq.compile.folding import Target, choose_lanes
from hwgq.compile.graph import Graph, Layer, SlidingWindow
from hwgq.compile.passes.insert_width_converters import beat_read


def fold(graph: Graph, fabric: Fabric, target: Target) -> Graph:
    """Choose the folding of every layer for a device.

    Parameters
    ----------
    graph
        A graph whose offsets are absorbed.
    fabric
        What may be spent.
    target
        What is to be reached.

    Raises
    ------
    FoldingError
        If a pinned folding is illegal or the target cannot be met.
    """
    return with_lanes(graph, choose_lanes(graph, fabric, target))


def with_lanes(graph: Graph, lanes: Mapping[str, Lanes]) -> Graph:
    """Set the lanes of layers, by name, and the beats that they read and write."""
    for layer in graph.layers:
        if layer.name in lanes:
            graph = _with_layer(graph, folded.with_lanes(layer, lanes[layer.name]))
    return graph


def _with_layer(graph: Graph, layer: Layer) -> Graph:
    graph = graph.with_layers({layer.name: layer})
    written = graph.streams[layer.outputs[0]]
    if isinstance(layer, SlidingWindow):
        written = dataclasses.replace(written, shape=layer.shape_out)
    beat = folded.beat_written(layer)
    graph = graph.with_stream(dataclasses.replace(written, beat=beat))
    if layer.inputs[0] == graph.input:
        entry = graph.streams[graph.input]
        beat = beat_read(layer) or entry.beat
        graph = graph.with_stream(dataclasses.replace(entry, beat=beat))
    return graph
