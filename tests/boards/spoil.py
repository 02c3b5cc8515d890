# SPDX-License-Identifier: Apache-2.0
"""Devices without a design, and bitstreams with other bits than they had."""

from dataclasses import replace

from hwgq.boards.icestorm.asc import Bitmap
from hwgq.boards.icestorm.database import read_chip
from hwgq.boards.icestorm.habits import habitual_bits


def blank(device: str) -> Bitmap:
    """Give a device without a design."""
    chip = read_chip(device)
    bits = habitual_bits(chip)
    return Bitmap(chip=chip, bits=bits, memories={}, extra_bits=frozenset())


def flip(bitmap: Bitmap, *numbers: int) -> Bitmap:
    """Change bits to what they were not."""
    bits = bitmap.bits.copy()
    bits[list(numbers)] ^= 1
    return replace(bitmap, bits=bits)


def entry(bitmap: Bitmap, x: int, y: int, name: str) -> list[int]:
    """Give the numbers of a named entry's bits."""
    return bitmap.chip.tiles[x, y].bits(name)


def close(bitmap: Bitmap, *connections: int) -> Bitmap:
    """Close open switches, each for one of its connections."""
    routing, bits = bitmap.chip.routing, bitmap.bits.copy()
    for number in connections:
        switch, setting = routing.switch[number], routing.setting[number]
        bits[routing.bits[switch][(routing.weights[switch] & setting) > 0]] = 1
    return replace(bitmap, bits=bits)
