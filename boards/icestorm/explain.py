# SPDX-License-Identifier: Apache-2.0
"""Prove that every bit of a bitstream has a meaning that was read back.

Of those that were, some say nothing about the function: pull-ups, and the inputs of
pads that are not read.
"""

import re
from collections.abc import Iterator

import numpy as np

from hwgq.boards.icestorm.asc import Bitmap
from hwgq.boards.icestorm.cells import pll
from hwgq.boards.icestorm.habits import habitual_bits
from hwgq.boards.icestorm.routing import Nets
from hwgq.errors import VerificationError

#: Names of the bits that are read back, by kind of tile.
_READ_BACK = {
    "logic": r"LC_[0-7]|NegClk|CarryInSet",
    "io": r"IOB_[01]\.PINTYPE_[0-5]|IoCtrl\.(IE|REN)_[01]|IoCtrl\.cf_bit_3[2-9]",
    "ramb": r"RamConfig\.PowerUp|NegClk",
    "ramt": r"RamConfig\.CBIT_[0-3]|NegClk",
}


def check_understood(bitmap: Bitmap, nets: Nets) -> None:
    """Refuse a bitstream that configures more than is read back.

    Parameters
    ----------
    bitmap, nets
        The configured device, and what its switches join.

    Raises
    ------
    VerificationError
        Naming the first bit that differs from an empty device's and is not read back.
    """
    understood = nets.understood.copy()
    understood[list(_read_back(bitmap))] = True
    different = bitmap.bits != habitual_bits(bitmap.chip)
    strange = np.flatnonzero(different & ~understood)
    if len(strange):
        raise _strange(bitmap, int(strange[0]))


def _read_back(bitmap: Bitmap) -> Iterator[int]:
    for tile in bitmap.chip.tiles.values():
        for entry in tile.entries:
            if re.fullmatch(_READ_BACK.get(tile.kind, ""), entry):
                yield from tile.bits(entry)
    for cell in bitmap.chip.cells:
        if cell.kind == "pll" and pll(bitmap, cell) is not None:
            yield from cell.config.values()


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
        meaning = "of a switch in a setting that joins nothing"
    else:
        meaning = f"({names[0]})" if names else "without a known meaning"
    return VerificationError(
        f"bitstream, {tile.kind} tile {x} {y}",
        f"bit B{row}[{column}] {meaning} is {bitmap.bits[bit]} and is not read back",
        "Build the bitstream with hwgq's own flow",
    )
