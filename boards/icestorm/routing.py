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
    origin = np.arange(len(chip.wires))
    origin[targets] = sources
    # Go on to the driver's driver, twice as far each time.
    for _ in range(len(origin).bit_length()):
        origin = origin[origin]
    circular = np.isin(origin, targets)
    if circular.any():
        wire = int(np.flatnonzero(circular)[0])
        raise _short(chip, wire, "drives itself in a circle")
    return Nets(origin=origin, understood=understood)


def _short(chip: Chip, wire: int, problem: str) -> VerificationError:
    remedy = "Build the bitstream again"
    return VerificationError(f"bitstream, wire {chip.wires[wire]}", problem, remedy)
