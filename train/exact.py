# SPDX-License-Identifier: Apache-2.0
"""The reference: the network evaluated under the numeric contract (design 4.3).

Each dot product is taken on integer levels and signs, exactly. The element-wise chain
after it is in float64, each operand being the float32 number that network.onnx stores,
in this order: ``(alpha * step) * accumulator``, then ``+ bias`` where there is one;
``(x - mean) / sqrt(variance + eps)``; ``* gamma + beta`` where affine; ``x >= T``.

Everything from emulation down to the bitstream is integer and equal to this.
"""

from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from hwgq.errors import UnsupportedLayerError
from hwgq.train.layers import HWGQ, BinaryLinear, Sign

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reference:
    """What the network computes on some images, by the numeric contract.

    Parameters
    ----------
    levels
        Codes that each activation quantizer emits, by its module path: uint8 of shape
        (n, ...). HWGQ's are its levels; a sign's are 0 for -1 and 1 for +1.
    accumulators
        Dot products of the last layer, int32 of shape (n, rows).
    logits
        What the network returns, shape (n, classes).
    """

    levels: dict[str, npt.NDArray[np.uint8]]
    accumulators: npt.NDArray[np.int32]
    logits: Float64

    @property
    def classes(self) -> Int64:
        """Highest logit of each image; of equal ones the first."""
        return np.asarray(self.logits.argmax(1), np.int64)


@dataclass(frozen=True, slots=True)
class Flow:
    """What runs from one layer to the next.

    Parameters
    ----------
    integers
        Integers at hand: those of the image, of the last quantizer, or the last dot
        product.
    step
        Real value of the integer 1.
    real
        Real values where a layer has made some of the integers, else None.
    codes
        What the hardware calls the integers, straight after a quantizer.
    """

    integers: Int64
    step: float = 1.0
    real: Float64 | None = None
    codes: npt.NDArray[np.uint8] | None = None


def reference(model: nn.Sequential, images: npt.NDArray[np.integer]) -> Reference:
    """Evaluate a network exactly.

    Parameters
    ----------
    model
        Layers in order; batch normalization uses its running statistics.
    images
        Integers, shape (n, ...).

    Raises
    ------
    UnsupportedLayerError
        If a layer is not in the numeric contract, or stands where it has no meaning.
    """
    flow = Flow(images.astype(np.int64))
    levels: dict[str, npt.NDArray[np.uint8]] = {}
    for name, layer in model.named_children():
        flow = evaluate(layer, flow, name)
        if flow.codes is not None:
            levels[name] = flow.codes
    if flow.real is None:
        remedy = "End it in a binary layer, whose accumulators are the logits"
        raise UnsupportedLayerError("the network", "ends in a quantizer", remedy)
    return Reference(levels, flow.integers.astype(np.int32), flow.real)


@singledispatch
def evaluate(layer: nn.Module, flow: Flow, name: str) -> Flow:
    """Evaluate one layer, of the module path `name`."""
    known = ", ".join(t.__name__ for t in evaluate.registry if t is not nn.Module)
    raise UnsupportedLayerError(
        name, f"{type(layer).__name__} is not in the numeric contract", f"Use {known}"
    )


@evaluate.register
def _(layer: BinaryLinear, flow: Flow, name: str) -> Flow:
    if flow.real is not None:
        problem = "a dot product of values that are no integers"
        remedy = "Put HWGQ or Sign before the layer"
        raise UnsupportedLayerError(name, problem, remedy)
    # float64 holds every partial sum exactly (below 2^53), and has fast products.
    product = flow.integers.astype(np.float64) @ float64(layer.signs()).T
    real = float64(layer.alpha()).reshape(-1) * flow.step * product
    if layer.bias is not None:
        real = real + float64(layer.bias)
    return Flow(product.astype(np.int64), real=real)


@evaluate.register
def _(layer: nn.BatchNorm1d, flow: Flow, name: str) -> Flow:
    mean, variance = layer.running_mean, layer.running_var
    assert mean is not None, "built with track_running_stats=False"
    assert variance is not None, "built with track_running_stats=False"
    eps = float(np.float32(layer.eps))  # ONNX attributes are float32
    real = (_real(flow, name) - float64(mean)) / np.sqrt(float64(variance) + eps)
    if layer.affine:
        real = real * float64(layer.weight) + float64(layer.bias)
    return replace(flow, real=real)


@evaluate.register
def _(layer: HWGQ, flow: Flow, name: str) -> Flow:
    real = _real(flow, name)
    thresholds = layer.quantizer.thresholds.astype(np.float64)
    level = np.searchsorted(thresholds, real, side="right")
    return Flow(level, step=layer.quantizer.step, codes=level.astype(np.uint8))


@evaluate.register
def _(layer: Sign, flow: Flow, name: str) -> Flow:
    code = (_real(flow, name) >= 0).astype(np.int64)
    return Flow(2 * code - 1, codes=code.astype(np.uint8))


@evaluate.register
def _(layer: nn.Flatten, flow: Flow, name: str) -> Flow:
    return replace(flow, integers=flow.integers.reshape(len(flow.integers), -1))


def float64(tensor: Tensor) -> Float64:
    """Convert a stored float32 tensor; exact."""
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)


def _real(flow: Flow, name: str) -> Float64:
    if flow.real is None:
        problem = "comes before the first dot product, or right after a quantizer"
        raise UnsupportedLayerError(name, problem, "Begin with a binary layer")
    return flow.real
