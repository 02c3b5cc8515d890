# SPDX-License-Identifier: Apache-2.0
"""What the bits make of a cell.

The order of a logic cell's bits and the meaning of its last four are those of project
icestorm, as is the meaning of the pads' types and of the PLL's.
"""

from dataclasses import dataclass

from hwgq.boards.icestorm.asc import Bitmap
from hwgq.boards.icestorm.chip import Cell, Place
from hwgq.errors import VerificationError

#: Where bit i of a LUT's table is among its logic cell's bits.
TABLE_ORDER = (4, 14, 15, 5, 6, 16, 17, 7, 3, 13, 12, 2, 1, 11, 10, 0)
_CARRY, _REGISTER, _SET, _ASYNCHRONOUS = 8, 9, 18, 19
#: Settings of a PLL with its own pad and simple feedback; all that are not named here
#: and are no dividers must be 0.
_PLL_FIXED = {"PLLTYPE": 2, "FEEDBACK_PATH": 1}
_PLL_DIVIDERS = ("DIVR", "DIVF", "DIVQ", "FILTER_RANGE")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicCell:
    """A LUT, a carry and a register.

    Parameters
    ----------
    table
        Outputs of the LUT, the one for inputs of zero in bit 0.
    carries
        Whether the carry output is in use.
    registered
        Whether the output is the register's, else it is the LUT's.
    falling
        Whether the register takes its value at the clock's falling edge.
    asynchronous
        Whether the reset needs no clock.
    value
        What the register is reset to.
    """

    table: int
    carries: bool
    registered: bool
    falling: bool
    asynchronous: bool
    value: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRam:
    """A memory of 4096 bits.

    Parameters
    ----------
    read_mode, write_mode
        0 to 3 for words of 16, 8, 4 and 2 bits.
    falling
        Whether both ports take their inputs at falling edges.
    rows
        First contents: 16 rows of 64 hexadecimal digits.
    """

    read_mode: int
    write_mode: int
    falling: bool
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad:
    """A pin's cell: whether it hands the pin's value in, and drives the pin."""

    reads: bool
    drives: bool


def logic_cell(bitmap: Bitmap, cell: Cell) -> LogicCell:
    """Decode a logic cell."""
    bits = _values(bitmap, cell.place, f"LC_{cell.index}")
    return LogicCell(
        table=sum(bits[place] << i for i, place in enumerate(TABLE_ORDER)),
        carries=bool(bits[_CARRY]),
        registered=bool(bits[_REGISTER]),
        falling=_flag(bitmap, cell.place, "NegClk"),
        asynchronous=bool(bits[_ASYNCHRONOUS]),
        value=bool(bits[_SET]),
    )


def first_carry(bitmap: Bitmap, cell: Cell) -> bool:
    """Tell the carry into a tile's first cell where no other tile gives it."""
    return _flag(bitmap, cell.place, "CarryInSet")


def block_ram(bitmap: Bitmap, cell: Cell) -> BlockRam:
    """Decode a block RAM.

    Raises
    ------
    VerificationError
        If it is off, lacks its contents, or its ports take opposite edges.
    """
    x, y = cell.place
    lower, upper = (x, y), (x, y + 1)
    # The bit means the opposite on the oldest devices.
    if _flag(bitmap, lower, "RamConfig.PowerUp") == (bitmap.chip.device == "1k"):
        raise refusal(cell, "is read but switched off")
    if cell.place not in bitmap.memories:
        raise refusal(cell, "has no .ram_data")
    falling = _flag(bitmap, lower, "NegClk")
    if falling != _flag(bitmap, upper, "NegClk"):
        raise refusal(cell, "reads and writes at opposite edges")
    modes = [_flag(bitmap, upper, f"RamConfig.CBIT_{i}") for i in range(4)]
    return BlockRam(
        write_mode=modes[0] + 2 * modes[1],
        read_mode=modes[2] + 2 * modes[3],
        falling=falling,
        rows=bitmap.memories[cell.place],
    )


def pad(bitmap: Bitmap, number: int) -> Pad:
    """Decode a pad.

    Parameters
    ----------
    bitmap
        The configured device.
    number
        Of the pad's cell.

    Raises
    ------
    VerificationError
        If it drives its pin in another way than always and directly.
    """
    cell = bitmap.chip.cells[number]
    kind = [
        _flag(bitmap, cell.place, f"IOB_{cell.index}.PINTYPE_{i}") for i in range(6)
    ]
    match kind[5], kind[4], kind[3], kind[2]:
        case False, False, _, _:
            drives = False
        case False, True, True, False:
            drives = True
        case _:
            raise refusal(cell, "has an output register or an enable")
    enable = bitmap.chip.input_enables.get(number)
    # The bit means the opposite on the oldest devices.
    enabled = enable is not None and bitmap.bits[enable] != (bitmap.chip.device == "1k")
    direct = (kind[1], kind[0]) == (False, True)
    return Pad(reads=bool(enabled and direct), drives=drives)


def pll(bitmap: Bitmap, cell: Cell) -> dict[str, int] | None:
    """Decode a PLL.

    Returns
    -------
    dict of str to int, or None
        Its dividers and filter, by the names that `SB_PLL40_PAD` has for them; None if
        the PLL is off.

    Raises
    ------
    VerificationError
        If it has another pad or feedback than its own, or delays its clock.
    """
    values: dict[str, int] = {}
    for parameter, bit in cell.config.items():
        name, _, index = parameter.rpartition("_")
        name, shift = (name, int(index)) if index.isdecimal() else (parameter, 0)
        values[name] = values.get(name, 0) | int(bitmap.bits[bit]) << shift
    if values.get("PLLTYPE", 0) == 0:
        return None
    dividers = {name: values.pop(name) for name in _PLL_DIVIDERS}
    settings = {name: value for name, value in values.items() if value}
    if settings != _PLL_FIXED:
        raise refusal(cell, f"is no SB_PLL40_PAD with simple feedback: {settings}")
    return dividers


def refusal(cell: Cell, problem: str) -> VerificationError:
    """Make the error of a cell that is used in a way that is not read back."""
    remedy = "Simulate the netlist instead, or build the bitstream with hwgq's own flow"
    return VerificationError(f"bitstream, cell {cell.name}", problem, remedy)


def _values(bitmap: Bitmap, place: Place, entry: str) -> list[int]:
    values: list[int] = bitmap.bits[bitmap.chip.tiles[place].bits(entry)].tolist()
    return values


def _flag(bitmap: Bitmap, place: Place, entry: str) -> bool:
    return bool(_values(bitmap, place, entry)[0])
