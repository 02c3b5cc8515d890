# SPDX-License-Identifier: Apache-2.0
"""The Verilog for what a wire carries: one name for each output of a cell in use.

What nothing drives reads as 0 in the device; enables read as 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hwgq.boards.icestorm import cells
from hwgq.boards.icestorm.cells import refusal
from hwgq.boards.icestorm.chip import Cell
from hwgq.boards.icestorm.sources import Source, Sources

LOW, HIGH = "1'b0", "1'b1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Names for the outputs of cells.

    Parameters
    ----------
    sources
        The configured device, traced.
    ports
        Name of the port at each pad in use, by the pad's cell.
    plls
        Running PLLs by their pad's cell.
    """

    sources: Sources
    ports: Mapping[int, str]
    plls: Mapping[int, Cell]

    def on(self, wire: int, idle: str = LOW) -> str:
        """Name what a wire carries.

        Parameters
        ----------
        wire
            Its number.
        idle
            What is read where nothing drives it.

        Raises
        ------
        VerificationError
            If it is something that is not read back.
        """
        source = self.sources.of(wire)
        if source is not None:
            return self._name(source)
        return HIGH if self.sources.is_high(wire) else idle

    def _name(self, source: Source) -> str:
        cell, port = self.sources.bitmap.chip.cells[source.cell], source.port
        place = tile_name(cell)
        match cell.kind, port:
            case "lc", "O":
                logic = cells.logic_cell(self.sources.bitmap, cell)
                name = f"reg_{place}" if logic.registered else f"lut_{place}"
            case "lc", "LO":
                name = f"lut_{place}"
            case "lc", "COUT":
                name = f"carry_{place}"
            case "ram", _:
                name = f"ram_{place}[{port.removeprefix('RDATA_')}]"
            case "pll", "LOCK":
                name = f"pll_{place}_lock"
            case "io", "GLOBAL_BUFFER_OUTPUT" if source.cell in self.plls:
                name = f"pll_{tile_name(self.plls[source.cell])}_clock"
            case "io", "D_IN_0" | "GLOBAL_BUFFER_OUTPUT":
                name = self.pad(source.cell)
            case _:
                raise refusal(cell, f"is in use: its output {port} is read")
        return name

    def pad(self, number: int, *, core: bool = True) -> str:
        """Name the port at a pad that is read.

        Parameters
        ----------
        number
            Of the pad's cell.
        core
            Whether the pad itself hands the value in, else its PLL takes it.

        Raises
        ------
        VerificationError
            If the pad's input is off, is no direct one, or has no port.
        """
        cell = self.sources.bitmap.chip.cells[number]
        if core and number in self.plls:
            raise refusal(cell, "hands in its PLL's clock")
        if not cells.pad(self.sources.bitmap, number).reads:
            raise refusal(cell, "is read but its input is off, or has a register")
        if number not in self.ports:
            raise refusal(cell, "is read but the design has no port for it")
        return self.ports[number]


def tile_name(cell: Cell) -> str:
    """Name a cell by its place and number."""
    x, y = cell.place
    return f"{x}_{y}_{cell.index}"
