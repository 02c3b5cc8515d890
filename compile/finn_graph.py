# SPDX-License-Identifier: Apache-2.0
"""Write a recorded network in the form that FINN streamlines without surprises.

Each section becomes ``MatMul -> Mul -> Add -> MultiThreshold -> Mul -> Add``, or the
same with ``Conv``, with per-channel constants, and FINN's own layers where it pools;
legal ONNX that makes FINN or qonnx stop never reaches them. The threshold tensor
carries the section's number, ``thr.3``, and so does the weight tensor: by these names
the border finds the layers again.
"""

import math

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from hwgq.compile.evaluate import FloatArray
from hwgq.compile.finn_nodes import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    HARDWARE,
    Nodes,
    datatype,
    geometry,
)
from hwgq.compile.graph import BIPOLAR, ElementType, IntArray
from hwgq.compile.network import BoolArray, Dot, Network, Section, Shape
from hwgq.compile.onnx_file import QONNX_DOMAIN
from hwgq.compile.passes.exact_thresholds import accumulator_bounds
from hwgq.compile.streams import channels_first

_ENTRY = "integers"
FloatConstant = npt.NDArray[np.float32]

_LARGEST = np.finfo(np.float32).max
# FINN divides by the factor; one below this is as good as 0.
_NEARLY_ZERO = np.float32(1e-30)


def threshold_name(number: int) -> str:
    """Name the threshold tensor of a section."""
    return f"thr.{number}"


def weight_name(number: int) -> str:
    """Name the weight tensor of a section."""
    return f"weights.{number}"


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
    writer = _Writer(_ENTRY)
    writer.images = len(network.shape) > 1
    for number, section in enumerate(network.sections):
        writer.section(section, number)
    model = writer.assemble(network)
    model.set_tensor_datatype(_ENTRY, DataType[datatype(network.input_type)])
    for number, section in enumerate(network.sections):
        if section.dot is not None:
            key = weight_name(number)
            # Negated weights may take a bit more than the network's.
            low, high = (int(f(writer.constants[key])) for f in (np.min, np.max))
            several = datatype(ElementType.signed(min(low, -2), high))
            kind = "BIPOLAR" if section.dot.bits == 1 else several
            model.set_tensor_datatype(key, DataType[kind])
    return model


class _Writer(Nodes):
    """Writes sections.

    Attributes
    ----------
    images
        Whether what was written last makes images.
    """

    images = False

    def section(self, section: Section, number: int) -> None:
        """Write a section's nodes."""
        if self.images and section.dot is not None and len(section.shape) == 1:
            if number == 0:
                # FINN puts a transposition into the weights only behind a layer.
                self.turn("last", CHANNELS_LAST)
            self.add("Flatten", f"flat.{number}", axis=1)
            self.images = False
        if section.quantizer is not None:
            self._quantized(section, number)
        elif section.dot is not None:
            self._dot(section, number, np.zeros(section.channels, np.bool_))
            rank = len(section.shape) - 1
            self._per_channel("Mul", f"scale.{number}", section.dot.scale, rank)
        elif section.sums:
            self.sum_pool(f"total.{number}", section.shape_in, section.input_type)
        if section.pool is not None:
            kind = section.output_type
            self.max_pool(f"pooled.{number}", section.pool, section.channels, kind)

    def _quantized(self, section: Section, number: int) -> None:
        factor, offset, thresholds = _affine(section)
        if section.dot is not None:
            # FINN turns a negative factor into weights of the other sign, too, but
            # looks at each weight in Python to do so: a minute for a million of them.
            turned = factor < 0
            if section.minimum is not None:
                turned ^= section.minimum  # the inverse of a code falls where it rises
            self._dot(section, number, turned)
        quantizer = section.quantizer
        assert quantizer is not None
        # Thresholds on images come behind a convolution, or FINN is shown where the
        # channels are.
        turned_images = section.dot is None and self.images
        if turned_images:
            self.turn(f"last.{number}", CHANNELS_LAST)
        rank = 0 if turned_images else len(section.shape) - 1
        self._per_channel("Mul", f"scale.{number}", np.abs(factor), rank)
        self._per_channel("Add", f"offset.{number}", offset, rank)
        self.constants[threshold_name(number)] = thresholds
        scale, bias = _written_meaning(section, quantizer.type)
        self.add(
            "MultiThreshold",
            f"levels.{number}",
            threshold_name(number),
            domain=QONNX_DOMAIN,
            data_layout="NHWC" if turned_images else "",
            out_dtype=datatype(quantizer.type),
            out_scale=float(scale),
            out_bias=float(bias),
        )
        if turned_images:
            self.turn(f"first.{number}", CHANNELS_FIRST)

    def _dot(self, section: Section, number: int, turned: BoolArray) -> None:
        """Write a product, the weights of some rows with the other sign."""
        dot = section.dot
        assert dot is not None
        weights = np.where(turned[:, np.newaxis], -dot.weights, dot.weights)
        key = weight_name(number)
        if dot.window is None:
            order = _network_order(section.shape_in) if number else slice(None)
            self.constants[key] = weights[:, order].T.astype(np.float32)
            self.add("MatMul", f"dot.{number}", key)
            return
        kernels = weights.reshape(len(weights), *dot.window.kernel, -1)
        self.constants[key] = np.moveaxis(kernels, -1, 1).astype(np.float32)
        groups = len(weights) if dot.depthwise else 1
        where = geometry(dot.window)
        self.add("Conv", f"dot.{number}", key, group=groups, **where)

    def _per_channel(self, op: str, key: str, values: FloatArray, pixels: int) -> None:
        """Write a constant a channel; so many dimensions of an image follow those."""
        shape = (1, -1, *(1,) * pixels)
        self.constant(op, key, values.astype(np.float32).reshape(shape))

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
            onnx.helper.make_opsetid(HARDWARE, 1),
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


