# SPDX-License-Identifier: Apache-2.0
"""What each layer does under the numeric contract, see `hwgq.train.exact`."""

import copy
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from hwgq.errors import UnsupportedLayerError
from hwgq.train.augmentation import MeanImage, PixelScale
from hwgq.train.flow import Float64, Flow, float64
from hwgq.train.layers import HWGQ, BinaryConv2d, BinaryLinear, Sign
from hwgq.train.products import conv_product, linear_product

_REMEDIES: dict[str, str] = {
    "Conv2d": "Use BinaryConv2d; float weights are for the ends alone",
    "AvgPool2d": "Use nn.MaxPool2d",
    "AdaptiveAvgPool2d": "Use nn.MaxPool2d, or nn.Flatten",
    "Softmax": "Leave it out: the class is the highest logit",
    "LogSoftmax": "Leave it out: the class is the highest logit",
}


@singledispatch
def evaluate(layer: nn.Module, flow: Flow, name: str) -> Flow:
    """Evaluate one layer, of the module path `name`."""
    kind = type(layer).__name__
    known = [t.__name__ for t in evaluate.registry if t is not nn.Module]
    remedy = _REMEDIES.get(kind, f"Use {', '.join(known)}")
    raise UnsupportedLayerError(name, f"{kind} is not in the numeric contract", remedy)


@evaluate.register
def _(layer: BinaryLinear, flow: Flow, name: str) -> Flow:
    product = linear_product(_factors(flow, name), layer, name)
    return _binary(layer, flow, product, (-1,))


@evaluate.register
def _(layer: BinaryConv2d, flow: Flow, name: str) -> Flow:
    product = conv_product(_factors(flow, name), layer, name)
    return _binary(layer, flow, product, (-1, 1, 1))


def _factors(flow: Flow, name: str) -> npt.NDArray[Any]:
    """Give what a binary layer multiplies by signs: integers, or a table's values."""
    if flow.real is not None:
        problem = "a dot product of values that are no integers"
        remedy = "Put HWGQ or Sign before the layer"
        raise UnsupportedLayerError(name, problem, remedy)
    return flow.integers if flow.table is None else flow.values()


def _binary(
    layer: BinaryLinear | BinaryConv2d,
    flow: Flow,
    product: npt.NDArray[np.floating[Any]],
    shape: tuple[int, ...],
) -> Flow:
    """Scale a dot product; `shape` puts the scale of a channel along its axis."""
    scale = float64(layer.alpha()).reshape(shape) * flow.step
    real = scale * product
    if layer.bias is not None:
        real += float64(layer.bias).reshape(shape)
    if flow.table is not None:
        product = np.zeros((len(product), 0))
    return replace(flow, real=real, codes=None, accumulators=product)


@evaluate.register
def _(layer: _BatchNorm, flow: Flow, name: str) -> Flow:
    real = _real(flow, name)
    mean, variance = statistics(layer, name)
    shape = (-1, *[1] * (real.ndim - 2))
    eps = float(np.float32(layer.eps))  # ONNX attributes are float32
    real = real - mean.reshape(shape)
    real /= np.sqrt(variance + eps).reshape(shape)
    if layer.affine:
        real *= float64(layer.weight).reshape(shape)
        real += float64(layer.bias).reshape(shape)
    return replace(flow, real=real)


def statistics(layer: _BatchNorm, name: str) -> tuple[Float64, Float64]:
    """Give the running mean and variance of a normalization.

    Raises
    ------
    UnsupportedLayerError
        If it keeps none.
    """
    if layer.running_mean is None or layer.running_var is None:
        remedy = "Make it with track_running_stats=True"
        raise UnsupportedLayerError(name, "keeps no running statistics", remedy)
    return float64(layer.running_mean), float64(layer.running_var)


@evaluate.register
def _(layer: HWGQ, flow: Flow, name: str) -> Flow:
    real = _to_quantize(flow, name)
    quantizer = layer.quantizer
    codes = np.zeros(real.shape, np.uint8)
    for threshold in quantizer.thresholds.astype(np.float64):
        codes += real >= threshold
    table = None if quantizer.uniform else quantizer.values.astype(np.float64)
    step = quantizer.step if quantizer.uniform else 1.0
    return _quantized(flow, Flow(codes, step=step, table=table, codes=codes))


