# SPDX-License-Identifier: Apache-2.0
"""Choose for every memory between look-up tables and block RAM."""

import dataclasses
from typing import Literal

from hwgq.compile.graph import Graph, Layer, Mvau, Thresholding, Vvau

#: A look-up table of four inputs is a memory of this many words of one bit. Deeper ones
#: need several and a tree of multiplexers a bit, for which a block RAM is cheaper.
LUT_WORDS = 16


def place_memories(graph: Graph) -> Graph:
    """Put memories of up to 16 words into look-up tables, all others into block RAM."""
    return graph.with_layers({layer.name: _placed(layer) for layer in graph.layers})


def store_of(words: int) -> Literal["lut", "block"]:
    """Choose the memory for this many words."""
    return "lut" if words <= LUT_WORDS else "block"


def _placed(layer: Layer) -> Layer:
    match layer:
        case Mvau() | Vvau():
            return dataclasses.replace(
                layer,
                weight_store=store_of(layer.cycles),
                parameter_store=store_of(layer.neuron_folds),
            )
        case Thresholding():
            words = layer.channels // layer.pe
            return dataclasses.replace(layer, parameter_store=store_of(words))
    return layer
