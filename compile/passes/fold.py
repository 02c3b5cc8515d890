# SPDX-License-Identifier: Apache-2.0
"""Give every layer its lanes, and every stream the beats that follow from them."""

import dataclasses
from collections.abc import Mapping

from hwgq.compile.cost import Fabric, Lanes
from hwgq.compile.folding import Target, choose_lanes
from hwgq.compile.graph import Graph, Layer, Mvau, Thresholding


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
        if layer.name not in lanes or not isinstance(layer, Mvau | Thresholding):
            continue
        pe, simd = lanes[layer.name]
        written = graph.streams[layer.outputs[0]]
        graph = graph.with_stream(dataclasses.replace(written, beat=pe))
        if layer.inputs[0] == graph.input:
            entry = graph.streams[graph.input]
            graph = graph.with_stream(dataclasses.replace(entry, beat=simd))
        changed: Layer
        if isinstance(layer, Mvau):
            changed = dataclasses.replace(layer, pe=pe, simd=simd)
        else:
            changed = dataclasses.replace(layer, pe=pe)
        graph = graph.with_layers({layer.name: changed})
    return graph
