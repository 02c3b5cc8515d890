# SPDX-License-Identifier: Apache-2.0
"""Follow the closed switches from every wire back to where its signal comes from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwgq.boards.icestorm.asc import Bitmap
from hwgq.boards.icestorm.chip import Chip, IntArray
from hwgq.errors import VerificationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Nets:
    """What the switches join.

    Parameters
    ----------
    origin
        The wire that every wire follows, shape (wires,): itself where no switch drives
        it.
    understood
        Whether a bit belongs to a switch in a setting that joins two wires, shape
        (bits,).
    """

    origin: IntArray
    understood: NDArray[np.bool_]

    def driven(self, wire: int) -> bool:
        """Tell whether a switch drives a wire."""
        return bool(self.origin[wire] != wire)


def trace(bitmap: Bitmap) -> Nets:
    """Follow the switches.

    Parameters
    ----------
    bitmap
        The configured device.

    Raises
    ------
    VerificationError
        If two switches drive one wire, or wires drive each other in a circle.
    """
    chip, routing = bitmap.chip, bitmap.chip.routing
    settings = (bitmap.bits[routing.bits] * routing.weights).sum(axis=1)
    closed = settings[routing.switch] == routing.setting
    targets, sources = routing.target[closed], routing.source[closed]
    wires, drivers = np.unique(targets, return_counts=True)
    if (drivers > 1).any():
        raise _short(chip, int(wires[drivers > 1][0]), "is driven by two switches")
    joins = routing.switch[closed]
    understood = np.zeros(chip.bits, np.bool_)
    understood[routing.bits[joins][routing.weights[joins] > 0]] = True
    driver = np.arange(len(chip.wires))
    driver[targets] = sources
    return Nets(origin=_origins(chip, driver), understood=understood)


def _origins(chip: Chip, driver: IntArray) -> IntArray:
    """Go on to the driver's driver, twice as far each time."""
    for _ in range(len(driver).bit_length()):
        further = driver[driver]
        if np.array_equal(further, driver):
            return driver
        driver = further
    moving = np.flatnonzero(driver[driver] != driver)
    raise _short(chip, int(moving[0]), "drives itself in a circle")


def _short(chip: Chip, wire: int, problem: str) -> VerificationError:
    remedy = "Build the bitstream again"
    return VerificationError(f"bitstream, wire {chip.wires[wire]}", problem, remedy)