@evaluate.register
def _(layer: Sign, flow: Flow, name: str) -> Flow:
    codes = (_to_quantize(flow, name) >= 0).astype(np.uint8)
    return _quantized(flow, Flow(2 * codes.astype(np.int8) - 1, codes=codes))


def _quantized(before: Flow, after: Flow) -> Flow:
    return replace(after, accumulators=before.accumulators, quantized=True)


def _to_quantize(flow: Flow, name: str) -> Float64:
    """Give what a quantizer gets; between two of them all is exact."""
    if flow.inexact and flow.quantized:
        problem = (
            f"is float, and stands between two quantizers, the second being {name}"
        )
        remedy = "Float layers are for the ends: use a binary layer, without ReLU"
        raise UnsupportedLayerError(flow.inexact, problem, remedy)
    return _real(flow, name)


@evaluate.register
def _(layer: PixelScale, flow: Flow, name: str) -> Flow:
    if flow.quantized or flow.accumulators is not None or flow.step != 1:
        remedy = "Put it in front of the first layer, once"
        raise UnsupportedLayerError(name, "scales what are no pixels", remedy)
    if flow.real is not None:
        return replace(flow, real=flow.real * layer.step)
    return replace(flow, step=layer.step)


@evaluate.register
def _(layer: MeanImage, flow: Flow, name: str) -> Flow:
    return _inexact(flow, flow.values() - float64(layer.mean), name)


@evaluate.register(nn.Conv2d)
@evaluate.register(nn.Linear)
def _(layer: nn.Module, flow: Flow, name: str) -> Flow:
    if type(layer) not in {nn.Conv2d, nn.Linear}:  # Brevitas' layers are of these
        return evaluate.dispatch(nn.Module)(layer, flow, name)
    return _inexact(flow, in_float64(layer, flow.values()), name)


def in_float64(layer: nn.Module, values: Float64) -> Float64:
    """Apply a layer of PyTorch with its float32 parameters in float64."""
    numbers = torch.tensor(values, dtype=torch.float64)
    with torch.no_grad():
        result = copy.deepcopy(layer).cpu().double()(numbers)
    return np.asarray(result.numpy(), np.float64)


@evaluate.register
def _(layer: nn.ReLU, flow: Flow, name: str) -> Flow:
    return _inexact(flow, np.maximum(_real(flow, name), 0), name)


def _inexact(flow: Flow, real: Float64, name: str) -> Flow:
    return replace(flow, real=real, codes=None, inexact=flow.inexact or name)


@evaluate.register
def _(layer: nn.MaxPool2d, flow: Flow, name: str) -> Flow:
    if layer.return_indices:
        remedy = "Make it with return_indices=False"
        raise UnsupportedLayerError(name, "returns indices", remedy)
    if flow.real is not None:
        return replace(flow, real=pooled(layer, flow.real))
    # float32 holds levels and pixels exactly.
    levels = pooled(layer, flow.integers.astype(np.float32))
    return replace(flow, integers=levels.astype(flow.integers.dtype), codes=None)


def pooled(layer: nn.MaxPool2d, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Take the maximum of each window."""
    found = functional.max_pool2d(
        torch.from_numpy(values),
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.ceil_mode,
    )
    return np.asarray(found.numpy())


@evaluate.register
def _(layer: nn.Flatten, flow: Flow, name: str) -> Flow:
    if (layer.start_dim, layer.end_dim) != (1, -1):
        remedy = "Use nn.Flatten(), one row a frame"
        raise UnsupportedLayerError(name, "flattens some axes only", remedy)
    rows = len(flow.integers), -1
    if flow.real is not None:
        return replace(flow, real=flow.real.reshape(len(flow.real), -1))
    return replace(flow, integers=flow.integers.reshape(rows), codes=None)


def _real(flow: Flow, name: str) -> Float64:
    if flow.real is None:
        problem = "comes before the first dot product, or right after a quantizer"
        raise UnsupportedLayerError(name, problem, "Begin with a binary layer")
    return flow.real
