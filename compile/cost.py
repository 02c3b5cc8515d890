# SPDX-License-Identifier: Apache-2.0
"""Estimate what a folding costs: look-up tables and block RAMs.

The numbers per lane are fitted to synthesized layers (`tests/compile/test_cost.py`
compares); they serve to choose a folding, not to promise one. The place-and-route
report has the truth.
"""

from typing import NamedTuple, Self

from hwgq.boards.board import Board
from hwgq.compile.graph import Graph, Mvau, Thresholding
from hwgq.compile.memories import parameter_width
from hwgq.compile.passes.place_memories import store_of

#: LUTs of a layer's counters, flags, handshakes and output FIFO.
_PER_LAYER = 110
#: Parts of a device that may be spent; the shell and the router need the rest.
_FILL_LUTS, _FILL_BLOCKS = 0.72, 0.9
#: LUTs beyond which place and route take more than some minutes. A target in frames
#: per second lifts this limit.
_QUICK_LUTS = 6000
#: Bits up to which a FIFO is made of registers (see `hwgq_fifo`).
_REGISTERS = 128


class Lanes(NamedTuple):
    """Rows and columns of a layer in parallel."""

    pe: int
    simd: int


class Cost(NamedTuple):
    """What something takes of a device."""

    luts: int
    blocks: int


class Fabric(NamedTuple):
    """What a network may take of a device.

    Parameters
    ----------
    luts, blocks
        Look-up tables and block RAMs.
    block_width, block_depth
        Bits of a word and words of a block RAM in its widest form.
    """

    luts: int
    blocks: int
    block_width: int
    block_depth: int

    @classmethod
    def of(cls, board: Board, *, quick: bool = True) -> Self:
        """Take what a board has, but for what its shell and the router need.

        Parameters
        ----------
        board
            The board.
        quick
            Whether to stop at a size that is placed and routed in minutes.
        """
        luts = int(board.resources.luts * _FILL_LUTS)
        return cls(
            luts=min(luts, _QUICK_LUTS) if quick else luts,
            blocks=int(board.resources.block_rams * _FILL_BLOCKS),
            block_width=board.resources.block_ram_width,
            block_depth=board.resources.block_ram_depth,
        )

    def share(self, cost: Cost) -> float:
        """Weigh LUTs and block RAMs, each as a part of what there is."""
        return cost.luts / self.luts + cost.blocks / self.blocks


def layer_cost(
    graph: Graph, layer: Mvau | Thresholding, lanes: Lanes, fabric: Fabric
) -> Cost:
    """Estimate what a layer takes, with the width converter and FIFO before it.

    Parameters
    ----------
    graph
        A graph whose offsets are absorbed.
    layer
        The layer.
    lanes
        Its folding.
    fabric
        The device.
    """
    bits = graph.streams[layer.inputs[0]].type.bits
    steps = 1 if layer.thresholds is None else graph.tensors[layer.thresholds].shape[1]
    fields = lanes.pe * steps * parameter_width(graph, layer)
    # A comparator or adder for each field.
    parts = [Cost(_PER_LAYER + fields, 0)]
    if layer.inputs[0] != graph.input:
        parts.append(_arrival(layer, lanes, bits, fabric))
    if isinstance(layer, Thresholding):
        parts.append(_memory(layer.channels // lanes.pe, fields, fabric))
    else:
        parts.append(_memory(layer.rows // lanes.pe, fields, fabric))
        parts += _matrix(layer, lanes, bits, fabric)
    return Cost(sum(p.luts for p in parts), sum(p.blocks for p in parts))


def _matrix(layer: Mvau, lanes: Lanes, bits: int, fabric: Fabric) -> list[Cost]:
    """Estimate the popcount, the weights and where the input waits."""
    pe, simd = lanes
    folds, groups = layer.columns // simd, layer.rows // pe
    return [
        Cost(pe * (_trees(simd, bits, layer.weight_bits) + layer.accumulator.bits), 0),
        _memory(folds * groups, pe * simd * layer.weight_bits, fabric),
        _buffer(folds, groups, simd * bits, fabric),
    ]


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


def _arrival(
    layer: Mvau | Thresholding, lanes: Lanes, bits: int, fabric: Fabric
) -> Cost:
    """Estimate a width converter, and a FIFO where a frame is read in several beats."""
    converter = Cost(lanes.simd * bits, 0)
    if isinstance(layer, Thresholding) or layer.columns == lanes.simd:
        return converter
    if layer.columns * bits <= _REGISTERS:
        return Cost(converter.luts + layer.columns * bits, 0)
    return Cost(converter.luts, _blocks(2, lanes.simd * bits, fabric))


def _buffer(beats: int, groups: int, width: int, fabric: Fabric) -> Cost:
    """Estimate the registers of the input, and the memory from which it is reread."""
    if beats == 1 or groups == 1:
        return Cost(width, 0)
    return Cost(0, _blocks(beats, width, fabric))


def _memory(words: int, width: int, fabric: Fabric) -> Cost:
    if store_of(words) == "lut":
        return Cost(width if words > 1 else 0, 0)
    return Cost(0, _blocks(words, width, fabric))


def _blocks(words: int, width: int, fabric: Fabric) -> int:
    """Count block RAMs in their best shape: half as wide is twice as deep."""
    shapes = [
        (fabric.block_width >> halvings, fabric.block_depth << halvings)
        for halvings in range(fabric.block_width.bit_length())
    ]
    return min(-(-width // w) * -(-words // d) for w, d in shapes)
