# SPDX-License-Identifier: Apache-2.0
"""Evaluate ONNX graphs in float64, node by node, in the order they were handed in.

This is the arithmetic of the numeric contract (docs/numeric-contract.md): each operand
is the float64 of the float32 that the file stores, nothing is recomputed or fused.
ONNX's own reference evaluator runs the standard operators; the five below are ours,
because ONNX leaves their order of operations open, or errs, or does not know them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from hwgq.compile.onnx_file import QONNX_DOMAIN

FloatArray = npt.NDArray[np.float64]

_ROUNDING: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "ROUND": np.round,  # half to even
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.trunc,
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
}
ROUNDING_MODES = frozenset(_ROUNDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """How a QONNX ``Quant`` makes integers.

    Parameters
    ----------
    bits, signed, narrow
        Its width, and which end of the range it leaves out.
    mode
        QONNX's name of the rounding; ``"ROUND"`` is half to even.
    """

    bits: int
    signed: bool
    narrow: bool
    mode: str = "ROUND"

    @property
    def bipolar(self) -> bool:
        """Whether it has −1 and +1 alone: what qonnx makes of one signed bit."""
        return self.bits == 1 and self.signed

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest integer."""
        if self.bipolar:
            return -1, 1
        if self.signed:
            half: int = 2 ** (self.bits - 1)
            return -half + self.narrow, half - 1
        return 0, 2**self.bits - 1 - self.narrow

    def integers(
        self, x: FloatArray, scale: npt.ArrayLike, zero_point: npt.ArrayLike
    ) -> FloatArray:
        """Round in QONNX's order: divide, add the zero point, clip, round."""
        scaled = x / np.asarray(scale) + np.asarray(zero_point)
        if self.bipolar:
            return np.where(scaled >= 0, 1.0, -1.0)
        rounded: FloatArray = _ROUNDING[self.mode.upper()](
            np.clip(scaled, *self.bounds)
        )
        return rounded


def channel_axis(layout: str, rank: int) -> int:
    """Find the channels of a ``MultiThreshold`` as qonnx does, batch dimension first.

    Without a layout that is the second dimension, but the third of three.
    """
    if not layout:
        layout = {3: "NWC"}.get(rank, "NC")
    return layout.index("C")


def count_thresholds(
    x: FloatArray, thresholds: FloatArray, axis: int = 1
) -> FloatArray:
    """Count, per element, the thresholds of its channel that it reaches."""
    channels_last = np.moveaxis(x, axis, -1)[..., np.newaxis]
    counts = np.count_nonzero(channels_last >= thresholds, axis=-1)
    return np.moveaxis(counts.astype(np.float64), -1, axis)


class BatchNormalization(OpRun):
    """Batch normalization with running statistics, in the contract's order."""

    op_domain = ""

    def _run(
        self, x: FloatArray, *statistics: FloatArray, epsilon: float = 1e-5, **_: Any
    ) -> tuple[FloatArray]:
        shape = (1, -1) + (1,) * (x.ndim - 2)
        gamma, beta, mean, variance = (v.reshape(shape) for v in statistics)
        normal = (x - mean) / np.sqrt(variance + epsilon)
        return (normal * gamma + beta,)


class MaxPool(OpRun):
    """Max pooling with explicit padding.

    ONNX's own reference stops at some uneven paddings, or emits a position too many.
    """

    op_domain = ""

    def _run(
        self,
        x: FloatArray,
        *,
        kernel_shape: Sequence[int],
        strides: Sequence[int] | None = None,
        dilations: Sequence[int] | None = None,
        pads: Sequence[int] | None = None,
        **_: Any,
    ) -> tuple[FloatArray]:
        axes = len(kernel_shape)
        steps, gaps = strides or [1] * axes, dilations or [1] * axes
        before, behind = np.reshape(pads or [0] * 2 * axes, (2, axes))
        around = [(0, 0), (0, 0), *zip(before, behind, strict=True)]
        padded = np.pad(x, around, constant_values=-np.inf)
        extents = [g * (k - 1) + 1 for g, k in zip(gaps, kernel_shape, strict=True)]
        windows = sliding_window_view(padded, extents, tuple(range(2, 2 + axes)))
        every = tuple(slice(None, None, step) for step in (*steps, *gaps))
        taken = windows[:, :, *every]
        return (taken.max(axis=tuple(range(2 + axes, 2 + 2 * axes))),)


