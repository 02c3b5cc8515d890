# SPDX-License-Identifier: Apache-2.0
"""Estimate what a folding costs: look-up tables and block RAMs.

The numbers per lane are fitted to synthesized layers (`tests/compile/test_cost.py`
compares); they serve to choose a folding, not to promise one. The place-and-route
report has the truth.
"""

from collections.abc import Iterable
from math import gcd
from typing import NamedTuple

from hwgq.compile.fabric import Cost, Fabric
from hwgq.compile.graph import (
    Graph,
    Layer,
    Mvau,
    Pool,
    SlidingWindow,
    SumPool,
    Thresholding,
    Vvau,
)
from hwgq.compile.line_buffer import rows_held
from hwgq.compile.memories import parameter_width
from hwgq.compile.passes.place_memories import LUT_WORDS, store_of

#: LUTs of a layer's counters, flags, handshakes and output FIFO.
_PER_LAYER = 110
#: LUTs of the loops of a sliding window over rows, columns, the kernel and channels.
_PER_WINDOW = 100
#: Bits up to which a FIFO is made of registers (see `hwgq_fifo`).
_REGISTERS = 128


class Lanes(NamedTuple):
    """Rows and columns of a layer in parallel."""

    pe: int
    simd: int


def layer_cost(
    graph: Graph, layer: Layer, lanes: Lanes, fabric: Fabric, arriving: int = 0
) -> Cost:
    """Estimate what a layer takes, with the width converter and FIFO before it.

    Parameters
    ----------
    graph
        A graph whose offsets are absorbed.
    layer
        The layer.
    lanes
        Its folding; PE and SIMD are the same where a layer has only one of them.
    fabric
        The device.
    arriving
        Elements of a beat that comes to it; 0 if that is not known yet.
    """
    parts = [own_cost(graph, layer, lanes, fabric)]
    if layer.inputs[0] != graph.input:
        parts.append(arrival_cost(graph, layer, lanes, fabric, arriving))
    return added(parts)


def added(parts: Iterable[Cost]) -> Cost:
    """Add costs up."""
    listed = list(parts)
    return Cost(sum(p.luts for p in listed), sum(p.blocks for p in listed))


def own_cost(graph: Graph, layer: Layer, lanes: Lanes, fabric: Fabric) -> Cost:
    """Estimate what a layer takes without what is before it."""
    source = graph.streams[layer.inputs[0]].type.bits
    sink = graph.streams[layer.outputs[0]].type.bits
    match layer:
        case Mvau() | Vvau() | Thresholding():
            parts = _activated(graph, layer, lanes, fabric)
        case SlidingWindow():
            parts = _window(layer, lanes.simd, source, fabric)
        case Pool():
            # Of each tap one comparator and one choice; then the largest so far.
            parts = [Cost(2 * lanes.pe * lanes.simd * source, 0)]
        case SumPool():
            words = layer.channels // lanes.pe
            parts = [
                Cost(3 * lanes.pe * sink, 0),
                _sums(words, lanes.pe * sink, fabric),
            ]
        case _:
            raise AssertionError(layer)
    return added([Cost(_PER_LAYER, 0), *parts])