def _written_meaning(section: Section, kind: ElementType) -> tuple[int, int]:
    """Give scale and offset of a section's levels, as FINN wants to read them.

    Its layers make −1 and +1 of 0 and 1 by themselves. Only that of a dense product
    reads a scale of 2.
    """
    dot = section.dot
    if kind != BIPOLAR:
        return kind.step, kind.offset
    if dot is None:
        return 1, 0
    return (1 if lowered_apart(dot) else kind.step), kind.offset


def lowered_apart(dot: Dot) -> bool:
    """Say whether FINN lowers a product to a depthwise one.

    It takes a convolution of one channel to one for that, too.
    """
    alone = dot.window is not None and dot.weights.shape == (1, dot.window.taps)
    return dot.depthwise or alone


def _affine(section: Section) -> tuple[FloatArray, FloatArray, FloatConstant]:
    """Give factor, offset and thresholds of each channel of a section.

    The chain's head is ``factor * acc + offset``; its tail and the quantizer together
    are thresholds on that, found by bisection over all float32 numbers.
    """
    assert section.quantizer is not None
    low, high = accumulator_bounds(section)
    # All weights of several bits may be 0, and so all accumulators.
    span = max(1, int(np.maximum(np.abs(low), np.abs(high)).max()))
    ends = np.stack([np.zeros_like(low), np.full_like(high, span)])
    offset, end = section.affine(ends)
    factor = (end - offset) / span
    extreme = np.full((1, section.channels), _LARGEST, np.float64)
    flipped = section.quantize(extreme)[0] < section.quantize(-extreme)[0]
    sign = np.where(flipped, -1.0, 1.0)
    thresholds = _float_thresholds(section, sign)
    constant = np.abs(factor) < _NEARLY_ZERO
    reached = np.arange(section.quantizer.steps) < section.quantize(offset[None]).T
    always = np.where(reached, -_LARGEST, _LARGEST)
    thresholds = np.where(constant[:, np.newaxis], always, thresholds)
    factor = np.where(constant, 1.0, sign * factor)
    offset = np.where(constant, 0.0, sign * offset)
    if section.minimum is None:
        return factor, offset, thresholds
    # The inverse of a code is how many thresholds are *not* reached.
    with np.errstate(over="ignore"):  # what all values reach, none does
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
