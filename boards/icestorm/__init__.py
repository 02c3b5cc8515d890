# SPDX-License-Identifier: Apache-2.0
"""Turn an iCE40's bitstream back into the circuit that its bits configure.

This is what icestorm's ``icebox_vlog`` does; its database is in no wheel, so the one in
nextpnr's is read. The way goes from the text of the bitstream (``asc``) over switches
(``routing``, ``sources``) and cells (``cells``, ``parts``) to Verilog. What is not
understood to the last bit is refused.
"""

from collections.abc import Mapping

from hwgq.boards.icestorm.asc import Bitmap, read_asc
from hwgq.boards.icestorm.chip import Chip
from hwgq.boards.icestorm.explain import check_understood
from hwgq.boards.icestorm.extract import extract
from hwgq.boards.icestorm.netlist import Netlist
from hwgq.boards.icestorm.routing import trace
from hwgq.boards.icestorm.sources import find_sources
from hwgq.boards.icestorm.verilog import write_verilog
from hwgq.errors import BoardError


def verilog_of(
    asc: str, *, package: str, pins: Mapping[str, str], top: str = "hwgq_board_top"
) -> str:
    """Write the circuit of a bitstream as Verilog.

    Parameters
    ----------
    asc
        The unpacked bitstream: what iceunpack writes.
    package
        nextpnr's name of the device's package.
    pins
        Names of the ports, by pin of the package.
    top
        Name of the module.

    Returns
    -------
    str
        A module with these ports. Block RAMs and the PLL in it are instances of
        `SB_RAM40_4K`, `SB_RAM40_4KNRNW` and `SB_PLL40_PAD`.

    Raises
    ------
    VerificationError
        If the text is damaged, or the bitstream sets a bit or uses a cell that is not
        read back.
    BoardError
        If the device, the package or a pin is unknown.
    ToolNotFoundError
        If nextpnr's wheel is not there, or is of an unknown version.
    """
    return write_verilog(netlist_of(read_asc(asc), package=package, pins=pins), top)


def netlist_of(bitmap: Bitmap, *, package: str, pins: Mapping[str, str]) -> Netlist:
    """Find the circuit of a bitstream.

    Parameters
    ----------
    bitmap
        The configured device.
    package, pins
        As for :func:`verilog_of`.

    Raises
    ------
    VerificationError
        If the bitstream sets a bit or uses a cell that is not read back.
    BoardError
        If the package or a pin is unknown.
    """
    nets = trace(bitmap)
    check_understood(bitmap, nets)
    ports = _ports(bitmap.chip, package, pins)
    return extract(find_sources(bitmap, nets), ports)


def _ports(chip: Chip, package: str, pins: Mapping[str, str]) -> dict[int, str]:
    """Find the cells of the pins."""
    cells = chip.packages.get(package)
    if cells is None:
        remedy = f"Use one of {', '.join(sorted(chip.packages))}"
        raise BoardError(f"iCE40 {chip.device}", f"has no package {package!r}", remedy)
    if unknown := sorted(pins.keys() - cells):
        remedy = f"Use some of {', '.join(cells)}"
        raise BoardError(f"package {package}", f"has no pin {unknown[0]!r}", remedy)
    return {cells[pin]: name for pin, name in pins.items()}


__all__ = ["verilog_of"]
