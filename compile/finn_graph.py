# SPDX-License-Identifier: Apache-2.0
"""Write a recorded network in the form that FINN streamlines without surprises.

Each section becomes ``MatMul -> Mul -> Add -> MultiThreshold -> Mul -> Add``, or the
same with ``Conv``, with per-channel constants, and a ``MaxPool`` where it pools; legal
ONNX that makes FINN or qonnx stop never reaches them. The threshold tensor carries the
section's number, ``thr.3``, and so does the weight tensor: by these names the border
finds the layers again.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from hwgq.compile.evaluate import FloatArray
from hwgq.compile.graph import BIPOLAR, ElementType, IntArray
from hwgq.compile.network import BoolArray, Network, Section, Shape
from hwgq.compile.onnx_file import QONNX_DOMAIN
from hwgq.compile.passes.exact_thresholds import accumulator_bounds
from hwgq.compile.streams import channels_first
from hwgq.compile.window import Window

_ENTRY = "integers"
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
        A graph from the integers that enter the device, shape (1, elements) or (1,
        channels, rows, columns), to the real numbers behind the last section.
    """
    writer = _Writer()
    for number, section in enumerate(network.sections):
        writer.section(section, number)
    model = writer.assemble(network)
    model.set_tensor_datatype(_ENTRY, DataType[datatype(network.input_type)])
    for number, section in enumerate(network.sections):
        if section.dot is not None:
            kind = "BIPOLAR" if section.dot.bits == 1 else f"INT{section.dot.bits}"
            model.set_tensor_datatype(weight_name(number), DataType[kind])
    return model


class _Writer:
    """Collects nodes, each of which reads what the one before it wrote."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}
        self.tensor = _ENTRY

    def section(self, section: Section, number: int) -> None:
        """Write a section's nodes."""
        if section.dot is not None and len(section.shape_in) > len(section.shape):
            self.add("Flatten", f"flat.{number}", axis=1)
        if section.quantizer is not None:
            self._quantized(section, number)
        elif section.dot is not None:
            self._dot(section, number, np.zeros(section.channels, np.bool_))
            self._per_channel("Mul", f"scale.{number}", section.dot.scale, section)
        elif section.sums:
            self.add("GlobalAveragePool", f"mean.{number}")
        if section.pool is not None:
            self.add("MaxPool", f"pooled.{number}", **_geometry(section.pool))

    def _quantized(self, section: Section, number: int) -> None:
        factor, offset, thresholds = _affine(section)
        if section.dot is not None:
            # FINN turns a negative factor into weights of the other sign, too, but
            # looks at each weight in Python to do so: a minute for a million of them.
            turned = factor < 0
            if section.minimum is not None:
                turned &= ~section.minimum
            self._dot(section, number, turned)
        factor = np.abs(factor)
        self._per_channel("Mul", f"scale.{number}", factor, section)
        self._per_channel("Add", f"offset.{number}", offset, section)
        assert section.quantizer is not None
        alone, kind = _counts_alone(section), section.quantizer.type
        written = ElementType.unsigned(1) if alone else kind
        self.constants[threshold_name(number)] = thresholds
        self.add(
            "MultiThreshold",
            f"levels.{number}",
            threshold_name(number),
            out_dtype=datatype(written),
            out_scale=float(written.step),
            out_bias=float(written.offset),
        )
        if alone:
            self.constant("Mul", f"step.{number}", np.full((1, 1), 2, np.float32))
            self.constant("Add", f"bias.{number}", np.full((1, 1), -1, np.float32))

    def _dot(self, section: Section, number: int, turned: BoolArray) -> None:
        """Write a product, the weights of some rows with the other sign."""
        dot = section.dot
        assert dot is not None
        weights = np.where(turned[:, np.newaxis], -dot.weights, dot.weights)
        key = weight_name(number)
        if dot.window is None:
            order = _network_order(section.shape_in)
            self.constants[key] = weights[:, order].T.astype(np.float32)
            self.add("MatMul", f"dot.{number}", key)
            return
        kernels = weights.reshape(len(weights), *dot.window.kernel, -1)
        self.constants[key] = np.moveaxis(kernels, -1, 1).astype(np.float32)
        groups = len(weights) if dot.depthwise else 1
        geometry = _geometry(dot.window)
        self.add("Conv", f"dot.{number}", key, group=groups, **geometry)

    def _per_channel(
        self, op: str, key: str, values: FloatArray, section: Section
    ) -> None:
        spread = (1, -1, *(1,) * (len(section.shape) - 1))
        self.constant(op, key, values.astype(np.float32).reshape(spread))

    def constant(self, op: str, key: str, value: FloatConstant) -> None:
        """Write a node with a constant on its right."""
        self.constants[key] = value
        self.add(op, f"{key}.{op.lower()}", key)

    def add(self, op: str, output: str, *operands: str, **attributes: Any) -> None:
        """Write a node."""
        node = onnx.helper.make_node(
            op, [self.tensor, *operands], [output], output, **attributes
        )
        if op == "MultiThreshold":
            node.domain = QONNX_DOMAIN
        self.nodes.append(node)
        self.tensor = output

    def assemble(self, network: Network) -> ModelWrapper:
        """Make the graph."""
        info = onnx.helper.make_tensor_value_info
        first, last = network.shape, network.sections[-1].shape_out
        graph = onnx.helper.make_graph(
            self.nodes,
            "device",
            [info(_ENTRY, TensorProto.FLOAT, (1, *_network_shape(first)))],
            [info(self.tensor, TensorProto.FLOAT, (1, *_network_shape(last)))],
            [numpy_helper.from_array(v, k) for k, v in self.constants.items()],
        )
        opsets = [
            onnx.helper.make_opsetid("", 13),
            onnx.helper.make_opsetid(QONNX_DOMAIN, 1),
        ]
        return ModelWrapper(
            onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
        )


def _network_shape(frame: Shape) -> Shape:
    """Give the shape of a device's frame in a network: channels first."""
    return (frame[-1], *frame[:-1])


def _network_order(frame: Shape) -> IntArray:
    """List the elements of a device's frame in the order that a network has them."""
    numbers = np.arange(math.prod(frame)).reshape(1, *frame)
    return channels_first(numbers).reshape(-1)


def _geometry(window: Window) -> dict[str, Any]:
    """Write a window as the attributes of a ``Conv`` or ``MaxPool``."""
    attributes = {
        "kernel_shape": window.kernel,
        "strides": window.stride,
        "dilations": window.dilation,
        "pads": (*window.pad, *window.pad_end),
    }
    return {name: list(value) for name, value in attributes.items()}


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
    factor, offset = sign * factor, sign * offset
    if section.minimum is None:
        return factor, offset, thresholds
    # The inverse of a code is how many thresholds are *not* reached.
    inverse = np.nextafter(-thresholds[:, ::-1], np.float32(np.inf))
    falls = section.minimum
    return (
        factor,
        np.where(falls, -offset, offset),
        np.where(falls[:, np.newaxis], inverse, thresholds),
    )


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
