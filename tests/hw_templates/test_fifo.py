# SPDX-License-Identifier: Apache-2.0
"""The FIFO gives back what it took, at the full rate, made of either storage."""

from pathlib import Path

import numpy as np
import pytest

from hwgq.compile.sim_wrapper import SimPorts
from hwgq.compile.verilator import Simulator, Stalls, build_simulator
from hwgq.errors import ToolFailedError
from hwgq.hw_templates import source

BEATS = 600
# WIDTH, DEPTH, REGISTER_BITS, and the latency that the header promises
POINTS = [
    (8, 1, 128, 1),
    (1, 2, 128, 1),
    (13, 5, 128, 1),
    (70, 2, 0, 1),
    (16, 9, 10_000, 1),
    (5, 3, 0, 2),
    (16, 9, 128, 2),
    (33, 300, 128, 2),
]


def fifo(width: int, depth: int, register_bits: int) -> Simulator:
    parameters = {"WIDTH": width, "DEPTH": depth, "REGISTER_BITS": register_bits}
    ports = SimPorts(width, width)
    return build_simulator(
        [source("hwgq_fifo")], "hwgq_fifo", ports, parameters=parameters
    )


def random_beats(width: int) -> np.ndarray:
    bits = np.random.default_rng(width).integers(0, 2, (BEATS, width), np.uint8)
    return np.packbits(bits, axis=1, bitorder="little")


@pytest.mark.parametrize(("width", "depth", "register_bits", "latency"), POINTS)
def test_beats_leave_in_order_one_a_cycle(
    width: int, depth: int, register_bits: int, latency: int, tmp_path: Path
) -> None:
    simulator, beats = fifo(width, depth, register_bits), random_beats(width)
    run = simulator.run(beats, outputs=BEATS, cwd=tmp_path)
    np.testing.assert_array_equal(run.outputs, beats)
    np.testing.assert_array_equal(np.diff(run.output_cycles), 1)
    assert run.streams["in"].blocked == 0
    assert run.first_output_cycle == latency
    stalled = simulator.run(beats, outputs=BEATS, cwd=tmp_path, stalls=Stalls(seed=1))
    np.testing.assert_array_equal(stalled.outputs, beats)
    assert min(stalled.input_stalls, stalled.output_stalls) > 0.3 * stalled.cycles


@pytest.mark.parametrize("name", ["WIDTH", "DEPTH"])
def test_an_empty_fifo_stops_elaboration(name: str) -> None:
    sizes = {"WIDTH": 1, "DEPTH": 1, name: 0}
    with pytest.raises(ToolFailedError, match=f"{name} must be at least 1"):
        fifo(sizes["WIDTH"], sizes["DEPTH"], 128)
