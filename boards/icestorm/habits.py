# SPDX-License-Identifier: Apache-2.0
"""Bits that nextpnr sets in the same way whatever the design is.

Column buffers hand the clocks on to the columns of tiles; all are on. Beside the hard
blocks of UltraPlus devices, LUTs of idle tiles hand on their third input.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hwgq.boards.icestorm.cells import TABLE_ORDER
from hwgq.boards.icestorm.chip import Chip, Place, Tile

#: Rows of tiles with column buffers.
_ROWS = {"1k": (4, 5, 12, 13), "5k": (4, 5, 14, 15, 26, 27), "8k": (8, 9, 24, 25)}
_ROWS_1K_RAM = (3, 5, 11, 13)
_BESIDE_HARD_BLOCKS = ("dsp0", "dsp1", "dsp2", "dsp3", "ipcon")
#: One of these tiles is left blank.
_BLANK = (25, 14)
_THIRD_INPUT = [place for i, place in enumerate(TABLE_ORDER) if i & 4]


def habitual_bits(chip: Chip) -> NDArray[np.uint8]:
    """Give the value of each bit in a device without a design, shape (chip.bits,).

    Parameters
    ----------
    chip
        The device.
    """
    bits = np.zeros(chip.bits, np.uint8)
    for place, tile in chip.tiles.items():
        bits[list(_ones(chip, place, tile))] = 1
    return bits


def _ones(chip: Chip, place: Place, tile: Tile) -> Iterator[int]:
    old_ram = chip.device == "1k" and tile.kind.startswith("ram")
    buffered = place[1] in (_ROWS_1K_RAM if old_ram else _ROWS[chip.device])
    idle = tile.kind in _BESIDE_HARD_BLOCKS and place != _BLANK
    for entry in tile.entries:
        bits = tile.bits(entry)
        match entry.partition("_")[0].partition(".")[0]:
            case "ColBufCtrl" if buffered:
                yield from bits
            case "Cascade" if idle:
                yield from bits
            case "LC" if idle:
                yield from (bits[place] for place in _THIRD_INPUT)
