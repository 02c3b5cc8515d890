# SPDX-License-Identifier: Apache-2.0
"""The forms of a board's design that are simulated, as Verilog of its cells."""

from pathlib import Path

from hwgq.boards.design import Design
from hwgq.boards.flows.flow import GATES
from hwgq.boards.icestorm import verilog_of
from hwgq.boards.icestorm.pcf import read_pcf
from hwgq.boards.routed import routed_verilog
from hwgq.boards.unpack import unpack

BOARD_RUNGS = ("netlist", "routed", "bitstream")
"""In their order; each takes the ones before along."""


def circuit(rung: str, build: Path, design: Design, folder: Path) -> Path:
    """Find what yosys mapped, or write what is placed and routed, or in the bitstream.

    Parameters
    ----------
    rung
        One of :data:`BOARD_RUNGS`; bitstreams are read back for iCE40s only.
    build, design
        A build folder that has a bitstream, and what it asks of its board.
    folder
        An empty folder to work in.

    Returns
    -------
    Path
        The file, in the build folder or in `folder`.

    Raises
    ------
    StorageError
        If the build is not whole.
    VerificationError
        If the bitstream holds what cannot be read back.
    ToolNotFoundError, ToolFailedError
        If a program is missing or fails.
    """
    match rung:
        case "netlist":
            return build / GATES
        case "routed":
            return routed_verilog(build, design.flow, folder)
    text = unpack(build, design.flow, folder)
    pins = read_pcf(design.files[design.flow.constraints_file])
    netlist = folder / "unpacked.v"
    netlist.write_text(verilog_of(text, package=design.board.package, pins=pins))
    return netlist
