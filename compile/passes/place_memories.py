# SPDX-License-Identifier: Apache-2.0
"""Choose for every memory between look-up tables and block RAM."""

import dataclasses
from typing import Literal

from hwgq.compile.graph import Graph, Layer, Mvau, Pool, Thresholding, Vvau

#: A look-up table of four inputs is a memory of this many words of one bit. Deeper ones
#: need several and a tree of multiplexers a bit, for which a block RAM is cheaper.
LUT_WORDS = 16


def place_memories(graph: Graph, lut_words: int = LUT_WORDS) -> Graph:
    """Put memories of few words into look-up tables, all others into block RAM.

    Parameters
    ----------
    graph
        A folded graph.
    lut_words
        Words up to which look-up tables are taken; 0 for block RAM only.
    """
    placed = {layer.name: _placed(layer, lut_words) for layer in graph.layers}
    return graph.with_layers(placed)


def store_of(words: int, lut_words: int) -> Literal["lut", "block"]:
    """Choose the memory for this many words."""
    return "lut" if words <= lut_words else "block"


def _placed(layer: Layer, lut_words: int) -> Layer:
    match layer:
        case Mvau() | Vvau():
            return dataclasses.replace(
                layer,
                weight_store=store_of(layer.cycles, lut_words),
                parameter_store=store_of(layer.neuron_folds, lut_words),
            )
        case Thresholding():
            words = layer.channels // layer.pe
            return dataclasses.replace(
                layer, parameter_store=store_of(words, lut_words)
            )
        case Pool(flips=str()):
            # A bit a channel is small in look-up tables even where there are many.
            store: Literal["lut", "block"] = "lut" if lut_words else "block"
            return dataclasses.replace(layer, parameter_store=store)
    return layer
