# SPDX-License-Identifier: Apache-2.0
"""The sum over a frame's pixels against NumPy."""

from pathlib import Path

import numpy as np
import pytest

from hwgq.compile.sim_wrapper import SimPorts
from hwgq.compile.verilator import Simulator, Stalls, build_simulator
from hwgq.errors import ToolFailedError
from hwgq.hw_templates import source
from tests.hw_templates.wires import from_planes, to_beats

FRAMES = 5
SOURCES = [source(f"hwgq_{name}") for name in ("fifo", "sum_pool")]
POINTS = [  # CHANNELS, PIXELS, PE, IN_BITS
    (4, 4, 2, 2),
    (6, 49, 6, 4),
    (5, 3, 1, 8),
    (16, 2, 1, 1),
    (17, 5, 1, 2),  # in block RAM
    (40, 1, 2, 3),
    (1, 9, 1, 5),
    (3, 1, 3, 2),
]


def build(channels: int, pixels: int, pe: int, bits: int, out_bits: int) -> Simulator:
    parameters: dict[str, int | str] = {
        **{"CHANNELS": channels, "PIXELS": pixels, "PE": pe},
        **{"IN_BITS": bits, "OUT_BITS": out_bits},
    }
    ports = SimPorts(pe * bits, pe * out_bits)
    return build_simulator(SOURCES, "hwgq_sum_pool", ports, parameters=parameters)


@pytest.mark.parametrize(("channels", "pixels", "pe", "bits"), POINTS)
def test_sum_pool(
    channels: int, pixels: int, pe: int, bits: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(channels)
    codes = rng.integers(0, 2**bits, (8 * FRAMES, pixels, channels))
    codes[0], codes[1] = 2**bits - 1, 0
    expected = codes.sum(axis=1)
    out_bits = int(expected.max()).bit_length()
    simulator, groups = build(channels, pixels, pe, bits, out_bits), channels // pe
    beats = to_beats(codes, pe, bits)
    for stalls in (None, Stalls(seed=3), Stalls(1, 0.8)):
        run = simulator.run(
            beats, outputs=8 * FRAMES * groups, cwd=tmp_path, stalls=stalls
        )
        found = from_planes(run.outputs, pe, out_bits).reshape(-1, channels)
        np.testing.assert_array_equal(found, expected)
        if stalls is None:
            ends = run.output_cycles[groups - 1 :: groups]
            np.testing.assert_array_equal(np.diff(ends), pixels * groups)
        else:
            assert min(run.input_stalls, run.output_stalls) > 0


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ((4, 4, 3, 2, 4), "must divide CHANNELS"),
        ((4, 0, 2, 2, 4), "PIXELS must be at least 1"),
        ((4, 4, 2, 2, 1), "must be at least IN_BITS"),
    ],
)
def test_bad_parameters_stop_elaboration(
    point: tuple[int, int, int, int, int], message: str
) -> None:
    with pytest.raises(ToolFailedError, match=message):
        build(*point)
