# SPDX-License-Identifier: Apache-2.0
"""Write a recorded network in the form that FINN streamlines without surprises.

Each section becomes ``MatMul -> Mul -> Add -> MultiThreshold -> Mul -> Add`` with
per-channel constants; legal ONNX that makes FINN or qonnx stop never reaches them. The
threshold tensor carries the section's number, ``thr.3``, and so does the weight tensor:
by these names the border finds the layers again.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from hwgq.compile.evaluate import FloatArray
from hwgq.compile.graph import BIPOLAR, ElementType
from hwgq.compile.network import BoolArray, Network, Section
from hwgq.compile.onnx_file import QONNX_DOMAIN
from hwgq.compile.passes.exact_thresholds import accumulator_bounds

FloatConstant = npt.NDArray[np.float32]

_LARGEST = np.finfo(np.float32).max
# FINN divides by the factor; this one is as good as 0.
_NEARLY_ZERO = np.float32(1e-30)


def threshold_name(number: int) -> str:
    """Name the threshold tensor of a section."""
    return f"thr.{number}"


def weight_name(number: int) -> str:
    """Name the weight tensor of a section."""
    return f"weights.{number}"


def datatype(kind: ElementType) -> str:
    """Name FINN's type of the integers that a stream's codes mean."""
    low, high = (int(kind.values(np.asarray(c))) for c in (kind.low, kind.high))
    if kind.step == 2:
        return "BIPOLAR"
    if low >= 0:
        return f"UINT{max(1, high.bit_length())}"
    return f"INT{max((-low - 1).bit_length(), high.bit_length()) + 1}"


def write_finn_graph(network: Network) -> ModelWrapper:
    """Write the device's part of a network as a QONNX graph for FINN.

    Parameters
    ----------
    network
        The recorded network.

    Returns
    -------
    ModelWrapper
        A graph from the integers that enter the device, shape (1, elements), to the
        real numbers behind the last section.
    """
    nodes: list[NodeProto] = []
    constants: dict[str, FloatConstant] = {}
    tensor = "integers"
    for number, section in enumerate(network.sections):
        for suffix, op, operand in _steps(section, number):
            key = operand[0]
            constants[key] = operand[1]
            output = f"{suffix}.{number}"
            nodes.append(_make(op, tensor, key, output, section))
            tensor = output
    model = _assemble(network, nodes, constants, tensor)
    model.set_tensor_datatype("integers", DataType[datatype(network.input_type)])
    for number, section in enumerate(network.sections):
        if section.dot is not None:
            model.set_tensor_datatype(weight_name(number), DataType["BIPOLAR"])
    return model


def _steps(
    section: Section, number: int
) -> Iterator[tuple[str, str, tuple[str, FloatConstant]]]:
    """List a section's nodes as (output, operator, (constant's name, value))."""
    if section.quantizer is None:
        assert section.dot is not None
        scale = section.dot.scale.astype(np.float32)
        yield "dot", "MatMul", (weight_name(number), _weights(section.dot.signs))
        yield "scaled", "Mul", (f"scale.{number}", scale[np.newaxis])
        return
    factor, offset, thresholds = _affine(section)
    if section.dot is not None:
        # FINN turns a negative factor into weights of the other sign, too, but looks
        # at each weight in Python to do so: a minute for a million of them.
        signs = section.dot.signs ^ (factor < 0)[:, np.newaxis]
        factor = np.abs(factor)
        yield "dot", "MatMul", (weight_name(number), _weights(signs))
    yield "scaled", "Mul", (f"scale.{number}", factor.astype(np.float32)[np.newaxis])
    yield "shifted", "Add", (f"offset.{number}", offset.astype(np.float32)[np.newaxis])
    yield "levels", "MultiThreshold", (threshold_name(number), thresholds)
    if _counts_alone(section):
        yield "doubled", "Mul", (f"step.{number}", np.full((1, 1), 2, np.float32))
        yield "signs", "Add", (f"bias.{number}", np.full((1, 1), -1, np.float32))


def _weights(signs: BoolArray) -> FloatConstant:
    """Write signs of shape (rows, columns) as FINN has them: ±1, columns first."""
    return np.where(signs.T, np.float32(1), np.float32(-1))


def _counts_alone(section: Section) -> bool:
    """Tell whether FINN counts thresholds, and the layer behind makes −1 and +1 of it.

    FINN's layer for thresholds without a product takes no scale but 1.
    """
    assert section.quantizer is not None
    return section.dot is None and section.quantizer.type == BIPOLAR


def _affine(section: Section) -> tuple[FloatArray, FloatArray, FloatConstant]:
    """Give factor, offset and thresholds of each channel of a section.

    The chain's head is ``factor * acc + offset``; its tail and the quantizer together
    are thresholds on that, found by bisection over all float32 numbers.
    """
    low, high = accumulator_bounds(section)
    span = np.maximum(np.abs(low), np.abs(high)).max()
    ends = np.stack([np.zeros_like(low), np.full_like(high, span)])
    offset, end = section.affine(ends)
    factor = (end - offset) / span
    extreme = np.full((1, section.channels), _LARGEST, np.float64)
    flipped = section.quantize(extreme)[0] < section.quantize(-extreme)[0]
    sign = np.where(flipped, -1.0, 1.0)
    thresholds = _float_thresholds(section, sign)
    factor = np.where(np.abs(factor) < _NEARLY_ZERO, _NEARLY_ZERO, factor)
    return sign * factor, sign * offset, thresholds


def _float_thresholds(section: Section, sign: FloatArray) -> FloatConstant:
    """Find the smallest float32 that reaches each level, shape (channels, steps)."""
    assert section.quantizer is not None
    levels = np.arange(1, section.quantizer.steps + 1)[:, np.newaxis]
    shape = (len(levels), section.channels)
    low = np.full(shape, _ordinal(-_LARGEST))
    high = np.full(shape, _ordinal(_LARGEST))
    while np.any(low < high):
        middle = (low + high) // 2
        reached = section.quantize(sign * _from_ordinal(middle)) >= levels
        low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
    return _from_ordinal(low).T.astype(np.float32)


def _ordinal(value: np.float32) -> int:
    """Find the place of a float32 in ascending order, 0 for zero."""
    bits = int(np.float32(abs(value)).view(np.int32))
    return bits if value >= 0 else -bits


def _from_ordinal(ordinals: npt.NDArray[np.int64]) -> FloatArray:
    magnitude = np.abs(ordinals).astype(np.int32).view(np.float32).astype(np.float64)
    return np.where(ordinals < 0, -magnitude, magnitude)


def _make(op: str, data: str, operand: str, output: str, section: Section) -> NodeProto:
    node = onnx.helper.make_node(op, [data, operand], [output], output)
    if op == "MultiThreshold":
        assert section.quantizer is not None
        kind = section.quantizer.type
        if _counts_alone(section):
            kind = ElementType.unsigned(1)
        node.domain = QONNX_DOMAIN
        attributes = {
            "out_dtype": datatype(kind),
            "out_scale": float(kind.step),
            "out_bias": float(kind.offset),
        }
        for name, value in attributes.items():
            node.attribute.append(onnx.helper.make_attribute(name, value))
    return node


def _assemble(
    network: Network,
    nodes: list[NodeProto],
    constants: dict[str, FloatConstant],
    output: str,
) -> ModelWrapper:
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "device",
        [info("integers", TensorProto.FLOAT, (1, network.elements))],
        [info(output, TensorProto.FLOAT, (1, network.sections[-1].channels))],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    opsets = [
        onnx.helper.make_opsetid("", 13),
        onnx.helper.make_opsetid(QONNX_DOMAIN, 1),
    ]
    return ModelWrapper(
        onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    )
