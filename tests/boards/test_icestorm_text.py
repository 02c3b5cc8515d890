# SPDX-License-Identifier: Apache-2.0
"""The texts that come in are read whole, or refused."""

import numpy as np
import pytest

from hwgq.boards.icestorm.asc import Bitmap, read_asc
from hwgq.boards.icestorm.pcf import read_pcf
from hwgq.errors import BoardError, VerificationError
from tests.boards.spoil import blank

ROW = "0123456789abcdef" * 4


def write(bitmap: Bitmap) -> str:
    """Write what iceunpack would."""
    lines = [f".comment\n.device {bitmap.chip.device}"]
    for (x, y), tile in bitmap.chip.tiles.items():
        bits = bitmap.bits[tile.first : tile.first + tile.rows * tile.columns]
        rows = bits.reshape(tile.rows, tile.columns)
        lines.append(f".{tile.kind}_tile {x} {y}")
        lines += ["".join(map(str, row)) for row in rows.tolist()]
    return "\n".join([*lines, ".ram_data 6 1", *[ROW] * 16, ".extra_bit 0 690 334", ""])


@pytest.fixture(scope="module")
def text() -> str:
    return write(blank("5k"))


def test_every_bit_is_read():
    bitmap = blank("5k")
    drawn = np.random.default_rng(0).integers(0, 2, bitmap.chip.bits, np.uint8)
    bitmap.bits[:] = drawn
    found = read_asc(write(bitmap))
    np.testing.assert_array_equal(found.bits, drawn)
    assert found.memories == {(6, 1): (ROW,) * 16}
    assert found.extra_bits == {(0, 690, 334)}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (".device 5k\n", "", "does not name one device"),
        (".device 5k\n", ".device 5k\n.device 8k\n", "does not name one device"),
        (".comment", ".whatever 1", r"does not know \.whatever 1"),
        (".logic_tile 3 3\n", ".comment\n", r"lacks tile \(3, 3\)"),
        (".logic_tile 3 3\n", ".io_tile 3 3\n", r"has no io tile at \(3, 3\)"),
        (".logic_tile 3 3\n", ".logic_tile 99 3\n", r"has no logic tile at \(99, 3\)"),
        (".logic_tile 3 3\n0", ".logic_tile 3 3\n", r"damages logic tile \(3, 3\)"),
        (".logic_tile 3 3\n0", ".logic_tile 3 3\n2", r"damages logic tile \(3, 3\)"),
        (".logic_tile 3 3\n", ".logic_tile 3 2\n", r"has tile \(3, 2\) twice"),
        (".ram_data 6 1", ".ram_data 6 2", r"has no block RAM at \(6, 2\)"),
        (f"{ROW}\n.extra", "\n.extra", r"damages the block RAM at \(6, 1\)"),
        (f"{ROW}\n.extra", f"{ROW[:-1]}g\n.extra", r"damages the block RAM at"),
        ("extra_bit 0 690", "extra_bit 0 x", "has 'x' where a number belongs"),
    ],
)
def test_a_damaged_text_is_refused(text, old, new, problem):
    assert text.count(old) == 1
    with pytest.raises(VerificationError, match=f"unpacked bitstream: {problem}"):
        read_asc(text.replace(old, new))


def test_pins_are_read_from_the_constraints():
    text = (
        "# a comment\nset_io a 1\nset_io -pullup yes b 2 # more\nset_frequency a 12\n"
    )
    assert read_pcf(text) == {"1": "a", "2": "b"}


@pytest.mark.parametrize("line", ["set_io a", "set_io c 1"])
def test_misplaced_ports_are_refused(line):
    with pytest.raises(BoardError, match=f"constraints: misplace a port: '{line}'"):
        read_pcf(f"set_io b 1\n{line}\n")
