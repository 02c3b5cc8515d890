# SPDX-License-Identifier: Apache-2.0
"""A whole board in simulation, behind a pseudo-terminal that is used as its port is.

Everything of the design runs, clock by clock: the UART at its real divisor, the shell,
the core with its memories. Only the PLL is a plain clock.
"""

import os
import signal
import subprocess
import tempfile
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hwgq import hw_templates
from hwgq.boards.design import Design, read_design
from hwgq.boards.protocol import TIMEOUT_BITS
from hwgq.compile import uart_bench
from hwgq.compile.schedule import simulate
from hwgq.compile.serialize import load_graph
from hwgq.compile.sim_wrapper import wrapper
from hwgq.compile.uart_bench import bench_files, lay_out
from hwgq.compile.verilator_model import compile_model


@dataclass(frozen=True, slots=True)
class SimulatedBoard:
    """A board that runs.

    Parameters
    ----------
    port
        Name of the pseudo-terminal, to be opened as a serial port.
    process
        The simulation.
    """

    port: str
    process: subprocess.Popen[bytes]

    def reset(self) -> None:
        """Switch the board off and on."""
        self.process.send_signal(signal.SIGUSR1)

    def unplug(self) -> None:
        """End the simulation; the port is gone."""
        self.process.terminate()
        self.process.wait()


@contextmanager
def simulated_board(folder: Path) -> Iterator[SimulatedBoard]:
    """Run the board of a build until the context ends.

    Parameters
    ----------
    folder
        The build folder, compiled; it need not be synthesized.

    Raises
    ------
    StorageError
        If the folder is not compiled.
    BoardError
        If the board cannot make the clock.
    ToolNotFoundError, ToolFailedError
        If the design cannot be compiled.
    """
    design = read_design(folder)
    clocks = design.clocks_per_bit
    graph = load_graph(folder / "dataflow.json", folder / "tensors")
    longest = simulate(graph, frames=1).latency + 2 * TIMEOUT_BITS * clocks
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        executable = _compile(design, folder, place, clocks)
        master, slave = os.openpty()
        try:
            tty.setraw(slave)
            process = subprocess.Popen(
                [executable, str(master), str(longest)], cwd=place, pass_fds=[master]
            )
        finally:
            os.close(master)
        board = SimulatedBoard(os.ttyname(slave), process)
        try:
            yield board
        finally:
            board.unplug()
            os.close(slave)


def _compile(design: Design, folder: Path, place: Path, clocks: int) -> Path:
    """Compile the board, and lay its memory images out where it will run."""
    board = hw_templates.counted(lay_out(design, folder / "rtl", place))
    parameters = {"CLKS_PER_BIT": clocks}
    text = wrapper(uart_bench.TOP, uart_bench.PORTS, parameters=parameters)
    return compile_model(bench_files(board), text, driver="board.cpp")
