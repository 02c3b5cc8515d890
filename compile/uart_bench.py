# SPDX-License-Identifier: Apache-2.0
"""The sources of a simulation that drives a whole board through its serial pins."""

import importlib.resources
from collections.abc import Sequence
from pathlib import Path

from hwgq import hw_templates
from hwgq.compile.verilator import SimPorts

TOP = "hwgq_uart_bench"
PORTS = SimPorts(in_width=32, out_width=8)
_MODULES = ("hwgq_fifo", "hwgq_uart_rx", "hwgq_uart_tx")


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