class Quant(OpRun):
    """QONNX's uniform quantizer."""

    op_domain = QONNX_DOMAIN

    def _run(
        self,
        x: FloatArray,
        scale: FloatArray,
        zero_point: FloatArray,
        bits: FloatArray,
        *,
        signed: int,
        narrow: int,
        rounding_mode: str = "ROUND",
    ) -> tuple[FloatArray]:
        rounding = Rounding(
            bits=int(bits), signed=bool(signed), narrow=bool(narrow), mode=rounding_mode
        )
        return ((rounding.integers(x, scale, zero_point) - zero_point) * scale,)


class BipolarQuant(OpRun):
    """QONNX's sign; zero counts as positive."""

    op_domain = QONNX_DOMAIN

    def _run(self, x: FloatArray, scale: FloatArray) -> tuple[FloatArray]:
        return (np.where(x >= 0, 1.0, -1.0) * scale,)


class MultiThreshold(OpRun):
    """QONNX's thresholds, compared with ``>=``."""

    op_domain = QONNX_DOMAIN

    def _run(
        self,
        x: FloatArray,
        thresholds: FloatArray,
        *,
        out_scale: float = 1.0,
        out_bias: float = 0.0,
        data_layout: str = "",
        **_: Any,
    ) -> tuple[FloatArray]:
        axis = channel_axis(data_layout, x.ndim)
        return (out_scale * count_thresholds(x, thresholds, axis) + out_bias,)


class Float64:
    """An evaluator of a graph whose every real number is a float64.

    Parameters
    ----------
    model
        A graph with one input and one output, as :func:`make_model` assembles it.
    """

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        operators = [BatchNormalization, MaxPool, Quant, BipolarQuant, MultiThreshold]
        self._evaluator = ReferenceEvaluator(model, new_ops=operators)
        self._input = model.graph.input[0].name

    def run(self, frames: npt.NDArray[Any]) -> FloatArray:
        """Evaluate the output on inputs of shape (frames, ...)."""
        with np.errstate(all="ignore"):
            (output,) = self._evaluator.run(
                None, {self._input: frames.astype(np.float64)}
            )
        return np.asarray(output)

    def tensors(self, frames: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Evaluate every tensor of the graph."""
        with np.errstate(all="ignore"):
            results = self._evaluator.run(
                None, {self._input: frames.astype(np.float64)}, intermediate=True
            )
        return dict(results)


def make_model(
    nodes: Sequence[NodeProto],
    initializers: Mapping[str, npt.NDArray[Any]],
    entry: tuple[str, tuple[int, ...]],
    output: str,
    opset: int,
    *,
    example: npt.NDArray[Any] | None = None,
) -> ModelProto:
    """Assemble nodes and the constants that they read into a float64 network.

    Parameters
    ----------
    nodes, initializers
        The graph; constants that no node reads are left out.
    entry
        Name of the input, and shape of a frame of it.
    output, example
        Name of the output, and one frame of it where that is known.
    opset
        Version of the standard operators.
    """
    read = {name for node in nodes for name in node.input}
    graph = GraphProto(name="hwgq", node=nodes)
    for name, value in initializers.items():
        if name in read:
            graph.initializer.append(numpy_helper.from_array(widen(value), name))
    info = onnx.helper.make_tensor_value_info
    graph.input.append(info(entry[0], TensorProto.DOUBLE, ["frames", *entry[1]]))
    kind, shape = TensorProto.DOUBLE, None
    if example is not None:
        kind = onnx.helper.np_dtype_to_tensor_dtype(example.dtype)
        shape = ["frames", *example.shape[1:]]
    graph.output.append(info(output, kind, shape))
    versions = [
        onnx.helper.make_opsetid("", opset),
        onnx.helper.make_opsetid(QONNX_DOMAIN, 1),
    ]
    return onnx.helper.make_model(graph, opset_imports=versions, ir_version=8)


def widen(value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Turn real numbers into float64; leave integers as they are."""
    return value.astype(np.float64) if value.dtype.kind == "f" else value
