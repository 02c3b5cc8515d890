# SPDX-License-Identifier: Apache-2.0
"""What runs from one layer to the next where a network is evaluated exactly."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Images = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Flow:
    """What runs from one layer to the next.

    Parameters
    ----------
    integers
        Integers at hand, of any integer type: those of the image, or of the last
        quantizer.
    step
        Real value of the integer 1.
    table
        Value of each integer where they are levels that are not uniform, else None.
    real
        Real values where a layer has made some of the integers, else None.
    codes
        What the hardware calls the integers, straight after a quantizer.
    accumulators
        Dot products of the last binary layer, exact integers as float32 or float64.
    quantized
        Whether there was a quantizer before.
    inexact
        Path of the first float layer since the last quantizer, "" where there is none.
    """

    integers: Images
    step: float = 1.0
    table: Float64 | None = None
    real: Float64 | None = None
    codes: npt.NDArray[np.uint8] | None = None
    accumulators: npt.NDArray[np.floating[Any]] | None = None
    quantized: bool = False
    inexact: str = ""

    def values(self) -> Float64:
        """Give the real values, from wherever they are."""
        if self.real is not None:
            return self.real
        if self.table is not None:
            return self.table[self.integers]
        return self.step * np.asarray(self.integers, np.float64)


def float64(tensor: Tensor) -> Float64:
    """Convert a stored float32 tensor; exact."""
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)
