# SPDX-License-Identifier: Apache-2.0
"""Evaluate a recorded network by the numeric contract.

Dot products are exact integers; the float chain behind each is float64, node by node
as the file has it. This is what the QONNX rung of the ladder means, and it is the
reference where there is no PyTorch model.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwgq.compile.evaluate import FloatArray
from hwgq.compile.graph import IntArray
from hwgq.compile.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Every integer that a network computes.

    Parameters
    ----------
    integers
        What enters the device, shape (frames, *network.shape).
    accumulators
        What each section's chain reads, by section, shape (frames, *section.shape).
    codes
        What each stream carries, by name: what a section emits, shape (frames,
        *section.shape_out), and what its quantizer emits before a pooling.
    outputs
        The network's own output.
    """

    integers: IntArray
    accumulators: Mapping[str, IntArray]
    codes: Mapping[str, IntArray]
    outputs: FloatArray


def evaluate(network: Network, inputs: npt.NDArray[np.generic]) -> Evaluation:
    """Evaluate a network on frames.

    Parameters
    ----------
    network
        The recorded network.
    inputs
        Frames, shape (frames, *input shape).
    """
    return evaluate_integers(network, network.integers(inputs))


def evaluate_integers(network: Network, integers: IntArray) -> Evaluation:
    """Evaluate a network from the integers that enter the device.

    Parameters
    ----------
    network
        The recorded network.
    integers
        Shape (frames, *network.shape).
    """
    values = integers
    accumulators, codes = {}, {}
    for section in network.sections:
        sums = section.accumulate(values)
        accumulators[section.name] = sums
        if section.quantizer is not None and section.pool is not None:
            codes[section.unpooled] = section.inner_codes(sums)
        codes[section.name] = section.emit(sums)
        values = section.output_type.values(codes[section.name])
    outputs = network.after.run(values.reshape(len(values), -1))
    return Evaluation(
        integers=integers, accumulators=accumulators, codes=codes, outputs=outputs
    )
