# SPDX-License-Identifier: Apache-2.0
"""The VVAU against its arithmetic in NumPy, over every kind of folding."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hwgq.compile.sim_wrapper import SimPorts
from hwgq.compile.verilator import Simulator, Stalls, build_simulator
from hwgq.errors import ToolFailedError
from hwgq.hw_templates import counted, source
from tests.hw_templates.sums import Unit
from tests.hw_templates.wires import to_beats

PIXELS = 6
NAMES = ("activation", "adder_tree", "dot_products", "fifo", "rom", "vvau")
SOURCES = [source(f"hwgq_{name}") for name in NAMES]
GRID = [  # rows are channels, columns are taps
    Unit(mw=9, mh=8, pe=2, simd=1, bits=2, steps=3),
    Unit(mw=9, mh=8, pe=8, simd=3, bits=2, steps=3, weight_bits=2),
    Unit(mw=9, mh=4, pe=4, simd=9, bits=4, steps=0, weight_bits=4, style="lut"),
    Unit(mw=4, mh=3, pe=1, simd=1, bits=8, steps=7, weight_bits=3),
    Unit(mw=1, mh=6, pe=3, simd=1, bits=1, steps=1),  # a result in every cycle
    Unit(mw=6, mh=5, pe=5, simd=2, bits=3, steps=0, weight_bits=8, shift=1),
    Unit(mw=1, mh=1, pe=1, simd=1, bits=2, steps=0),
    Unit(mw=1, mh=4, pe=2, simd=1, bits=13, steps=3),  # of means
]


def build(layer: Unit, sources: Sequence[Path] = SOURCES) -> Simulator:
    parameters = {"CHANNELS": layer.mh, "TAPS": layer.mw, **layer.parameters}
    ports = SimPorts(layer.simd * layer.pe * layer.bits, layer.pe * layer.out_bits)
    return build_simulator(sources, "hwgq_vvau", ports, parameters=parameters)


def in_order(layer: Unit, codes: np.ndarray) -> np.ndarray:
    """Bring codes (pixels, channels, taps) to the order of the stream."""
    groups = codes.reshape(len(codes), -1, layer.pe, layer.mw)
    return groups.swapaxes(2, 3)


@pytest.mark.parametrize("layer", GRID, ids=str)
def test_vvau(layer: Unit, tmp_path: Path) -> None:
    rng = np.random.default_rng(layer.mw * layer.mh)
    codes = rng.integers(0, 2**layer.bits, (PIXELS, layer.mh, layer.mw))
    codes[0], codes[-1] = 2**layer.bits - 1, 0  # the largest S, and 0
    weights = layer.draw_weights(rng)
    sums = layer.terms(codes, weights).sum(axis=2)
    parameters = layer.draw_parameters(sums, rng)
    assert sums.max() == layer.largest
    assert sums.min() == 0
    layer.write_images(weights, parameters, tmp_path)
    expected = layer.expect(sums, parameters)
    simulator, groups = build(layer), layer.mh // layer.pe

    beats = to_beats(in_order(layer, codes), layer.simd * layer.pe, layer.bits)
    run = simulator.run(beats, outputs=PIXELS * groups, cwd=tmp_path)
    np.testing.assert_array_equal(layer.read(run.outputs), expected)
    interval = layer.mw // layer.simd
    np.testing.assert_array_equal(np.diff(run.output_cycles), interval)

    many, stalls = np.tile(beats, (20, 1)), Stalls(5)
    stalled = simulator.run(
        many, outputs=20 * PIXELS * groups, cwd=tmp_path, stalls=stalls
    )
    found = layer.read(stalled.outputs)
    np.testing.assert_array_equal(found, np.tile(expected, (20, 1)))
    assert min(stalled.input_stalls, stalled.output_stalls) > 0.2 * stalled.cycles

    faster = build(layer, counted(SOURCES)).run(
        many, outputs=20 * PIXELS * groups, cwd=tmp_path, stalls=stalls
    )
    np.testing.assert_array_equal(faster.outputs, stalled.outputs)
    np.testing.assert_array_equal(faster.output_cycles, stalled.output_cycles)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Unit(mw=9, mh=6, pe=4, simd=1, bits=2, steps=3), "must divide CHANNELS"),
        (Unit(mw=9, mh=6, pe=6, simd=2, bits=2, steps=3), "must divide TAPS"),
        (Unit(mw=9, mh=6, pe=3, simd=3, bits=2, steps=3), "unless PE is CHANNELS"),
        (Unit(mw=9, mh=6, pe=3, simd=1, bits=33, steps=3), "must be 1 to 32"),
        (Unit(mw=9, mh=6, pe=3, simd=1, bits=2, steps=3, weight_bits=17), "1 to 16"),
        (Unit(mw=9, mh=6, pe=3, simd=1, bits=2, steps=3, shift=1), "SHIFT"),
        (Unit(mw=9, mh=6, pe=3, simd=1, bits=2, steps=3, style="no"), "STYLE"),
    ],
)
def test_bad_parameters_stop_elaboration(wrong: Unit, message: str) -> None:
    with pytest.raises(ToolFailedError, match=message):
        build(wrong)