def _activated(
    graph: Graph, layer: Mvau | Vvau | Thresholding, lanes: Lanes, fabric: Fabric
) -> list[Cost]:
    """Estimate thresholds or biases, and before them dot products."""
    bits = graph.streams[layer.inputs[0]].type.bits
    steps = 1 if layer.thresholds is None else graph.tensors[layer.thresholds].shape[1]
    channels = layer.rows if isinstance(layer, Mvau) else layer.channels
    fields = lanes.pe * steps * _field(graph, layer)
    # A comparator or adder for each field.
    parts = [Cost(fields, 0), _memory(channels // lanes.pe, fields, fabric)]
    if not isinstance(layer, Thresholding):
        parts += _products(layer, lanes, bits, fabric)
    if isinstance(layer, Mvau):
        folds, groups = layer.columns // lanes.simd, layer.rows // lanes.pe
        parts.append(_buffer(folds, groups, lanes.simd * bits, fabric))
    return parts


def _field(graph: Graph, layer: Mvau | Vvau | Thresholding) -> int:
    """Find the bits of one threshold, or of one bias where there are none."""
    if isinstance(layer, Mvau | Thresholding):
        return parameter_width(graph, layer)
    if layer.thresholds is None:
        return graph.streams[layer.outputs[0]].type.bits
    return layer.accumulator.bits


def _products(
    layer: Mvau | Vvau, lanes: Lanes, bits: int, fabric: Fabric
) -> list[Cost]:
    """Estimate the popcounts and the weights."""
    pe, simd = lanes
    if isinstance(layer, Mvau):
        rows, columns = layer.rows, layer.columns
    else:
        rows, columns = layer.channels, layer.taps
    wide = layer.weight_bits
    popcount = _trees(simd, bits, wide) + layer.accumulator.bits
    return [
        Cost(pe * popcount, 0),
        _memory(rows // pe * (columns // simd), pe * simd * wide, fabric),
    ]


def _window(layer: SlidingWindow, simd: int, bits: int, fabric: Fabric) -> list[Cost]:
    """Estimate a ring of rows, in as many banks as a beat has pixels.

    An address is counted in LUTs, one for each bank; a beat of several pixels is turned
    from the order of the banks into its own.
    """
    word = min(simd, layer.channels)
    banks = simd // word
    rows = rows_held(layer.window, layer.channels, simd)
    words = rows * layer.window.input[1] * (layer.channels // word)
    each = -(-words // banks)
    address = (each - 1).bit_length()
    turning = simd * bits * max(1, (banks - 1).bit_length())
    return [
        Cost(_PER_WINDOW + 2 * address * banks + turning, 0),
        Cost(0, banks * _blocks(1 << address, word * bits, fabric)),
    ]


def _sums(words: int, width: int, fabric: Fabric) -> Cost:
    """Estimate where the sums so far go round."""
    if words <= LUT_WORDS:
        return Cost(words * width, 0)
    return Cost(0, _blocks(words, width, fabric))


def _trees(terms: int, bits: int, weight_bits: int) -> int:
    """Count the LUTs that multiply and add codes, as `hwgq_dot_products` does."""
    if bits + weight_bits <= 4:
        return _tree(terms, bits + weight_bits - 1)
    trees = min(bits, weight_bits)
    planes = (-(-(weight_bits - r) // bits) for r in range(trees))
    joined = (trees - 1) * (bits + weight_bits + terms.bit_length())
    return sum(_tree(terms, count * bits) for count in planes) + joined


def _tree(terms: int, bits: int) -> int:
    """Count the LUTs that invert `terms` numbers and add them, a level at a time."""
    luts = terms * bits
    while terms > 1:
        luts += terms // 2 * (bits + 2)  # a cell for each bit of the sum and its carry
        terms, bits = -(-terms // 2), bits + 1
    return luts


def arrival_cost(
    graph: Graph, layer: Layer, lanes: Lanes, fabric: Fabric, arriving: int
) -> Cost:
    """Estimate a width converter, and a FIFO where a vector is read in several beats.

    Parameters
    ----------
    graph, layer, lanes, fabric
        As of :func:`layer_cost`.
    arriving
        Elements of a beat that comes; 0 if that is not known yet.
    """
    bits = graph.streams[layer.inputs[0]].type.bits
    read = _read(layer, lanes)
    if arriving == read:
        return Cost(0, 0)
    slots = read
    if arriving:
        common = gcd(arriving, read)
        # Of beats that do not divide each other any slot may get any part of one.
        slots = arriving + read - common
        if common not in (arriving, read):
            slots *= 2
    converter = Cost(slots * bits, 0)
    if not isinstance(layer, Mvau) or layer.columns == read or arriving > read:
        return converter
    if layer.columns * bits <= _REGISTERS:
        return Cost(converter.luts + layer.columns * bits, 0)
    return Cost(converter.luts, _blocks(2, read * bits, fabric))


def _read(layer: Layer, lanes: Lanes) -> int:
    """Count the elements of a beat that a layer reads with these lanes."""
    match layer:
        case Pool() | Vvau():
            return lanes.pe * lanes.simd
        case SlidingWindow():
            return min(lanes.simd, layer.channels)
    return lanes.simd


def _buffer(beats: int, groups: int, width: int, fabric: Fabric) -> Cost:
    """Estimate the registers of the input, and the memory from which it is reread."""
    if beats == 1 or groups == 1:
        return Cost(width, 0)
    return Cost(0, _blocks(beats, width, fabric))


def _memory(words: int, width: int, fabric: Fabric) -> Cost:
    if store_of(words, fabric.lut_words) == "lut":
        return Cost(width if words > 1 else 0, 0)
    return Cost(0, _blocks(words, width, fabric))


def _blocks(words: int, width: int, fabric: Fabric) -> int:
    """Count block RAMs in their best shape: half as wide is twice as deep."""
    shapes = [
        (fabric.block_width >> halvings, fabric.block_depth << halvings)
        for halvings in range(fabric.block_width.bit_length())
    ]
    return min(-(-width // w) * -(-words // d) for w, d in shapes)
