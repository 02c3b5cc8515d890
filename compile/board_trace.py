# SPDX-License-Identifier: Apache-2.0
"""Run a board again that answered wrong, and keep the waveform of that answer."""

import re
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from hwgq.boards.bitstream import read_built
from hwgq.boards.design import Design
from hwgq.boards.flows.flow import GATES
from hwgq.boards.protocol import HEAD_BYTES, HEAD_CYCLES
from hwgq.boards.routed import routed_verilog
from hwgq.boards.unpack import unpack
from hwgq.compile.beats import pack
from hwgq.compile.board_rungs import circuit
from hwgq.compile.build_folder import Build
from hwgq.compile.gate_level import BoardRun, clocks_of, run_netlist, run_sources
from hwgq.compile.graph import IntArray
from hwgq.compile.netlist import core_map
from hwgq.compile.schedule import simulate
from hwgq.compile.verilator_run import Trace
from hwgq.compile.waveform import waveform
from hwgq.errors import MismatchError

CYCLES_BEHIND = 20
_BITS = 10  # of a byte on the wire
_SHORT = 40
_LONG_NAME = re.compile(r"\\\S{40,} ")


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
        spoken = (byte + 2) * _BITS * clocks_of(design)
        first, last = max(0, cycle - core - spoken), cycle + CYCLES_BEHIND
        streams = core_map(build.graph) if error.rung == "board, rtl" else {}
        with waveform(path, streams, core="u_core") as vcd:
            run(codes, trace=Trace(path=vcd, first=first, last=last))
    return cycle


def _runner(
    rung: str, build: Build, design: Design, folder: Path
) -> Callable[..., BoardRun]:
    """Find what runs frames on a rung."""
    match rung.removeprefix("board, "):
        case "rtl":
            return partial(run_sources, build, design)
        case "netlist":
            netlist = folder / "netlist.v"
            netlist.write_text(with_short_names((build.folder / GATES).read_text()))
        case "routed":
            netlist = routed_verilog(build.folder, design.flow, folder)
        case _:
            text = unpack(build.folder, design.flow, folder)
            netlist = circuit(design, text, folder)
    return partial(run_netlist, netlist, build, design)


def with_short_names(netlist: str) -> str:
    """Cut the longest names of a netlist, and make them differ by numbers.

    Verilator makes a hash of a name of more than some hundred letters, and 5.48 stops
    with an internal error where it shall trace it.

    Parameters
    ----------
    netlist
        Verilog as yosys writes it, every unusual name of which is escaped.
    """
    names = dict.fromkeys(_LONG_NAME.findall(netlist))
    short = {name: f"\\{name[1:_SHORT]}#{n} " for n, name in enumerate(names)}
    return _LONG_NAME.sub(lambda found: short[found[0]], netlist)


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
