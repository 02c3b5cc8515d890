# SPDX-License-Identifier: Apache-2.0
"""Find integer thresholds by evaluating the very chain, never by float algebra.

Every chain is monotone in the accumulator, channel by channel, so that bisection over
the reachable accumulators finds the first one that reaches each level (design 4.5).
"""

from dataclasses import dataclass

import numpy as np

from hwgq.compile.graph import IntArray
from hwgq.compile.network import BoolArray, Section
from hwgq.errors import UnsupportedLayerError


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerThresholds:
    """Thresholds that say the same as chain and quantizer.

    Parameters
    ----------
    thresholds
        int64 of shape (channels, steps): the code, as it is before a pooling, is how
        many of its row the (flipped) accumulator reaches. "Never" lies one step above
        the largest accumulator.
    flipped
        Channels, shape (channels,), whose accumulator must be negated first, because
        their chain decreases.
    """

    thresholds: IntArray
    flipped: BoolArray


def accumulator_bounds(section: Section) -> tuple[IntArray, IntArray]:
    """Give the smallest and largest accumulator of each channel."""
    kind = section.input_type
    if section.dot is not None:
        return section.dot.bounds(kind)
    low, high = (int(kind.values(np.asarray(c))) for c in (kind.low, kind.high))
    return np.full(section.channels, low), np.full(section.channels, high)


def decreasing(section: Section) -> BoolArray:
    """Tell of which channels the code falls while the accumulator rises."""
    low, high = section.inner_codes(np.stack(accumulator_bounds(section)))
    return np.asarray(high < low)


def exact_thresholds(section: Section) -> IntegerThresholds:
    """Find the integer thresholds of a section with a quantizer.

    Raises
    ------
    UnsupportedLayerError
        If the chain gives no number, or decreases where no weights can be negated.
    """
    assert section.quantizer is not None
    low, high = accumulator_bounds(section)
    _refuse_nan(section, low, high)
    flipped = decreasing(section)
    if section.dot is None and np.any(flipped):
        raise UnsupportedLayerError(
            section.name,
            "decreases with its integer input, and no weights are there to negate",
            "Leave the negative scale before it out",
        )
    step = section.input_type.step
    start = np.where(flipped, high, low)
    stride = np.where(flipped, -step, step)
    levels = np.arange(1, section.steps + 1)[:, np.newaxis]
    # `first` is the number of strides after which a level is reached; one more than
    # there are says never.
    strides = (high - low) // step
    first = np.zeros((len(levels), section.channels), np.int64)
    beyond = np.broadcast_to(strides + 1, first.shape).copy()
    while np.any(first < beyond):
        middle = (first + beyond) // 2
        accumulators = start + stride * np.minimum(middle, strides)
        reached = (section.inner_codes(accumulators) >= levels) & (middle <= strides)
        open_ = first < beyond
        beyond = np.where(open_ & reached, middle, beyond)
        first = np.where(open_ & ~reached, middle + 1, first)
    thresholds = np.where(flipped, -1, 1) * (start + stride * first)
    return IntegerThresholds(thresholds=thresholds.T, flipped=flipped)


def _refuse_nan(section: Section, low: IntArray, high: IntArray) -> None:
    real = section.real(np.stack([low, high]))
    broken = np.flatnonzero(np.isnan(real).any(axis=0))
    if broken.size:
        raise UnsupportedLayerError(
            section.name,
            f"gets no number in channel {broken[0]}, as from a negative variance",
            "Train again, and export running statistics that are numbers",
        )
