# SPDX-License-Identifier: Apache-2.0
"""Read the text of an unpacked bitstream: the bits of each tile, row by row."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwgq.boards.icestorm.chip import Chip, Place
from hwgq.boards.icestorm.database import read_chip
from hwgq.errors import VerificationError

#: Statements that say nothing about the design.
_IDLE = ("comment", "sym", "freqrange", "warmboot", "nosleep")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitmap:
    """All bits of a configured device.

    Parameters
    ----------
    chip
        The device.
    bits
        Its bits, shape (chip.bits,), 0 or 1.
    memories
        First contents of the block RAMs, by place: 16 rows of 256 bits, each as
        hexadecimal digits, the highest bit first.
    extra_bits
        Bank, column and row of those set bits that lie in no tile.
    """

    chip: Chip
    bits: NDArray[np.uint8]
    memories: Mapping[Place, tuple[str, ...]]
    extra_bits: frozenset[tuple[int, int, int]]


def read_asc(text: str) -> Bitmap:
    """Read an unpacked bitstream.

    Parameters
    ----------
    text
        What iceunpack writes.

    Raises
    ------
    VerificationError
        If it is no such text, or not that of a whole device.
    BoardError, ToolNotFoundError
        As :func:`hwgq.boards.icestorm.database.read_chip`.
    """
    statements = [part.split("\n") for part in re.split(r"^\.", text, flags=re.M)[1:]]
    chip = read_chip(_device(statements))
    bits = np.zeros(chip.bits, np.uint8)
    filled: set[Place] = set()
    memories: dict[Place, tuple[str, ...]] = {}
    extra: set[tuple[int, int, int]] = set()
    for head, *lines in statements:
        words, rows = head.split(), tuple(line for line in lines if line.strip())
        match words:
            case ["device", _]:
                pass
            case [name, *_] if name in _IDLE:
                pass
            case ["extra_bit", bank, column, row] if not rows:
                extra.add((_number(bank), _number(column), _number(row)))
            case ["ram_data", x, y]:
                place = (_number(x), _number(y))
                memories[place] = _memory(chip, place, rows)
            case [kind, x, y] if kind.endswith("_tile"):
                place = (_number(x), _number(y))
                if place in filled:
                    raise _damage(f"has tile {place} twice")
                _fill(chip, bits, place, kind.removesuffix("_tile"), rows)
                filled.add(place)
            case _:
                raise _damage(f"does not know .{head}")
    if missing := chip.tiles.keys() - filled:
        raise _damage(f"lacks tile {min(missing)}")
    frozen = frozenset(extra)
    return Bitmap(chip=chip, bits=bits, memories=memories, extra_bits=frozen)


def _device(statements: list[list[str]]) -> str:
    names = [head.split()[1:] for head, *_ in statements if head.startswith("device")]
    if len(names) != 1 or len(names[0]) != 1:
        raise _damage("does not name one device")
    return names[0][0]


def _fill(
    chip: Chip,
    bits: NDArray[np.uint8],
    place: Place,
    kind: str,
    rows: tuple[str, ...],
) -> None:
    tile = chip.tiles.get(place)
    if tile is None or tile.kind != kind:
        raise _damage(f"has no {kind} tile at {place}")
    whole = re.compile(f"[01]{{{tile.columns}}}")
    if len(rows) != tile.rows or not all(whole.fullmatch(row) for row in rows):
        raise _damage(f"damages {kind} tile {place}")
    values = np.frombuffer("".join(rows).encode(), np.uint8) - ord("0")
    bits[tile.first : tile.first + len(values)] = values


def _memory(chip: Chip, place: Place, rows: tuple[str, ...]) -> tuple[str, ...]:
    if place not in chip.tiles or chip.tiles[place].kind != "ramb":
        raise _damage(f"has no block RAM at {place}")
    if len(rows) != 16 or not all(re.fullmatch("[0-9a-f]{64}", row) for row in rows):
        raise _damage(f"damages the block RAM at {place}")
    return rows


def _number(word: str) -> int:
    if not word.isdecimal():
        raise _damage(f"has {word!r} where a number belongs")
    return int(word)


def _damage(problem: str) -> VerificationError:
    remedy = "Unpack the bitstream again, with yowasp-iceunpack"
    return VerificationError("unpacked bitstream", problem, remedy)
