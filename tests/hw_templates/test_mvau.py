# SPDX-License-Identifier: Apache-2.0
"""The MVAU against its arithmetic in NumPy, over every kind of folding."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hwgq.compile.verilator import SimPorts, Simulator, Stalls, build_simulator
from hwgq.errors import ToolFailedError
from hwgq.hw_templates import source
from tests.hw_templates.wires import (
    Bytes,
    Ints,
    from_fields,
    from_planes,
    to_beats,
    write_image,
)

FRAMES = 6
SOURCES = [source(f"hwgq_{name}") for name in ("adder_tree", "fifo", "mvau", "rom")]


@dataclass(frozen=True)
class Layer:
    """One point of the grid: columns, rows, folding, bits of a code, thresholds."""

    mw: int
    mh: int
    pe: int
    simd: int
    bits: int
    steps: int
    shift: int = 0
    style: str = "block"

    @property
    def largest(self) -> int:
        return int(self.mw * (2**self.bits - 1))

    @property
    def acc_bits(self) -> int:
        """Wide enough for a threshold that is never reached."""
        return (self.largest + bool(self.steps)).bit_length()

    @property
    def out_bits(self) -> int:
        if self.steps:
            return self.steps.bit_length()
        return (self.largest << self.shift + 1).bit_length() + 1

    @property
    def cycles(self) -> int:
        return self.mh // self.pe * (self.mw // self.simd)

    def build(self) -> Simulator:
        parameters: dict[str, int | str] = {
            **{"MW": self.mw, "MH": self.mh, "PE": self.pe, "SIMD": self.simd},
            **{"IN_BITS": self.bits, "STEPS": self.steps, "SHIFT": self.shift},
            **{"ACC_BITS": self.acc_bits, "OUT_BITS": self.out_bits},
            **{"WEIGHT_FILE": "w.hex", "WEIGHT_STYLE": self.style},
            **{"PARAM_FILE": "p.hex", "PARAM_STYLE": self.style},
        }
        ports = SimPorts(self.simd * self.bits, self.pe * self.out_bits)
        return build_simulator(SOURCES, "hwgq_mvau", ports, parameters=parameters)


GRID = [
    Layer(mw=64, mh=64, pe=16, simd=16, bits=2, steps=3),
    Layer(mw=64, mh=64, pe=8, simd=64, bits=5, steps=3),  # SF = 1
    Layer(mw=64, mh=10, pe=10, simd=8, bits=2, steps=0),  # NF = 1
    Layer(mw=64, mh=4, pe=4, simd=64, bits=2, steps=3, style="lut"),  # both 1
    Layer(mw=64, mh=4, pe=4, simd=64, bits=1, steps=0, shift=1),
    Layer(mw=5, mh=6, pe=1, simd=1, bits=2, steps=3),
    Layer(mw=5, mh=6, pe=3, simd=5, bits=3, steps=7),
    Layer(mw=7, mh=3, pe=3, simd=1, bits=1, steps=1),
    Layer(mw=85, mh=4, pe=2, simd=17, bits=2, steps=3),
    Layer(mw=85, mh=2, pe=1, simd=85, bits=8, steps=15),
    Layer(mw=1, mh=1, pe=1, simd=1, bits=1, steps=1),
    Layer(mw=1, mh=8, pe=2, simd=1, bits=8, steps=255),
    Layer(mw=6, mh=4, pe=2, simd=2, bits=3, steps=2),  # SF = 3
    Layer(mw=33, mh=9, pe=3, simd=33, bits=2, steps=0),
    Layer(mw=40, mh=6, pe=2, simd=4, bits=8, steps=0, shift=1, style="lut"),  # SF = 10
    Layer(mw=20, mh=5, pe=1, simd=4, bits=1, steps=5),
]


def weighted_popcount(layer: Layer, codes: Ints, weights: Ints) -> Ints:
    """Compute S, shape (frames, rows), from the definition, bit by bit."""
    mask = 2**layer.bits - 1
    terms = codes[:, None, :] ^ (mask * (1 - weights))[None]
    return np.asarray(terms.sum(axis=2))


def make_parameters(layer: Layer, sums: Ints, rng: np.random.Generator) -> Ints:
    """Draw thresholds around what occurs, or biases; shape (rows, fields)."""
    if not layer.steps:
        half = 2 ** (layer.out_bits - 2)
        return rng.integers(-half, half, (layer.mh, 1))
    picks = rng.integers(0, len(sums), (layer.mh, layer.steps))
    near = np.take_along_axis(sums.T, picks, axis=1) + rng.integers(0, 2, picks.shape)
    thresholds = np.clip(near, 0, layer.largest + 1)
    thresholds[0, -1] = layer.largest + 1  # never reached
    thresholds[-1, 0] = 0  # always
    return np.sort(thresholds, axis=1)


def expect(layer: Layer, sums: Ints, parameters: Ints) -> Ints:
    if layer.steps:
        return np.asarray((sums[:, :, None] >= parameters[None]).sum(axis=2))
    return (sums << layer.shift) + parameters[None, :, 0]


def write_images(layer: Layer, weights: Ints, parameters: Ints, folder: Path) -> None:
    nf, sf = layer.mh // layer.pe, layer.mw // layer.simd
    folds = weights.reshape(nf, layer.pe, sf, layer.simd).transpose(0, 2, 1, 3)
    write_image(folder / "w.hex", folds.reshape(nf * sf, -1))
    width = layer.acc_bits if layer.steps else layer.out_bits
    write_image(folder / "p.hex", parameters.reshape(nf, -1), width)


def read(layer: Layer, beats: Bytes) -> Ints:
    decode = from_planes if layer.steps else from_fields
    return decode(beats, layer.pe, layer.out_bits).reshape(-1, layer.mh)


@pytest.mark.parametrize("layer", GRID, ids=str)
def test_mvau(layer: Layer, tmp_path: Path) -> None:
    rng = np.random.default_rng(math.prod((layer.mw, layer.mh, layer.pe)))
    codes = rng.integers(0, 2**layer.bits, (FRAMES, layer.mw))
    weights = rng.integers(0, 2, (layer.mh, layer.mw))
    weights[0], weights[-1] = 1, 0
    codes[0], codes[-1] = 2**layer.bits - 1, 0  # the largest S, and 0
    sums = weighted_popcount(layer, codes, weights)
    parameters = make_parameters(layer, sums, rng)
    assert sums.max() == layer.largest
    assert sums.min() == 0
    write_images(layer, weights, parameters, tmp_path)
    simulator, outputs = layer.build(), FRAMES * layer.mh // layer.pe

    beats = to_beats(codes, layer.simd, layer.bits)
    run = simulator.run(beats, outputs=outputs, cwd=tmp_path)
    expected = expect(layer, sums, parameters)
    np.testing.assert_array_equal(read(layer, run.outputs), expected)
    frame_ends = run.output_cycles[layer.mh // layer.pe - 1 :: layer.mh // layer.pe]
    np.testing.assert_array_equal(np.diff(frame_ends), layer.cycles)

    stalled = simulator.run(
        np.tile(beats, (20, 1)), outputs=20 * outputs, cwd=tmp_path, stalls=Stalls(5)
    )
    found = read(layer, stalled.outputs)
    np.testing.assert_array_equal(found, np.tile(expected, (20, 1)))
    assert min(stalled.input_stalls, stalled.output_stalls) > 0.2 * stalled.cycles


def test_a_slow_sink_stops_the_source_and_loses_nothing(tmp_path: Path) -> None:
    layer = GRID[3]
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2**layer.bits, (300, layer.mw))
    weights = rng.integers(0, 2, (layer.mh, layer.mw))
    sums = weighted_popcount(layer, codes, weights)
    parameters = make_parameters(layer, sums, rng)
    write_images(layer, weights, parameters, tmp_path)
    beats = to_beats(codes, layer.simd, layer.bits)
    run = layer.build().run(beats, outputs=300, cwd=tmp_path, stalls=Stalls(1, 0.8))
    expected = expect(layer, sums, parameters)
    np.testing.assert_array_equal(read(layer, run.outputs), expected)
    assert run.streams["in"].blocked > 100


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Layer(mw=8, mh=6, pe=4, simd=4, bits=2, steps=3), "must divide MH"),
        (Layer(mw=8, mh=6, pe=3, simd=3, bits=2, steps=3), "must divide MW"),
        (Layer(mw=8, mh=6, pe=3, simd=4, bits=9, steps=3), "must be 1 to 8"),
        (Layer(mw=8, mh=6, pe=3, simd=4, bits=2, steps=3, shift=1), "SHIFT"),
        (Layer(mw=8, mh=6, pe=3, simd=4, bits=2, steps=3, style="no"), "STYLE"),
    ],
)
def test_bad_parameters_stop_elaboration(wrong: Layer, message: str) -> None:
    with pytest.raises(ToolFailedError, match=message):
        wrong.build()
