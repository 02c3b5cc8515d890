# SPDX-License-Identifier: Apache-2.0
"""The width converter regroups elements, plane by plane, as NumPy does."""

from pathlib import Path

import numpy as np
import pytest

from hwgq.compile.sim_wrapper import SimPorts
from hwgq.compile.verilator import Stalls, build_simulator
from hwgq.errors import ToolFailedError
from hwgq.hw_templates import source

ELEMENTS = 960
POINTS = [  # N_IN, N_OUT, B
    (1, 4, 1),
    (4, 16, 2),
    (64, 4, 2),
    (8, 1, 5),
    (4, 4, 3),
    (2, 3, 1),
    (2, 3, 2),
    (6, 4, 5),
    (5, 3, 8),
    (3, 5, 2),
    (10, 8, 1),
    (1, 1, 16),
]


def packed(elements: np.ndarray, beat: int, bits: int) -> np.ndarray:
    """Put bit b of element n of a beat at index b * N + n."""
    beats = elements.reshape(-1, 1, beat) >> np.arange(bits)[:, None] & 1
    planes = beats.reshape(len(beats), -1).astype(np.uint8)
    return np.packbits(planes, axis=1, bitorder="little")


@pytest.mark.parametrize(("n_in", "n_out", "bits"), POINTS)
def test_elements_keep_their_order(
    n_in: int, n_out: int, bits: int, tmp_path: Path
) -> None:
    simulator = build_simulator(
        [source("hwgq_width_converter")],
        "hwgq_width_converter",
        SimPorts(n_in * bits, n_out * bits),
        parameters={"N_IN": n_in, "N_OUT": n_out, "B": bits},
    )
    elements = np.random.default_rng(bits).integers(0, 2**bits, ELEMENTS)
    given, wanted = packed(elements, n_in, bits), packed(elements, n_out, bits)
    run = simulator.run(given, outputs=len(wanted), cwd=tmp_path)
    np.testing.assert_array_equal(run.outputs, wanted)
    # The side with more beats moves one in every cycle; one cycle is the latency.
    assert run.output_cycles[-1] <= max(len(given), len(wanted)) + 1
    stalls = Stalls(seed=2)
    stalled = simulator.run(given, outputs=len(wanted), cwd=tmp_path, stalls=stalls)
    np.testing.assert_array_equal(stalled.outputs, wanted)
    assert min(stalled.input_stalls, stalled.output_stalls) > 0.3 * stalled.cycles


@pytest.mark.parametrize("name", ["N_IN", "N_OUT", "B"])
def test_an_empty_converter_stops_elaboration(name: str) -> None:
    with pytest.raises(ToolFailedError, match=f"{name} must be at least 1"):
        build_simulator(
            [source("hwgq_width_converter")],
            "hwgq_width_converter",
            SimPorts(2, 4),
            parameters={name: 0},
        )
