# SPDX-License-Identifier: Apache-2.0
"""Prove that every set bit of a bitstream has a meaning that was read back.

Bits that say nothing about the function are known by name: column buffers, which only
hand clocks on; pull-ups; input enables of pads that are not read; and what the tiles
beside UltraPlus' hard blocks contain while these are idle.
"""

import re
from collections.abc import Iterator

import numpy as np

from hwgq.boards.icestorm.asc import Bitmap
from hwgq.boards.icestorm.cells import TABLE_ORDER, pll
from hwgq.boards.icestorm.chip import Tile
from hwgq.boards.icestorm.routing import Nets
from hwgq.errors import VerificationError

_COLUMN_BUFFERS = r"ColBufCtrl\.glb_netwk_[0-7]"
_KNOWN = {
    "logic": r"LC_[0-7]|NegClk|CarryInSet",
    "io": r"IOB_[01]\.PINTYPE_[0-5]|IoCtrl\.(IE|REN)_[01]|IoCtrl\.cf_bit_3[2-9]",
    "ramb": r"RamConfig\.PowerUp|NegClk",
    "ramt": r"RamConfig\.CBIT_[0-3]|NegClk",
}
_HARD_BLOCKS = ("dsp0", "dsp1", "dsp2", "dsp3", "ipcon")
_BESIDE_HARD_BLOCK = r"LC_[0-7]|Cascade\..*"
#: Beside a hard block that is idle, LUTs hand on their third input.
_IDLE_BITS = [place for i, place in enumerate(TABLE_ORDER) if 0xF0F0 >> i & 1]


def check_understood(bitmap: Bitmap, nets: Nets) -> None:
    """Refuse a bitstream that configures more than is read back.

    Parameters
    ----------
    bitmap, nets
        The configured device, and what its switches join.

    Raises
    ------
    VerificationError
        Naming the first bit that is set and not understood.
    """
    understood = nets.understood.copy()
    for tile in bitmap.chip.tiles.values():
        understood[list(_known_bits(bitmap, tile))] = True
    for cell in bitmap.chip.cells:
        if cell.kind == "pll" and pll(bitmap, cell) is not None:
            understood[list(cell.config.values())] = True
    strange = np.flatnonzero((bitmap.bits == 1) & ~understood)
    if len(strange):
        raise _strange(bitmap, int(strange[0]))


def _known_bits(bitmap: Bitmap, tile: Tile) -> Iterator[int]:
    known = f"{_COLUMN_BUFFERS}|{_KNOWN.get(tile.kind, '')}"
    if _is_idle(bitmap, tile):
        known = f"{known}|{_BESIDE_HARD_BLOCK}"
    for entry in tile.entries:
        if re.fullmatch(known, entry):
            yield from tile.bits(entry)


def _is_idle(bitmap: Bitmap, tile: Tile) -> bool:
    """Tell whether a tile beside a hard block contains what idle ones do."""
    if tile.kind not in _HARD_BLOCKS:
        return False
    ones = [
        name.startswith("Cascade.")
        or (name.startswith("LC_") and i in _IDLE_BITS)
        for name, bits in tile.entries.items()
        if re.fullmatch(_BESIDE_HARD_BLOCK, name)
        for i in range(len(bits))
    ]
    found = [
        bool(bitmap.bits[bit])
        for name in tile.entries
        if re.fullmatch(_BESIDE_HARD_BLOCK, name)
        for bit in tile.bits(name)
    ]
    return found == ones


def _strange(bitmap: Bitmap, bit: int) -> VerificationError:
    chip = bitmap.chip
    (x, y), tile = next(
        (place, tile)
        for place, tile in chip.tiles.items()
        if tile.first <= bit < tile.first + tile.rows * tile.columns
    )
    row, column = divmod(bit - tile.first, tile.columns)
    names = [name for name in tile.entries if bit in tile.bits(name)]
    if (chip.routing.bits[chip.routing.weights > 0] == bit).any():
        meaning = "its switch has a setting that joins nothing"
    elif names:
        meaning = f"{names[0]} is not read back"
    else:
        meaning = "it has no known meaning"
    return VerificationError(
        f"bitstream, {tile.kind} tile {x} {y}",
        f"the bit B{row}[{column}] is set, but {meaning}",
        "Build the bitstream with hwgq's own flow",
    )
