# SPDX-License-Identifier: Apache-2.0
"""The MVAU against its arithmetic in NumPy, over every kind of folding."""

import math
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

FRAMES = 6
NAMES = ("activation", "adder_tree", "dot_products", "fifo", "mvau", "rom")
SOURCES = [source(f"hwgq_{name}") for name in NAMES]


def build(layer: Unit, sources: Sequence[Path] = SOURCES) -> Simulator:
    parameters = {"MW": layer.mw, "MH": layer.mh, **layer.parameters}
    ports = SimPorts(layer.simd * layer.bits, layer.pe * layer.out_bits)
    return build_simulator(sources, "hwgq_mvau", ports, parameters=parameters)


GRID = [
    Unit(mw=64, mh=64, pe=16, simd=16, bits=2, steps=3),
    Unit(mw=64, mh=64, pe=8, simd=64, bits=5, steps=3),  # SF = 1
    Unit(mw=64, mh=10, pe=10, simd=8, bits=2, steps=0),  # NF = 1
    Unit(mw=64, mh=4, pe=4, simd=64, bits=2, steps=3, style="lut"),  # both 1
    Unit(mw=64, mh=4, pe=4, simd=64, bits=1, steps=0, shift=1),
    Unit(mw=5, mh=6, pe=1, simd=1, bits=2, steps=3),
    Unit(mw=5, mh=6, pe=3, simd=5, bits=3, steps=7),
    Unit(mw=7, mh=3, pe=3, simd=1, bits=1, steps=1),
    Unit(mw=85, mh=4, pe=2, simd=17, bits=2, steps=3),
    Unit(mw=85, mh=2, pe=1, simd=85, bits=8, steps=15),
    Unit(mw=1, mh=1, pe=1, simd=1, bits=1, steps=1),
    Unit(mw=1, mh=8, pe=2, simd=1, bits=8, steps=255),
    Unit(mw=6, mh=4, pe=2, simd=2, bits=3, steps=2),  # SF = 3
    Unit(mw=33, mh=9, pe=3, simd=33, bits=2, steps=0),
    Unit(mw=40, mh=6, pe=2, simd=4, bits=8, steps=0, shift=1, style="lut"),  # SF = 10
    Unit(mw=20, mh=5, pe=1, simd=4, bits=1, steps=5),
    Unit(mw=64, mh=8, pe=4, simd=16, bits=2, steps=3, weight_bits=2),  # one LUT a bit
    Unit(mw=20, mh=6, pe=2, simd=5, bits=2, steps=3, weight_bits=3),
    Unit(mw=12, mh=4, pe=2, simd=3, bits=4, steps=15, weight_bits=4),
    Unit(mw=10, mh=3, pe=3, simd=10, bits=8, steps=0, weight_bits=8),
    Unit(mw=6, mh=4, pe=1, simd=1, bits=1, steps=1, weight_bits=8),
    Unit(mw=9, mh=4, pe=2, simd=9, bits=8, steps=3, weight_bits=2),
    Unit(mw=16, mh=5, pe=5, simd=4, bits=3, steps=0, weight_bits=8, shift=1),
    Unit(mw=5, mh=1, pe=1, simd=5, bits=1, steps=1, weight_bits=2),
    Unit(mw=4, mh=3, pe=3, simd=2, bits=13, steps=3, weight_bits=8),  # of means
]


@pytest.mark.parametrize("layer", GRID, ids=str)
def test_mvau(layer: Unit, tmp_path: Path) -> None:
    rng = np.random.default_rng(math.prod((layer.mw, layer.mh, layer.pe)))
    codes = rng.integers(0, 2**layer.bits, (FRAMES, layer.mw))
    weights = layer.draw_weights(rng)
    codes[0], codes[-1] = 2**layer.bits - 1, 0  # the largest S, and 0
    sums = layer.terms(codes[:, None], weights).sum(axis=2)
    parameters = layer.draw_parameters(sums, rng)
    assert sums.max() == layer.largest
    assert sums.min() == 0
    layer.write_images(weights, parameters, tmp_path)
    simulator, outputs = build(layer), FRAMES * layer.mh // layer.pe

    beats = to_beats(codes, layer.simd, layer.bits)
    run = simulator.run(beats, outputs=outputs, cwd=tmp_path)
    expected = layer.expect(sums, parameters)
    np.testing.assert_array_equal(layer.read(run.outputs), expected)
    frame_ends = run.output_cycles[layer.mh // layer.pe - 1 :: layer.mh // layer.pe]
    np.testing.assert_array_equal(np.diff(frame_ends), layer.cycles)

    stalled = simulator.run(
        np.tile(beats, (20, 1)), outputs=20 * outputs, cwd=tmp_path, stalls=Stalls(5)
    )
    found = layer.read(stalled.outputs)
    np.testing.assert_array_equal(found, np.tile(expected, (20, 1)))

    faster = build(layer, counted(SOURCES)).run(
        np.tile(beats, (20, 1)), outputs=20 * outputs, cwd=tmp_path, stalls=Stalls(5)
    )
    np.testing.assert_array_equal(faster.outputs, stalled.outputs)
    np.testing.assert_array_equal(faster.output_cycles, stalled.output_cycles)
    assert min(stalled.input_stalls, stalled.output_stalls) > 0.2 * stalled.cycles


def test_a_slow_sink_stops_the_source_and_loses_nothing(tmp_path: Path) -> None:
    layer = GRID[3]
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2**layer.bits, (300, layer.mw))
    weights = layer.draw_weights(rng)
    sums = layer.terms(codes[:, None], weights).sum(axis=2)
    parameters = layer.draw_parameters(sums, rng)
    layer.write_images(weights, parameters, tmp_path)
    beats = to_beats(codes, layer.simd, layer.bits)
    run = build(layer).run(beats, outputs=300, cwd=tmp_path, stalls=Stalls(1, 0.8))
    expected = layer.expect(sums, parameters)
    np.testing.assert_array_equal(layer.read(run.outputs), expected)
    assert run.streams["in"].blocked > 100


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Unit(mw=8, mh=6, pe=4, simd=4, bits=2, steps=3), "must divide MH"),
        (Unit(mw=8, mh=6, pe=3, simd=3, bits=2, steps=3), "must divide MW"),
        (Unit(mw=8, mh=6, pe=3, simd=4, bits=33, steps=3), "must be 1 to 32"),
        (Unit(mw=8, mh=6, pe=3, simd=4, bits=2, steps=3, shift=1), "SHIFT"),
        (Unit(mw=8, mh=6, pe=3, simd=4, bits=2, steps=3, weight_bits=17), "1 to 16"),
        (Unit(mw=8, mh=6, pe=3, simd=4, bits=2, steps=3, style="no"), "STYLE"),
    ],
)
def test_bad_parameters_stop_elaboration(wrong: Unit, message: str) -> None:
    with pytest.raises(ToolFailedError, match=message):
        build(wrong)
