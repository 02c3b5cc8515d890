# SPDX-License-Identifier: Apache-2.0
"""Hold the RTL of a random network equal to emulation, and to the model of its cycles.

Each network is a Verilator build of its own: that takes 0.1 s, g++ without optimization
1.4 s, nine tenths of them for Verilator's headers, and the cycles 0.02 s.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgq.compile.boundary import boundary_layers, boundary_vectors
from hwgq.compile.emulate import emulate
from hwgq.compile.graph import Graph
from hwgq.compile.netlist import write_rtl
from hwgq.compile.schedule import initiation_interval, simulate
from hwgq.compile.simulate_rtl import Watch, simulate_rtl, write_isolated_rtl
from hwgq.compile.verilator import Stalls

ROUNDS = 2
"""Times that the frames are given, one directly behind the other."""
SETTLED = 5
"""Frames in a row, the last ones, over which the interval is measured."""
PACE = 0.98
"""Least part of the rate of the slowest layer."""


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """How much was compared.

    Parameters
    ----------
    values
        Codes of streams, of all runs, and those of single layers at their boundaries.
    cycles
        Clock cycles of the whole network, of all runs.
    pace
        The slowest layer's cycles a frame, by the measured ones.
    """

    values: int
    cycles: int
    pace: float


def hold_rtl(graph: Graph, frames, stalls: Stalls) -> Simulated:
    """Run frames through the RTL of a graph, without stalls and with.

    Parameters
    ----------
    graph
        A graph after all passes.
    frames
        Codes of its input.
    stalls
        Pauses at both ends.

    Raises
    ------
    AssertionError
        If a code of a stream differs from emulation, or a frame's last cycle from the
        model, or frames follow each other too slowly.
    """
    codes = np.tile(frames, (ROUNDS, *(1,) * (frames.ndim - 1)))
    expected = emulate(graph, codes)
    values = cycles = 0
    with tempfile.TemporaryDirectory() as folder:
        rtl = Path(folder) / "rtl"
        write_rtl(graph, rtl)
        for pauses in (None, stalls):
            found = simulate_rtl(graph, rtl, codes, stalls=pauses, optimize=False)
            assert set(found.codes) == set(graph.streams)
            for name, wanted in expected.items():
                np.testing.assert_array_equal(found.codes[name], wanted, name)
                values += wanted.size
            cycles += found.run.cycles
            if pauses is None:
                pace = _hold_schedule(graph, found.run, len(codes))
        values += _hold_boundaries(graph, rtl)
    return Simulated(values=values, cycles=cycles, pace=pace)


def _hold_schedule(graph, run, frames):
    """Compare every frame's last cycle with the model; return the pace."""
    schedule, beats = simulate(graph, frames=frames), graph.streams[graph.output].beats
    ends = run.output_cycles[beats - 1 :: beats]
    assert run.first_output_cycle == schedule.first_output
    np.testing.assert_array_equal(ends, schedule.ends)
    measured = float(ends[-1] - ends[-1 - SETTLED]) / SETTLED
    pace = initiation_interval(graph) / measured
    assert pace >= PACE, f"{measured} cycles a frame, not {initiation_interval(graph)}"
    return pace


def _hold_boundaries(graph, rtl):
    """Run each layer's hardware alone on both sides of all its thresholds."""
    values = 0
    for layer in boundary_layers(graph):
        codes = boundary_vectors(graph, layer)
        with tempfile.TemporaryDirectory() as folder:
            alone = write_isolated_rtl(graph, layer, rtl, Path(folder))
            found = simulate_rtl(
                alone, Path(folder), codes, watch=Watch.ENDS, optimize=False
            ).codes[alone.output]
        wanted = emulate(alone, codes)[alone.output]
        np.testing.assert_array_equal(found, wanted, layer.name)
        values += wanted.size
    return values
