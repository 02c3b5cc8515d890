# SPDX-License-Identifier: Apache-2.0
"""What the units of dot products compute, in NumPy, and what their memories hold."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.hw_templates.wires import Bytes, Ints, from_fields, from_planes, write_image


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Rows of weights, their folding, bits of a code and of a weight, thresholds."""

    mw: int
    mh: int
    pe: int
    simd: int
    bits: int
    steps: int
    weight_bits: int = 1
    shift: int = 0
    style: str = "block"

    @property
    def largest(self) -> int:
        top: int = 2 ** (self.weight_bits - 1)
        return self.mw * top * (2**self.bits - 1)

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

    @property
    def parameters(self) -> dict[str, int | str]:
        """What every module of this kind takes, under its name there."""
        return {
            **{"PE": self.pe, "SIMD": self.simd},
            **{"IN_BITS": self.bits, "STEPS": self.steps, "SHIFT": self.shift},
            **{"WEIGHT_BITS": self.weight_bits},
            **{"ACC_BITS": self.acc_bits, "OUT_BITS": self.out_bits},
            **{"WEIGHT_FILE": "w.hex", "WEIGHT_STYLE": self.style},
            **{"PARAM_FILE": "p.hex", "PARAM_STYLE": self.style},
        }

    def draw_weights(self, rng: np.random.Generator) -> Ints:
        """Draw weights, shape (rows, columns); the first and last row are extreme."""
        top = 2 ** (self.weight_bits - 1)
        low, high = (0, 1) if self.weight_bits == 1 else (-top, top - 1)
        weights = rng.integers(low, high + 1, (self.mh, self.mw))
        weights[-1], weights[0] = high, low
        return weights

    def terms(self, codes: Ints, weights: Ints) -> Ints:
        """Compute what each code under its weight adds to S."""
        most = 2**self.bits - 1
        if self.weight_bits == 1:
            return codes ^ (most * (1 - weights))
        offset: int = 2 ** (self.weight_bits - 1) * most
        return codes * weights + offset * (weights < 0)

    def draw_parameters(self, sums: Ints, rng: np.random.Generator) -> Ints:
        """Draw thresholds around what occurs, or biases; shape (rows, fields)."""
        if not self.steps:
            half = 2 ** (self.out_bits - 2)
            return rng.integers(-half, half, (self.mh, 1))
        picks = rng.integers(0, len(sums), (self.mh, self.steps))
        near = np.take_along_axis(sums.T, picks, axis=1)
        thresholds = np.clip(near + rng.integers(0, 2, picks.shape), 0, self.largest)
        thresholds[0, -1] = self.largest + 1  # never reached
        thresholds[-1, 0] = 0  # always
        return np.sort(thresholds, axis=1)

    def expect(self, sums: Ints, parameters: Ints) -> Ints:
        if self.steps:
            return np.asarray((sums[:, :, None] >= parameters[None]).sum(axis=2))
        return (sums << self.shift) + parameters[None, :, 0]

    def write_images(self, weights: Ints, parameters: Ints, folder: Path) -> None:
        nf, sf = self.mh // self.pe, self.mw // self.simd
        planes = weights >> np.arange(self.weight_bits)[:, None, None] & 1
        folds = planes.reshape(-1, nf, self.pe, sf, self.simd)
        words = folds.transpose(1, 3, 0, 2, 4).reshape(nf * sf, -1)
        write_image(folder / "w.hex", words)
        width = self.acc_bits if self.steps else self.out_bits
        write_image(folder / "p.hex", parameters.reshape(nf, -1), width)

    def read(self, beats: Bytes) -> Ints:
        """Read results, shape (vectors, rows)."""
        decode = from_planes if self.steps else from_fields
        return decode(beats, self.pe, self.out_bits).reshape(-1, self.mh)
