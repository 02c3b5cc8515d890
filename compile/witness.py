# SPDX-License-Identifier: Apache-2.0
"""Float32 executors as witnesses, layer by layer from the reference's integers.

A witness may disagree with the float64 reference where the real number lies on a
threshold and float32 rounding decides. How far rounding can carry it is computed, not
guessed: with u = 2^-24 and n roundings, an evaluated sum of products differs from the
exact one by at most n·u/(1 − n·u) times the same sum of magnitudes (Higham, "Accuracy
and Stability of Numerical Algorithms", section 3.1).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto
from onnx.numpy_helper import from_array, to_array

from hwgq.compile.evaluate import Float64, FloatArray
from hwgq.compile.graph import IntArray
from hwgq.compile.network import Network, Section
from hwgq.compile.onnx_file import AFFINE
from hwgq.compile.reference import Evaluation
from hwgq.errors import MismatchError

Numbers = npt.NDArray[np.integer[Any] | np.floating[Any] | np.bool_]

UNIT = 2.0**-24
# Roundings of one node of a chain, batch normalization being the longest: subtract,
# add eps, root, divide, multiply, add.
_ROUNDINGS_A_NODE = 6
# What a float32 library's sigmoid or tanh may be off by, in roundings of its result.
_ROUNDINGS_OF_A_FUNCTION = 16
_SATURATING = {"Erf", "HardSigmoid", "Sigmoid", "Softsign", "Tanh"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """What a witness said of one layer.

    Parameters
    ----------
    layer
        The section.
    values
        Levels compared.
    ties
        Levels that differ where float32 rounding may decide.
    mismatches
        Levels that differ for no such reason.
    first
        The first of these.
    """

    layer: str
    values: int
    ties: int
    mismatches: int = 0
    first: MismatchError | None = None


def testify(
    witness: str, network: Network, evaluation: Evaluation, found: Iterable[IntArray]
) -> Iterator[Testimony]:
    """Compare a witness's codes of every quantized section with the reference's.

    Parameters
    ----------
    witness
        Its name.
    network, evaluation
        The recorded network, and what it computes.
    found
        The witness's codes of each section that emits some, shape (frames, *shape).
    """
    emitting = [s for s in network.sections if s.output is not None]
    for section, codes in zip(emitting, found, strict=True):
        expected = low = high = evaluation.codes[section.name]
        if section.quantizer is not None:
            ends = excusable(section, evaluation.accumulators[section.name])
            low, high = map(section.pooled, ends)
        wrong = np.argwhere((codes != expected) & ((codes < low) | (codes > high)))
        yield Testimony(
            layer=section.name,
            values=codes.size,
            ties=int(np.count_nonzero(codes != expected)) - len(wrong),
            mismatches=len(wrong),
            first=first_mismatch(witness, section.name, wrong, expected, codes),
        )


def first_mismatch(
    rung: str, layer: str, wrong: IntArray, expected: Numbers, got: Numbers
) -> MismatchError | None:
    """Describe the first of some differences; None where there are none.

    Parameters
    ----------
    rung, layer
        Where they are.
    wrong
        Indices that differ, as `np.argwhere` gives them.
    expected, got
        The reference's numbers, and the rung's.
    """
    if not len(wrong):
        return None
    index = tuple(int(i) for i in wrong[0])
    return MismatchError(rung, layer, index, expected[index].item(), got[index].item())


def excusable(section: Section, accumulators: IntArray) -> tuple[IntArray, IntArray]:
    """Give the least and the largest code that float32 rounding can lead to."""
    assert section.quantizer is not None
    real = section.affine(accumulators)
    bound = error_bound(section, accumulators)
    ends = real - bound, real + bound
    if section.tail is not None:
        shape = -1, section.channels
        pixels = behind(section.tail, ends[0].reshape(shape), ends[1].reshape(shape))
        ends = pixels[0].reshape(real.shape), pixels[1].reshape(real.shape)
    low, high = (
        section.quantizer.codes(end.reshape(-1, section.channels)).reshape(end.shape)
        for end in ends
    )
    return np.minimum(low, high), np.maximum(low, high)


def behind(
    tail: Float64, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Carry intervals through a chain, each node adding its own float32 error to them.

    Parameters
    ----------
    tail
        A chain of nodes, each of which only rises or only falls, channel by channel.
    low, high
        The ends of the intervals, shape (pixels, channels).
    """
    for node in single_nodes(tail):
        largest = np.maximum(np.abs(low), np.abs(high))
        ends = node.run(low), node.run(high)
        low, high = np.minimum(*ends), np.maximum(*ends)
        operator = node.model.graph.node[0].op_type
        if operator in AFFINE:
            error = (_ROUNDINGS_A_NODE + 1) * UNIT * magnitude_chain(node).run(largest)
        else:
            size = np.maximum(np.abs(low), np.abs(high))
            # Libraries compute those that saturate by polynomials as precise as that.
            size = np.maximum(size, 1.0) if operator in _SATURATING else size
            error = _ROUNDINGS_OF_A_FUNCTION * UNIT * size
        low, high = low - error, high + error
    return low, high


def single_nodes(chain: Float64) -> Iterator[Float64]:
    """Split a chain into evaluators of one node each."""
    source = chain.model.graph.input[0].name
    for node in chain.model.graph.node:
        model = ModelProto()
        model.CopyFrom(chain.model)
        graph = model.graph
        del graph.node[:]
        graph.node.append(node)
        graph.input[0].name, graph.output[0].name = source, node.output[0]
        yield Float64(model)
        source = node.output[0]


def error_bound(section: Section, accumulators: IntArray) -> FloatArray:
    """Bound the float32 error of a section's affine chain, shape of `accumulators`."""
    assert section.head is not None
    columns, heaviest = 1, 1
    if section.dot is not None:
        columns = section.dot.weights.shape[1]
        heaviest = int(np.abs(section.dot.weights).max(initial=1))
    largest = heaviest * max(
        abs(int(section.input_type.values(np.asarray(c))))
        for c in (section.input_type.low, section.input_type.high)
    )
    summands = np.maximum(np.abs(accumulators), columns * largest)
    pixels = summands.reshape(-1, section.channels)
    magnitudes = magnitude_chain(section.head).run(pixels).reshape(summands.shape)
    nodes = len(section.head.model.graph.node)
    roundings = columns + _ROUNDINGS_A_NODE * (nodes + 2)
    bound: FloatArray = roundings * UNIT / (1 - roundings * UNIT) * magnitudes
    return bound


def magnitude_chain(chain: Float64) -> Float64:
    """Make the chain that adds magnitudes up where `chain` adds numbers."""
    model = ModelProto()
    model.CopyFrom(chain.model)
    for node in model.graph.node:
        if node.op_type == "Sub":
            node.op_type = "Add"
        elif node.op_type == "Neg":
            node.op_type = "Abs"
    tensors = {t.name: t for t in model.graph.initializer}
    for tensor in tensors.values():
        if tensor.data_type == TensorProto.DOUBLE:
            tensor.CopyFrom(from_array(np.abs(to_array(tensor)), tensor.name))
    for number, node in enumerate(model.graph.node):
        if (
            node.op_type == "BatchNormalization"
        ):  # subtracts a mean that others may share
            mean = -to_array(tensors[node.input[3]])
            node.input[3] = f"hwgq.mean.{number}"
            model.graph.initializer.append(from_array(mean, node.input[3]))
    return Float64(model)
