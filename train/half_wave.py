# SPDX-License-Identifier: Apache-2.0
"""Half-wave Gaussian quantizers as numbers: levels, values, thresholds.

References
----------
Cai et al., Deep Learning with Low Precision by Half-wave Gaussian Quantization,
CVPR 2017, equations 7 to 9.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from hwgq.errors import OptionError
from hwgq.train.lloyd_max import solve
from hwgq.train.options import (
    PUBLISHED_LEVELS,
    PUBLISHED_STEPS,
    Backward,
    Form,
    Spacing,
    check_choice,
)

LEVELS = (1, 2, 3, 7, 15)
"""Numbers of positive levels that a quantizer can have."""

DIGITS = 4
"""Decimals of steps and levels that were not published, and so are ours to round."""

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class HalfWave:
    """A half-wave quantizer: its level is the number of thresholds that x reaches.

    In the paper's form the thresholds t are 0 and the middle between any two
    neighbouring positive levels, and x must lie above them: ``x > t``. In the form of
    rounding, level(x) is round(x / step), ties to even, in float32.

    Parameters
    ----------
    levels
        Number of positive levels, one of `LEVELS`.
    backward
        Gradient of the staircase, one of `Backward`.
    spacing, form
        Where levels and first threshold lie, see `Spacing` and `Form`.

    Raises
    ------
    OptionError
        If there is no such quantizer.
    """

    levels: int = 3
    backward: str = Backward.CLIPPED
    spacing: str = Spacing.UNIFORM
    form: str = Form.PAPER

    def __post_init__(self) -> None:
        """Refuse what does not exist."""
        check_choice("HWGQ", "number of levels", self.levels, LEVELS)
        check_choice("HWGQ", "backward", self.backward, Backward)
        check_choice("HWGQ", "spacing", self.spacing, Spacing)
        check_choice("HWGQ", "form", self.form, Form)

    @property
    def bits(self) -> int:
        """Bits of a level."""
        return self.levels.bit_length()

    @property
    def uniform(self) -> bool:
        """Whether the value of a level is level x step."""
        return self.spacing == Spacing.UNIFORM

    @cached_property
    def values(self) -> Float32:
        """Values of the levels 0, 1, ..., shape (levels + 1,)."""
        if self.uniform:
            return np.arange(self.levels + 1, dtype=np.float32) * np.float32(self.step)
        published = PUBLISHED_LEVELS if self.form == Form.PAPER else {}
        found = published.get(self.levels) or _optimum(self)
        return np.array([0.0, *found], np.float32)

    @cached_property
    def step(self) -> float:
        """Value of level 1, a float32 number."""
        if not self.uniform:
            return float(self.values[1])
        published = PUBLISHED_STEPS if self.form == Form.PAPER else {}
        return float(np.float32(published.get(self.levels) or _optimum(self)[0]))

    @property
    def top_value(self) -> float:
        """Value of the highest level, the paper's q_m, a float32 number."""
        return float(self.values[-1])

    @cached_property
    def strict_thresholds(self) -> Float32:
        """The float32 numbers t, shape (levels,), that x must exceed: ``x > t``."""
        if self.form == Form.ROUND and self.uniform:
            return np.nextafter(_rounding_thresholds(self), np.float32(-np.inf))
        # In float64, as the step's decimals say: 1.5 x 0.538 is 0.807.
        values = [round(float(value), DIGITS) for value in self.values]
        middles = [(low + high) / 2 for low, high in pairwise(values)]
        first = 0.0 if self.form == Form.PAPER else middles[0]
        return np.array([first, *middles[1:]], np.float32)

    @property
    def thresholds(self) -> Float32:
        """The float32 numbers next above t, shape (levels,), compared by ``x >= T``.

        For float32 x the same as ``x > t``; this is what network.onnx stores. In the
        paper's form the first is a denormal number, which must not be flushed to zero.
        """
        return np.nextafter(self.strict_thresholds, np.float32(np.inf))


def from_bits(
    bits: int | None, levels: int | None, backward: str, spacing: str, form: str
) -> HalfWave:
    """Make the quantizer that has so many bits, 2 by default, or so many levels.

    Raises
    ------
    OptionError
        If there is none, or both are given and do not agree.
    """
    if bits is not None:
        check_choice("HWGQ", "number of bits", bits, (1, 2, 3, 4))
    chosen = levels if levels is not None else 2 ** (bits or 2) - 1
    quantizer = HalfWave(chosen, backward, spacing, form)
    if bits is not None and quantizer.bits != bits:
        problem = f"cannot have {levels} levels in {bits} bits"
        raise OptionError("HWGQ", problem, "Give one of the two")
    return quantizer


def _optimum(quantizer: HalfWave) -> tuple[float, ...]:
    """Round the levels that minimize the squared error over the half Gaussian."""
    found = solve(quantizer.levels, quantizer.spacing, quantizer.form).levels
    return tuple(round(level, DIGITS) for level in found)


def _rounding_thresholds(quantizer: HalfWave) -> Float32:
    """Find the least float32 x whose x / step, in float32, rounds to 1, 2, ..."""
    step = np.float32(quantizer.step)
    found = []
    for level in range(1, quantizer.levels + 1):
        x = np.float32((level - 0.5) * quantizer.step)
        while np.rint(x / step) >= level:
            x = np.nextafter(x, np.float32(-np.inf))
        while np.rint(x / step) < level:
            x = np.nextafter(x, np.float32(np.inf))
        found.append(x)
    return np.array(found, np.float32)
