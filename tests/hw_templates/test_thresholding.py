# SPDX-License-Identifier: Apache-2.0
"""Thresholding against its definition in NumPy, for every code of every channel."""

from pathlib import Path

import numpy as np
import pytest

from hwgq.compile.sim_wrapper import SimPorts
from hwgq.compile.verilator import Simulator, Stalls, build_simulator
from hwgq.errors import ToolFailedError
from hwgq.hw_templates import source
from tests.hw_templates.wires import from_planes, to_beats, write_image

NAMES = ("activation", "fifo", "rom", "thresholding")
SOURCES = [source(f"hwgq_{name}") for name in NAMES]
POINTS = [  # CHANNELS, PE, IN_BITS, STEPS
    (4, 2, 4, 3),
    (6, 6, 5, 1),
    (5, 1, 8, 7),
    (12, 4, 1, 1),
    (1, 1, 2, 2),
    (3, 3, 8, 15),
]


def build(channels: int, pe: int, bits: int, steps: int, thr_bits: int) -> Simulator:
    parameters: dict[str, int | str] = {
        **{"CHANNELS": channels, "PE": pe, "IN_BITS": bits, "STEPS": steps},
        **{"THR_BITS": thr_bits, "OUT_BITS": steps.bit_length()},
        **{"PARAM_FILE": "p.hex", "PARAM_STYLE": "block"},
    }
    ports = SimPorts(pe * bits, pe * steps.bit_length())
    return build_simulator(SOURCES, "hwgq_thresholding", ports, parameters=parameters)


@pytest.mark.parametrize(("channels", "pe", "bits", "steps"), POINTS)
def test_thresholding(
    channels: int, pe: int, bits: int, steps: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(steps)
    thresholds = rng.integers(0, 2**bits + 1, (channels, steps))
    thresholds[0, -1], thresholds[-1, 0] = 2**bits, 0  # never and always reached
    thresholds.sort(axis=1)
    write_image(tmp_path / "p.hex", thresholds.reshape(channels // pe, -1), bits + 1)
    every = np.repeat(np.arange(2**bits)[:, None], channels, axis=1)
    codes = np.tile(rng.permuted(every, axis=0), (12, 1))
    expected = (codes[:, :, None] >= thresholds).sum(axis=2)

    simulator = build(channels, pe, bits, steps, thr_bits=bits + 1)
    beats = to_beats(codes, pe, bits)
    for stalls in (None, Stalls(seed=3)):
        run = simulator.run(beats, outputs=len(beats), cwd=tmp_path, stalls=stalls)
        found = from_planes(run.outputs, pe, steps.bit_length())
        np.testing.assert_array_equal(found.reshape(-1, channels), expected)
        if stalls is None:
            np.testing.assert_array_equal(np.diff(run.output_cycles), 1)
        else:
            assert min(run.input_stalls, run.output_stalls) > 0


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ((4, 3, 4, 3, 5), "must divide CHANNELS"),
        ((4, 2, 4, 3, 3), "must be at least IN_BITS"),
        ((4, 2, 4, 0, 5), "STEPS must be at least 1"),
    ],
)
def test_bad_parameters_stop_elaboration(
    point: tuple[int, int, int, int, int], message: str
) -> None:
    with pytest.raises(ToolFailedError, match=message):
        build(*point)
