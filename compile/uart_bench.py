# SPDX-License-Identifier: Apache-2.0
"""The sources of a simulation that drives a whole board through its serial pins."""

import importlib.resources
from collections.abc import Sequence
from pathlib import Path

from hwgq import hw_templates
from hwgq.boards.design import Design
from hwgq.compile.sim_wrapper import SimPorts
from hwgq.compile.simulate_rtl import sources
from hwgq.storage import write_text

TOP = "hwgq_uart_bench"
PORTS = SimPorts(in_width=32, out_width=8)
_MODULES = ("hwgq_fifo", "hwgq_uart_rx", "hwgq_uart_tx")


def lay_out(design: Design, rtl: Path, place: Path) -> list[Path]:
    """Write what a board's sources need where they are to run.

    Parameters
    ----------
    design
        What a build asks of its board.
    rtl
        The core, as :func:`hwgq.compile.netlist.write_rtl` wrote it.
    place
        The folder; memory images, the core's and the shell's, go by their names in it.

    Returns
    -------
    list of Path
        Sources of the module `hwgq_board_top`, models of the device's cells included.

    Raises
    ------
    StorageError
        If `rtl` is not the folder of a build, or `place` cannot be written.
    """
    for name, text in design.files.items():
        write_text(place / name, text)
    for image in rtl.glob("*.hex"):
        (place / image.name).symlink_to(image.resolve())
    own = [place / name for name in design.files if name.endswith(".sv")]
    return [*hw_templates.cells(design.board.family), *sources(rtl), *own]


def bench_files(sources: Sequence[Path]) -> list[Path]:
    """Add the bench to a board's sources.

    Parameters
    ----------
    sources
        Files of the module `hwgq_board_top`, which has the pins `osc_i`, `rx_i` and
        `tx_o`. Those of the templates that the bench needs itself may be among them.
    """
    names = {path.name for path in sources}
    own = [hw_templates.source(name) for name in _MODULES if f"{name}.sv" not in names]
    bench = importlib.resources.files(hw_templates) / "sim" / f"{TOP}.sv"
    return [*sources, *own, Path(str(bench))]
