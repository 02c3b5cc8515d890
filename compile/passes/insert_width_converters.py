# SPDX-License-Identifier: Apache-2.0
"""Put a width converter wherever a layer reads other beats than are written."""

import dataclasses

from hwgq.compile.graph import (
    Graph,
    Layer,
    Mvau,
    Pool,
    SlidingWindow,
    SumPool,
    Thresholding,
    Vvau,
    WidthConverter,
)


def insert_width_converters(graph: Graph) -> Graph:
    """Make both ends of every stream agree on the elements per beat."""
    for layer in graph.layers:
        beat = beat_read(layer)
        stream = graph.streams[layer.inputs[0]]
        if beat is not None and stream.beat != beat:
            name = graph.fresh_name(f"{stream.name}.converted")
            converted = dataclasses.replace(stream, name=name, beat=beat)
            converter = WidthConverter(
                name=name, inputs=(stream.name,), outputs=(name,)
            )
            graph = graph.insert_before(layer.name, converter, converted)
    return graph


def beat_read(layer: Layer) -> int | None:
    """Find how many elements a beat a layer reads; None where any number will do."""
    match layer:
        case Mvau():
            return layer.simd
        case SlidingWindow():
            return layer.word
        case Pool() | Vvau():
            return layer.pe * layer.simd
        case Thresholding() | SumPool():
            return layer.pe
    return None
