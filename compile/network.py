# SPDX-License-Identifier: Apache-2.0
"""What a low-bit network computes, as handed in: sections from integers to integers.

A section is a dot product with low-bit weights, the float chain behind it, and the
quantizer that ends the chain. Exact thresholds and the reference are both read off
these chains, never off what FINN makes of them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwgq.compile.evaluate import Float64
from hwgq.compile.levels import Integers, Quantizer
from hwgq.compile.section import BoolArray, Dot, Section, Shape
from hwgq.compile.streams import ElementType, IntArray, channels_last

__all__ = [
    "BoolArray",
    "Dot",
    "Integers",
    "Network",
    "Quantizer",
    "Section",
    "Shape",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network cut into what the host and what the device computes.

    Parameters
    ----------
    input_shape
        Shape of one frame of the network's own input.
    declared
        What the network's input is, where the file or the user says so.
    source
        What the integers that enter the device mean.
    before
        From the network's input to integers; None where its input is integers.
    start
        Nodes of the network's path that `before` stands for.
    sections
        What the device computes, in order.
    after
        From the integers that leave the device to the network's output.
    """

    input_shape: tuple[int, ...]
    declared: Integers | None
    source: Integers
    before: Float64 | None
    start: int
    sections: tuple[Section, ...]
    after: Float64

    @property
    def input_type(self) -> ElementType:
        """Integers that enter the device."""
        return self.sections[0].input_type

    @property
    def shape(self) -> Shape:
        """Shape of one frame of the integers that enter the device."""
        return self.sections[0].shape_in

    def integers(self, inputs: npt.NDArray[np.generic]) -> IntArray:
        """Compute what enters the device, shape (frames, *shape).

        `inputs` has the shape (frames, *input_shape).
        """
        values = inputs if self.before is None else self.before.run(inputs)
        return on_device(values.astype(np.int64), self.shape)


def on_device(frames: IntArray, shape: Shape) -> IntArray:
    """Lay a network's frames out as the device has them: flat, or channels last."""
    ordered = channels_last(frames) if len(shape) > 1 else frames
    return ordered.reshape(len(frames), *shape)
