# SPDX-License-Identifier: Apache-2.0
"""Pooling against NumPy, in the order of a grouped sliding-window generator."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hwgq.compile.sim_wrapper import SimPorts
from hwgq.compile.verilator import Simulator, Stalls, build_simulator
from hwgq.errors import ToolFailedError
from hwgq.hw_templates import source
from tests.hw_templates.wires import from_planes, to_beats, write_image

SOURCES = [source(f"hwgq_{name}") for name in ("fifo", "pool", "rom")]
POSITIONS = 60


@dataclass(frozen=True)
class Point:
    """One point of the grid, and the cycles that it takes to the first output."""

    channels: int
    pe: int
    taps: int
    simd: int
    bits: int
    flip: int
    latency: int = 0

    def build(self) -> Simulator:
        parameters: dict[str, int | str] = {
            **{"CHANNELS": self.channels, "PE": self.pe, "BITS": self.bits},
            **{"TAPS": self.taps, "SIMD": self.simd},
            **{"FLIP": self.flip, "PARAM_FILE": "p.hex"},
        }
        ports = SimPorts(self.simd * self.pe * self.bits, self.pe * self.bits)
        return build_simulator(
            SOURCES, "hwgq_pool", ports, parameters=parameters, optimize=False
        )


POINTS = [
    Point(4, 2, taps=4, simd=1, bits=2, flip=0, latency=5),
    Point(6, 2, taps=4, simd=1, bits=3, flip=1, latency=5),
    Point(3, 3, taps=9, simd=1, bits=1, flip=1, latency=10),
    Point(5, 1, taps=2, simd=1, bits=8, flip=1, latency=3),
    Point(4, 2, taps=1, simd=1, bits=2, flip=1, latency=2),  # nothing but the flips
    Point(2, 2, taps=4, simd=4, bits=2, flip=1, latency=4),
    Point(3, 3, taps=9, simd=3, bits=2, flip=0, latency=6),
    Point(1, 1, taps=9, simd=9, bits=5, flip=0, latency=6),
    Point(32, 32, taps=6, simd=6, bits=2, flip=1, latency=6),  # a FIFO of block RAM
]


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_pool(point: Point, tmp_path: Path) -> None:
    rng = np.random.default_rng(point.taps)
    groups = point.channels // point.pe
    shape = (POSITIONS, groups, point.taps, point.pe)
    codes = rng.integers(0, 2**point.bits, shape)
    flips = rng.integers(0, 2, (groups, point.pe)) * point.flip
    write_image(tmp_path / "p.hex", flips)
    expected = codes.max(axis=2) ^ (2**point.bits - 1) * flips

    simulator = point.build()
    beats = to_beats(codes, point.simd * point.pe, point.bits)
    outputs = POSITIONS * groups
    for stalls in (None, Stalls(seed=3), Stalls(seed=4, share=0.1)):
        run = simulator.run(beats, outputs=outputs, cwd=tmp_path, stalls=stalls)
        found = from_planes(run.outputs, point.pe, point.bits)
        np.testing.assert_array_equal(found.reshape(expected.shape), expected)
        if stalls is None:
            cycles = point.taps // point.simd
            np.testing.assert_array_equal(np.diff(run.output_cycles), cycles)
            assert run.first_output_cycle == point.latency
        else:
            assert min(run.input_stalls, run.output_stalls) > 0


@pytest.mark.parametrize(
    ("point", "message"),
    [
        (Point(4, 3, taps=4, simd=1, bits=2, flip=0), "must divide CHANNELS"),
        (Point(4, 0, taps=4, simd=1, bits=2, flip=0), "must divide CHANNELS"),
        (Point(4, 4, taps=4, simd=3, bits=2, flip=0), "must divide TAPS"),
        (Point(4, 4, taps=0, simd=1, bits=2, flip=0), "must divide TAPS"),
        (Point(4, 2, taps=4, simd=2, bits=2, flip=0), r"PE \(2\) = CHANNELS \(4\)"),
        (Point(4, 2, taps=4, simd=1, bits=0, flip=0), "BITS must be at least 1"),
        (Point(4, 2, taps=4, simd=1, bits=2, flip=2), "FLIP .* must be 0 or 1"),
    ],
    ids=str,
)
def test_bad_parameters_stop_elaboration(point: Point, message: str) -> None:
    with pytest.raises(ToolFailedError, match=message):
        point.build()
