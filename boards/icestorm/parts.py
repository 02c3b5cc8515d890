# SPDX-License-Identifier: Apache-2.0
"""Make the parts of a netlist of the cells that the bits configure."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from hwgq.boards.icestorm import cells
from hwgq.boards.icestorm.cells import refusal
from hwgq.boards.icestorm.chip import Cell
from hwgq.boards.icestorm.netlist import Carry, Control, Instance, Lut, Part, Register
from hwgq.boards.icestorm.signals import HIGH, LOW, Signals, tile_name

Maker = Callable[[], Part]

#: Ports of a block RAM, and what they read where nothing drives them.
_RAM_VECTORS = {"RADDR": 11, "WADDR": 11, "MASK": 16, "WDATA": 16}
_RAM_BITS = {"RCLKE": HIGH, "RE": LOW, "WCLKE": HIGH, "WE": LOW}
_RAM_CLOCKS = ("RCLK", "WCLK")


def makers(signals: Signals) -> dict[str, Maker]:
    """Tell how to make the part behind every name that a signal can have.

    Parameters
    ----------
    signals
        The configured device.

    Returns
    -------
    dict of str to callable
        By name, without the index into a vector. Each makes its part, or raises
        VerificationError if the part is not read back.
    """
    return {
        name: maker
        for cell in signals.sources.bitmap.chip.cells
        for name, maker in _makers(signals, cell)
    }


def _makers(signals: Signals, cell: Cell) -> Iterator[tuple[str, Maker]]:
    name = tile_name(cell)
    if cell.kind == "lc":
        yield f"lut_{name}", partial(_lut, signals, cell)
        yield f"reg_{name}", partial(_register, signals, cell)
        yield f"carry_{name}", partial(_carry, signals, cell)
    if cell.kind == "ram":
        yield f"ram_{name}", partial(_block_ram, signals, cell)
    if cell.kind == "pll":
        yield f"pll_{name}_clock", partial(_pll, signals, cell)
        yield f"pll_{name}_lock", partial(_pll, signals, cell)


def _lut(signals: Signals, cell: Cell) -> Lut:
    table = cells.logic_cell(signals.sources.bitmap, cell).table
    inputs = [signals.on(cell.inputs[f"I{i}"]) for i in range(4)]
    # From the highest input on, so that the places of the others do not change.
    for i in (3, 2, 1, 0):
        low, high = _halves(table, i)
        if inputs[i] in {LOW, HIGH} or low == high:
            table = high if inputs[i] == HIGH else low
            del inputs[i]
    return Lut(name=f"lut_{tile_name(cell)}", table=table, inputs=tuple(inputs))


def _halves(table: int, index: int) -> tuple[int, int]:
    """Give the tables for an input of 0 and of 1, without that input."""
    halves = [0, 0]
    for i in range(16):
        rest = i & ((1 << index) - 1) | (i >> index + 1) << index
        halves[i >> index & 1] |= (table >> i & 1) << rest
    return halves[0], halves[1]


def _carry(signals: Signals, cell: Cell) -> Carry:
    if not cells.logic_cell(signals.sources.bitmap, cell).carries:
        raise refusal(cell, "has its carry read but switched off")
    low, high, before = (signals.on(cell.inputs[port]) for port in ("I1", "I2", "CIN"))
    return Carry(name=f"carry_{tile_name(cell)}", inputs=(low, high, before))


def _register(signals: Signals, cell: Cell) -> Register:
    logic = cells.logic_cell(signals.sources.bitmap, cell)
    clock = signals.on(cell.inputs["CLK"])
    if clock == LOW:
        raise refusal(cell, "has a register without a clock")
    reset = signals.on(cell.inputs["SR"])
    control = Control(
        clock=clock,
        falling=logic.falling,
        enable=signals.on(cell.inputs["CEN"], idle=HIGH),
        reset=reset,
        asynchronous=logic.asynchronous and reset != LOW,
    )
    name = tile_name(cell)
    return Register(
        name=f"reg_{name}", data=f"lut_{name}", control=control, value=logic.value
    )


def _block_ram(signals: Signals, cell: Cell) -> Instance:
    ram = cells.block_ram(signals.sources.bitmap, cell)
    parameters = {"READ_MODE": f"{ram.read_mode}", "WRITE_MODE": f"{ram.write_mode}"}
    rows = {f"INIT_{i:X}": f"256'h{row}" for i, row in enumerate(ram.rows)}
    inputs = {
        port: tuple(signals.on(cell.inputs[f"{port}_{i}"]) for i in range(width)[::-1])
        for port, width in _RAM_VECTORS.items()
    }
    for port, idle in _RAM_BITS.items():
        inputs[port] = (signals.on(cell.inputs[port], idle),)
    for port in _RAM_CLOCKS:
        named = f"{port}N" if ram.falling else port
        inputs[named] = (signals.on(cell.inputs[port]),)
    name = f"ram_{tile_name(cell)}"
    return Instance(
        model="SB_RAM40_4KNRNW" if ram.falling else "SB_RAM40_4K",
        name=f"u_{name}",
        parameters={**parameters, **rows},
        inputs=inputs,
        outputs={"RDATA": name},
        width=16,
    )


def _pll(signals: Signals, cell: Cell) -> Instance:
    dividers = cells.pll(signals.sources.bitmap, cell)
    if dividers is None:
        raise refusal(cell, "is read but switched off")
    pad = next(number for number, pll in signals.plls.items() if pll == cell)
    inputs: Mapping[str, tuple[str, ...]] = {
        "PACKAGEPIN": (signals.pad(pad, core=False),),
        "RESETB": (signals.on(cell.inputs["RESETB"]),),
        "BYPASS": (signals.on(cell.inputs["BYPASS"]),),
    }
    name = f"pll_{tile_name(cell)}"
    return Instance(
        model="SB_PLL40_PAD",
        name=f"u_{name}",
        parameters={
            "FEEDBACK_PATH": '"SIMPLE"',
            **{k: f"{v}" for k, v in dividers.items()},
        },
        inputs=inputs,
        outputs={"PLLOUTGLOBAL": f"{name}_clock", "LOCK": f"{name}_lock"},
        width=1,
    )
