# SPDX-License-Identifier: Apache-2.0
"""Put FIFOs where beats have to wait, so that no layer's pauses hold up another."""

import dataclasses

from hwgq.compile.fifo_depths import fifo_depths
from hwgq.compile.graph import Fifo, Graph


def size_fifos(graph: Graph) -> Graph:
    """Let the network take a frame every II cycles, II being the slowest layer's.

    Raises
    ------
    UnsupportedLayerError
        If there is no hardware for a layer, or the graph is no chain.
    """
    depths = fifo_depths(graph)
    for layer in graph.layers:
        if layer.inputs[0] in depths:
            stream = graph.streams[layer.inputs[0]]
            name = graph.fresh_name(f"{stream.name}.queued")
            fifo = Fifo(
                name=name,
                inputs=(stream.name,),
                outputs=(name,),
                depth=depths[stream.name],
            )
            queued = dataclasses.replace(stream, name=name)
            graph = graph.insert_before(layer.name, fifo, queued)
    return graph
