# SPDX-License-Identifier: Apache-2.0
"""Which cell's output drives a wire, through switches and global buffers."""

from collections.abc import Mapping
from dataclasses import dataclass

from hwgq.boards.icestorm.asc import Bitmap
from hwgq.boards.icestorm.cells import first_carry, refusal
from hwgq.boards.icestorm.chip import Cell, Chip
from hwgq.boards.icestorm.routing import Nets
from hwgq.errors import VerificationError

#: Hard blocks of other kinds must be idle.
_READ_BACK = ("lc", "ram", "io", "gb", "pll")
#: These share wires with other cells: a global network's, a pad's.
_SHARED = ("GLOBAL_BUFFER_OUTPUT", "PLLOUT")


@dataclass(frozen=True, slots=True)
class Source:
    """An output of a cell: the cell's number, and the port."""

    cell: int
    port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the signals of all wires come from.

    Parameters
    ----------
    bitmap, nets
        The configured device, and what its switches join.
    outputs
        Outputs of cells, by wire.
    networks
        What drives a global network: the output of a pad, the wire that a buffer
        repeats, or nothing.
    high
        Wires that are 1 where others that nothing drives are 0: first carries.
    """

    bitmap: Bitmap
    nets: Nets
    outputs: Mapping[int, Source]
    networks: Mapping[int, Source | int | None]
    high: frozenset[int]

    def of(self, wire: int) -> Source | None:
        """Find what drives a wire.

        Parameters
        ----------
        wire
            Its number.

        Returns
        -------
        Source or None
            None if nothing does.

        Raises
        ------
        VerificationError
            If it is a global network of an oscillator.
        """
        origin = int(self.nets.origin[wire])
        if origin not in self.networks:
            return self.outputs.get(origin)
        driver = self.networks[origin]
        if driver is None:
            place = f"bitstream, wire {self.bitmap.chip.wires[origin]}"
            problem = "is driven neither by its buffer nor by its pad"
            raise VerificationError(place, problem, "Clock the design from a pin")
        return driver if isinstance(driver, Source) else self.of(driver)

    def is_high(self, wire: int) -> bool:
        """Tell whether a wire that nothing drives is 1."""
        return int(self.nets.origin[wire]) in self.high


def find_sources(bitmap: Bitmap, nets: Nets) -> Sources:
    """Find what drives every wire.

    Parameters
    ----------
    bitmap, nets
        The configured device, and what its switches join.

    Raises
    ------
    VerificationError
        If a hard block that is not read back is in use, a carry or global network is
        driven twice, or a bit outside the tiles is unknown.
    """
    outputs, high = {}, set()
    for number, cell in enumerate(bitmap.chip.cells):
        if cell.kind not in _READ_BACK:
            _check_idle(cell, nets)
        if cell.kind == "lc" and cell.index == 0 and first_carry(bitmap, cell):
            if nets.driven(cell.inputs["CIN"]):
                raise refusal(cell, "gets two carries")
            high.add(cell.inputs["CIN"])
        for port, wire in cell.outputs.items():
            if not port.startswith(_SHARED):
                outputs[wire] = Source(number, port)
    networks = _networks(bitmap, nets)
    return Sources(
        bitmap=bitmap,
        nets=nets,
        outputs=outputs,
        networks=networks,
        high=frozenset(high),
    )


def _check_idle(cell: Cell, nets: Nets) -> None:
    if any(nets.driven(wire) for wire in cell.inputs.values()):
        raise refusal(cell, "is in use: one of its inputs is driven")


def _networks(bitmap: Bitmap, nets: Nets) -> dict[int, Source | int | None]:
    chip = bitmap.chip
    buffers = _buffers(chip)
    found: dict[int, Source | int | None] = {}
    for network in chip.networks:
        by_pad = network.extra_bit in bitmap.extra_bits
        repeated = buffers[network.wire]
        if by_pad and nets.driven(repeated):
            place = f"bitstream, wire {chip.wires[network.wire]}"
            problem = "is driven by its buffer and by its pad"
            raise VerificationError(place, problem, "Build the bitstream again")
        found[network.wire] = repeated if nets.driven(repeated) else None
        if by_pad:
            found[network.wire] = Source(network.pad, "GLOBAL_BUFFER_OUTPUT")
    unknown = bitmap.extra_bits - {network.extra_bit for network in chip.networks}
    if unknown:
        problem = f"the bit {min(unknown)} is set and has no known meaning"
        remedy = "Build the bitstream with hwgq's own flow"
        raise VerificationError("bitstream, outside its tiles", problem, remedy)
    return found


def _buffers(chip: Chip) -> dict[int, int]:
    """Give the wire that each global network's buffer repeats."""
    return {
        cell.outputs["GLOBAL_BUFFER_OUTPUT"]: cell.inputs[
            "USER_SIGNAL_TO_GLOBAL_BUFFER"
        ]
        for cell in chip.cells
        if cell.kind == "gb"
    }
