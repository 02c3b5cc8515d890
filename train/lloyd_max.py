# SPDX-License-Identifier: Apache-2.0
"""Codebooks of least squared error for the positive half of a normal variable.

For x ~ N(0, 1) given x > 0, of density w(x) = sqrt(2 / pi) exp(-x^2 / 2), the mass and
the first moment between thresholds have closed forms, and with them the error

    E[(x - Q(x))^2 | x > 0] = 1 - sum 2 q_j M1_j + sum q_j^2 M0_j.

Conditions on a minimum: a threshold lies in the middle between its two levels, but the
paper's form pins the first at 0; a level is the mean of x in its cell, or, of levels
k x step, the step is sum k M1_k / sum k^2 M0_k. The density is log-concave, so free
levels have one such point (Fleischer 1964).

References
----------
Lloyd, Least Squares Quantization in PCM, Bell Laboratories 1957, IEEE Trans. Inf.
Theory 28, 1982. Max, Quantizing for Minimum Distortion, IRE Trans. Inf. Theory 6, 1960.
Fleischer, Sufficient Conditions for Achieving Minimum Distortion in a Quantizer, IEEE
Int. Conv. Rec. 12, 1964. Cai et al., Deep Learning with Low Precision by Half-wave
Gaussian Quantization, CVPR 2017: the half-wave Gaussian quantizer, steps and levels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from hwgq.errors import OptionError
from hwgq.train.options import Form, Spacing, check_choice

MAX_LEVELS = 255
"""The most positive levels that are solved for: 8 bits."""

_PLACE = "Lloyd-Max"
_STEPS = 100
"""26 are the most that any codebook needs."""

_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Codebook:
    """Positive levels, the thresholds at which they begin, and their error.

    Parameters
    ----------
    levels
        Positive levels, ascending, in standard deviations. Below the first threshold
        the value is 0.
    thresholds
        As many; ``levels[j]`` holds from ``thresholds[j]`` to the next one.
    mse
        E[(x - Q(x))^2 | x > 0], in variances.
    """

    levels: tuple[float, ...]
    thresholds: tuple[float, ...]
    mse: float


def solve(
    levels: int, spacing: str = Spacing.UNIFORM, form: str = Form.PAPER
) -> Codebook:
    """Find the levels that minimize the squared error; each is right to 1e-9.

    Parameters
    ----------
    levels
        Number of positive levels, 1 to 255.
    spacing
        One of `Spacing`: multiples of one step, or free.
    form
        One of `Form`: the first threshold is 0, or half of the first level.

    Raises
    ------
    OptionError
        If there is no such codebook.
    """
    check_choice(_PLACE, "spacing", spacing, Spacing)
    check_choice(_PLACE, "form", form, Form)
    if type(levels) is not int or not 1 <= levels <= MAX_LEVELS:
        remedy = f"Choose a whole number from 1 to {MAX_LEVELS}"
        raise OptionError(_PLACE, f"cannot place {levels!r} positive levels", remedy)
    uniform = spacing == Spacing.UNIFORM
    # The levels are a linear map of what is free: one step, or each of them.
    basis = np.arange(1.0, levels + 1)[:, None] if uniform else np.eye(levels)
    free = np.linalg.lstsq(basis, _guess(levels, form))[0]
    for _ in range(_STEPS):
        change = _change(basis, free, form)
        free = free - change
        if np.abs(change).max() < 1e-12:
            return nearest((basis @ free).tolist(), form)
    raise AssertionError(
        f"no optimum of {levels} {spacing} levels after {_STEPS} steps"
    )


def nearest(levels: Sequence[float], form: str = Form.PAPER) -> Codebook:
    """Put the thresholds of a form between given levels.

    Parameters
    ----------
    levels
        Positive levels, ascending, in standard deviations.
    form
        One of `Form`.

    Raises
    ------
    OptionError
        If there is no such form, or the levels do not ascend from 0.
    """
    check_choice(_PLACE, "form", form, Form)
    thresholds = _thresholds(np.array(levels, np.float64), form).tolist()
    mse = half_wave_mse(levels, thresholds)
    return Codebook(tuple(levels), tuple(thresholds), mse)


def half_wave_mse(levels: Sequence[float], thresholds: Sequence[float]) -> float:
    """Compute E[(x - Q(x))^2 | x > 0] in closed form, in variances.

    Parameters
    ----------
    levels
        Values of Q, ascending from 0.
    thresholds
        Where each begins, ascending from 0. Below the first Q is 0.

    Raises
    ------
    OptionError
        If these are not as many finite numbers, or do not ascend from 0.
    """
    both = [np.array(values, np.float64) for values in (levels, thresholds)]
    ascending = all((np.diff(v, prepend=0) >= 0).all() for v in both)
    finite = all(np.isfinite(v).all() for v in both)
    if not (both[0].size == both[1].size > 0 and ascending and finite):
        problem = f"is no codebook: levels {levels}, thresholds {thresholds}"
        raise OptionError(_PLACE, problem, "Give as many of both, ascending from 0")
    mass, first = _moments(both[1])
    return float(1 - 2 * both[0] @ first + both[0] ** 2 @ mass)


def _guess(levels: int, form: str) -> _Array:
    """Start from the density of levels that is best for many, w^(1/3)."""
    first, cells = (0.5, levels) if form == Form.PAPER else (1, levels + 0.5)
    wide = NormalDist(0, math.sqrt(3))
    shares = ((first + index) / cells for index in range(levels))
    return np.array([wide.inv_cdf((1 + share) / 2) for share in shares])


def _thresholds(levels: _Array, form: str) -> _Array:
    middles = levels - np.diff(levels, prepend=0) / 2
    if form == Form.PAPER:
        middles[:1] = 0
    return middles


def _moments(thresholds: _Array) -> tuple[_Array, _Array]:
    """Integrate w and x w from each threshold to the next, the last to infinity."""
    edges = [*thresholds.tolist(), math.inf]
    # Above the edge: far out, differences of erf would lose all digits.
    above = [math.erfc(edge / math.sqrt(2)) for edge in edges]
    return -np.diff(above), -np.diff(_density(np.array(edges)))


def _density(x: _Array) -> _Array:
    result: _Array = math.sqrt(2 / math.pi) * np.exp(-(x**2) / 2)
    return result


def _change(basis: _Array, free: _Array, form: str) -> _Array:
    """Compute Newton's step, or Lloyd's where Newton's would leave the minimum.

    Half the error's gradient is q M0 - M1. Half its second derivative, thresholds
    moving along, is tridiagonal: M0 less a quarter of gap x density at each threshold.
    """
    levels = basis @ free
    thresholds = _thresholds(levels, form)
    mass, first = _moments(thresholds)
    pull = np.diff(levels, prepend=0) * _density(thresholds) / 4
    if form == Form.PAPER:
        pull[0] = 0  # this threshold does not move
    second = np.diag(mass - pull - np.append(pull[1:], 0))
    second -= np.diag(pull[1:], 1) + np.diag(pull[1:], -1)
    gradient: _Array = basis.T @ (levels * mass - first)
    newton = _solve(basis.T @ second @ basis, gradient)
    ascending = np.diff(basis @ (free - newton), prepend=0).min() > 0
    if ascending and gradient @ newton >= 0:
        return newton
    return _solve(basis.T @ np.diag(mass) @ basis, gradient)


def _solve(matrix: _Array, right: _Array) -> _Array:
    return np.linalg.solve(matrix, right).astype(np.float64)
