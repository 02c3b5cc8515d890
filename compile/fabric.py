# SPDX-License-Identifier: Apache-2.0
"""What a device has for a network, and how much of it may be spent."""

from typing import NamedTuple, Self

from hwgq.boards.board import Board
from hwgq.compile.passes.place_memories import LUT_WORDS

#: Parts of LUTs and block RAMs that may be spent; the shell, FIFOs and the router need
#: the rest.
_FILL = 0.72, 0.9
#: The same, of what works with any contents of its memories: nothing is simplified by
#: knowing them, as the numbers per lane take for granted, and the smallest of them take
#: a block RAM, the shell's own included.
_FILL_ANY_CONTENTS = 0.62, 0.8
#: LUTs beyond which place and route take more than some minutes. A target in frames
#: per second lifts this limit.
_QUICK_LUTS = 6000


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
    lut_words
        As of :func:`hwgq.compile.passes.place_memories.place_memories`.
    """

    luts: int
    blocks: int
    block_width: int
    block_depth: int
    lut_words: int = LUT_WORDS

    @classmethod
    def of(
        cls, board: Board, *, quick: bool = True, lut_words: int = LUT_WORDS
    ) -> Self:
        """Take what a board has, but for what its shell and the router need.

        Parameters
        ----------
        board
            The board.
        quick
            Whether to stop at a size that is placed and routed in minutes.
        lut_words
            As above; without any, all memories can be exchanged later.
        """
        of_luts, of_blocks = _FILL if lut_words else _FILL_ANY_CONTENTS
        luts = int(board.resources.luts * of_luts)
        return cls(
            luts=min(luts, _QUICK_LUTS) if quick else luts,
            blocks=int(board.resources.block_rams * of_blocks),
            block_width=board.resources.block_ram_width,
            block_depth=board.resources.block_ram_depth,
            lut_words=lut_words,
        )

    def share(self, cost: Cost) -> float:
        """Weigh LUTs and block RAMs, each as a part of what there is."""
        return cost.luts / self.luts + cost.blocks / self.blocks
