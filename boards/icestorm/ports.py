# SPDX-License-Identifier: Apache-2.0
"""The names behind the numbers that nextpnr gives to the ports of cells."""

from collections.abc import Iterable, Sequence

from hwgq.boards.icestorm.chip import Cell
from hwgq.errors import ToolNotFoundError

#: Names in the order of the numbers, from 1 on.
_PORTS = (
    *("I0", "I1", "I2", "I3", "O", "LO", "CIN", "COUT", "CEN", "CLK", "SR"),
    *(f"MASK_{i}" for i in range(16)),
    *(f"RDATA_{i}" for i in range(16)),
    *(f"WDATA_{i}" for i in range(16)),
    *(f"WADDR_{i}" for i in range(11)),
    *(f"RADDR_{i}" for i in range(11)),
    *("WCLK", "WCLKE", "WE", "RCLK", "RCLKE", "RE"),
    *("PACKAGE_PIN", "LATCH_INPUT_VALUE", "CLOCK_ENABLE", "INPUT_CLK", "OUTPUT_CLK"),
    *("OUTPUT_ENABLE", "D_OUT_0", "D_OUT_1", "D_IN_0", "D_IN_1"),
    *("USER_SIGNAL_TO_GLOBAL_BUFFER", "GLOBAL_BUFFER_OUTPUT"),
    *("REFERENCECLK", "EXTFEEDBACK"),
    *(f"DYNAMICDELAY_{i}" for i in range(8)),
    *("LOCK", "PLLOUT_A", "PLLOUT_B", "PLLOUT_A_GLOBAL", "PLLOUT_B_GLOBAL"),
    *("BYPASS", "RESETB", "LATCHINPUTVALUE", "SDO", "SDI", "SCLK"),
)
#: The last port of each kind of cell, and how its wire's name ends.
_WITNESSES = {
    "lc": ("SR", "/lutff_global:s_r"),
    "ram": ("RE", "/ram:RE"),
    "io": ("D_IN_1", ":D_IN_1"),
    "gb": ("USER_SIGNAL_TO_GLOBAL_BUFFER", "/fabout"),
    "pll": ("SCLK", "/fabout"),
}


def port_name(number: int) -> str:
    """Name a port; those of hard blocks that are not read back get no real names."""
    return _PORTS[number - 1] if number <= len(_PORTS) else f"port_{number}"


def check_ports(file: str, cells: Iterable[Cell], wires: Sequence[str]) -> None:
    """Notice a nextpnr that numbers its ports in another way.

    Parameters
    ----------
    file
        Name of its description of the device.
    cells, wires
        What was read from that.

    Raises
    ------
    ToolNotFoundError
        If a port's wire has an unexpected name.
    """
    for cell in cells:
        if cell.kind not in _WITNESSES:
            continue
        port, ending = _WITNESSES[cell.kind]
        wire = {**cell.inputs, **cell.outputs}.get(port)
        if wire is None or not wires[wire].endswith(ending):
            problem = f"numbers the ports of {cell.name} in an unknown way"
            remedy = "Install hwgq again into this environment, with its own nextpnr"
            raise ToolNotFoundError(file, problem, remedy)
