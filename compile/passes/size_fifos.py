# SPDX-License-Identifier: Apache-2.0
"""Put FIFOs where beats have to wait, so that no layer's pauses hold up another."""

import dataclasses

from hwgq.compile.graph import Fifo, Graph, Layer
from hwgq.compile.schedule import Queue, fifos_needed


def size_fifos(graph: Graph) -> Graph:
    """Let the network take a frame every II cycles, II being the slowest layer's.

    A FIFO's beats may be those that are written or those that are read. So this pass
    goes before the one that inserts width converters, which then finds on which side of
    the FIFO one is due.

    Raises
    ------
    UnsupportedLayerError
        If there is no hardware for a layer.
    """
    needed = fifos_needed(graph)
    for layer in graph.layers:
        if layer.inputs[0] in needed:
            graph = _insert(graph, layer, needed[layer.inputs[0]])
    return graph


def _insert(graph: Graph, layer: Layer, queue: Queue) -> Graph:
    stream = graph.streams[layer.inputs[0]]
    name = graph.fresh_name(f"{stream.name}.queued")
    queued = dataclasses.replace(stream, name=name, beat=queue.beat)
    fifo = Fifo(name=name, inputs=(stream.name,), outputs=(name,), depth=queue.depth)
    return graph.insert_before(layer.name, fifo, queued)
