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

#: LUTs per lane and input bit: XNOR, its share of the popcount, registers.
_LUTS_PER_LANE_BIT = {"ice40": 3.5, "ecp5": 3.5}
#: LUTs of counters, handshakes and the output FIFO of a layer.
_LUTS_PER_LAYER = 60
#: Part of a device that may be spent; the shell and the router need the rest.
_FILL = 0.7
#: LUTs beyond which place and route take more than some minutes. A target in frames
#: per second lifts this limit.
_QUICK_LUTS = 6000


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
    luts_per_lane_bit
        LUTs per lane and input bit.
    """

    luts: int
    blocks: int
    block_width: int
    block_depth: int
    luts_per_lane_bit: float

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
        luts = int(board.resources.luts * _FILL)
        return cls(
            luts=min(luts, _QUICK_LUTS) if quick else luts,
            blocks=int(board.resources.block_rams * _FILL),
            block_width=board.resources.block_ram_width,
            block_depth=board.resources.block_ram_depth,
            luts_per_lane_bit=_LUTS_PER_LANE_BIT[board.family],
        )

    def holds(self, cost: Cost) -> bool:
        """Say whether there is room for `cost`."""
        return cost.luts <= self.luts and cost.blocks <= self.blocks


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
    source = graph.streams[layer.inputs[0]]
    width = parameter_width(graph, layer)
    steps = 1 if layer.thresholds is None else graph.tensors[layer.thresholds].shape[1]
    word = lanes.simd * source.type.bits
    parts = [Cost(_LUTS_PER_LAYER + word + lanes.pe * steps * width, 0)]
    if isinstance(layer, Thresholding):
        parts.append(
            _memory(layer.channels // lanes.pe, lanes.pe * steps * width, fabric)
        )
    else:
        parts += _matrix(layer, lanes, source.type.bits, fabric)
        groups = layer.rows // lanes.pe
        parts.append(_memory(groups, lanes.pe * steps * width, fabric))
    return Cost(sum(p.luts for p in parts), sum(p.blocks for p in parts))


def _matrix(layer: Mvau, lanes: Lanes, bits: int, fabric: Fabric) -> list[Cost]:
    """Estimate the popcount, the weights and the buffer of the input."""
    pe, simd = lanes
    folds, groups = layer.columns // simd, layer.rows // pe
    popcount = pe * simd * bits * fabric.luts_per_lane_bit
    accumulator = 2 * pe * layer.accumulator.bits
    parts = [
        Cost(int(popcount) + accumulator, 0),
        _memory(folds * groups, pe * simd, fabric),
    ]
    if groups > 1:
        parts.append(_memory(folds, simd * bits, fabric))
    return parts


def _memory(words: int, width: int, fabric: Fabric) -> Cost:
    if store_of(words) == "lut":
        return Cost(width if words > 1 else 0, 0)
    columns = -(-width // fabric.block_width)
    return Cost(0, columns * -(-words // fabric.block_depth))
