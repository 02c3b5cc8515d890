# SPDX-License-Identifier: Apache-2.0
"""Run a board again that answered wrong, and keep the waveform of that answer."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from hwgq.boards.bitstream import read_built
from hwgq.boards.design import Design
from hwgq.boards.protocol import HEAD_BYTES, HEAD_CYCLES
from hwgq.compile.beats import pack
from hwgq.compile.build_folder import Build
from hwgq.compile.circuits import circuit
from hwgq.compile.gate_level import BoardRun, run_netlist, run_sources
from hwgq.compile.graph import IntArray
from hwgq.compile.netlist import core_map
from hwgq.compile.rerun import CYCLES_BEHIND
from hwgq.compile.schedule import simulate
from hwgq.compile.verilator_run import Trace
from hwgq.compile.waveform import waveform
from hwgq.errors import MismatchError

_BITS = 10  # of a byte on the wire


def trace_board(
    build: Build, error: MismatchError, codes: IntArray, expected: IntArray, path: Path
) -> int:
    """Write what a board did before the first wrong byte of its answer, as FST.

    Parameters
    ----------
    build
        The build, which `hwgq build` was run on.
    error
        What is wrong on one of its rungs, ``"board, rtl"`` and the like; the rung runs
        a circuit.
    codes, expected
        Codes of the frames up to the wrong one, and of the outputs they shall have.
    path
        The file. It begins before the frame's last beat went into the core.

    Returns
    -------
    int
        Clock cycle of the simulation in which the wrong byte has come.

    Raises
    ------
    SimulationError, ToolNotFoundError, ToolFailedError, StorageError
        As :func:`hwgq.compile.gate_level.run_netlist`.
    """
    design = read_built(build.folder)
    with tempfile.TemporaryDirectory() as folder:
        run = _runner(error.rung, build, design, Path(folder))
        found = run(codes)
        byte = _wrong_byte(build, error, expected, found)
        cycle = int(found.answered[error.index[0], byte])
        core = simulate(build.graph, frames=1).latency
        spoken = (byte + 2) * _BITS * design.clocks_per_bit
        first, last = max(0, cycle - core - spoken), cycle + CYCLES_BEHIND
        streams = core_map(build.graph) if error.rung == "board, rtl" else {}
        with waveform(path, streams, core="u_core") as vcd:
            run(codes, trace=Trace(path=vcd, first=first, last=last))
    return cycle


def _runner(
    rung: str, build: Build, design: Design, folder: Path
) -> Callable[..., BoardRun]:
    """Find what runs frames on a rung."""
    form = rung.removeprefix("board, ")
    if form == "rtl":
        return partial(run_sources, build, design)
    netlist = circuit(form, build.folder, design, folder)
    return partial(run_netlist, netlist, build, design)


def _wrong_byte(
    build: Build, error: MismatchError, expected: IntArray, found: BoardRun
) -> int:
    """Find the first byte of an answer that is not what it shall be."""
    if error.layer != "output":
        return HEAD_CYCLES
    result = build.graph.streams[build.graph.output]
    one = slice(error.index[0], error.index[0] + 1)
    right, wrong = (pack(c[one], result).ravel() for c in (expected, found.codes))
    return HEAD_BYTES + int(np.flatnonzero(right != wrong)[0])
