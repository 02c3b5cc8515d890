# SPDX-License-Identifier: Apache-2.0
"""Settings of the families' PLLs for a wanted clock.

The nearest frequency is searched among all settings; the smallest dividers win among
equals. The limits are those of icepll (project icestorm) and ecppll (project trellis).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from hwgq.errors import BoardError

#: A nearest clock that is farther off than this is no answer to the wish.
_TOLERANCE = 0.02

_ICE40_PFD = (10.0, 133.0)
_ICE40_VCO = (533.0, 1066.0)
_ICE40_OUT = (16.0, 275.0)
#: Upper ends of the phase detector's ranges, for FILTER_RANGE 1, 2, ...
_ICE40_FILTER = (17.0, 26.0, 44.0, 66.0, 101.0)

_ECP5_PFD = (3.125, 400.0)
_ECP5_VCO = (400.0, 800.0)
_ECP5_VCO_BEST = 600.0
_ECP5_OUT = (10.0, 400.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pll:
    """Settings of a PLL.

    Parameters
    ----------
    mhz
        The clock that it makes.
    parameters
        Parameters of the family's wrapper module in ``hw_templates/board``.
    """

    mhz: float
    parameters: Mapping[str, int]


def ice40_pll(input_mhz: float, mhz: float) -> Pll:
    """Set an SB_PLL40 with simple feedback.

    Parameters
    ----------
    input_mhz
        The oscillator.
    mhz
        The wanted clock.

    Raises
    ------
    BoardError
        If no setting comes within 2 % of it.
    """
    _check_range(mhz, _ICE40_OUT)
    return _nearest(_ice40_settings(input_mhz, mhz), input_mhz, mhz)


def ecp5_pll(input_mhz: float, mhz: float) -> Pll:
    """Set an EHXPLLL whose feedback is its own output CLKOP.

    Parameters and errors as in :func:`ice40_pll`.
    """
    _check_range(mhz, _ECP5_OUT)
    return _nearest(_ecp5_settings(input_mhz, mhz), input_mhz, mhz)


def _ice40_settings(input_mhz: float, mhz: float) -> Iterator[Pll]:
    for divr, divq in product(range(16), range(1, 7)):
        detector = input_mhz / (divr + 1)
        if not _within(detector, _ICE40_PFD):
            continue
        band = 1 + sum(detector >= end for end in _ICE40_FILTER)
        for divf in _around(mhz * 2**divq / detector - 1, 0, 127):
            oscillator = detector * (divf + 1)
            if _within(oscillator, _ICE40_VCO):
                dividers = {"DIVR": divr, "DIVF": divf, "DIVQ": divq}
                parameters = {**dividers, "FILTER_RANGE": band}
                yield Pll(mhz=oscillator / 2**divq, parameters=parameters)


def _ecp5_settings(input_mhz: float, mhz: float) -> Iterator[Pll]:
    for clki in range(1, 129):
        detector = input_mhz / clki
        if not _within(detector, _ECP5_PFD):
            continue
        for feedback in _around(mhz / detector, 1, 80):
            made = detector * feedback
            clkop = _around(_ECP5_VCO_BEST / made, 1, 128)[0]
            if _within(made * clkop, _ECP5_VCO):
                dividers = {"CLKI_DIV": clki, "CLKFB_DIV": feedback}
                yield Pll(mhz=made, parameters={**dividers, "CLKOP_DIV": clkop})


def _nearest(settings: Iterator[Pll], input_mhz: float, mhz: float) -> Pll:
    pll = min(settings, key=lambda pll: abs(pll.mhz - mhz), default=None)
    if pll is None or abs(pll.mhz - mhz) > _TOLERANCE * mhz:
        nearest = f", {pll.mhz:.3f} MHz is nearest" if pll else ""
        problem = f"the PLL cannot make it from {input_mhz:g} MHz{nearest}"
        raise BoardError(f"clock of {mhz:g} MHz", problem, "Ask for another clock")
    return pll


def _around(value: float, low: int, high: int) -> tuple[int, int]:
    """Round down and up, into a register's range."""
    down, up = math.floor(value), math.ceil(value)
    return max(low, min(high, down)), max(low, min(high, up))


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _check_range(mhz: float, limits: tuple[float, float]) -> None:
    if not _within(mhz, limits):
        low, high = limits
        remedy = f"Ask for a clock from {low:g} to {high:g} MHz"
        raise BoardError(f"clock of {mhz:g} MHz", "the PLL cannot make it", remedy)
