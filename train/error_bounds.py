# SPDX-License-Identifier: Apache-2.0
"""By how much float32 may be off behind each layer, element by element.

References
----------
Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 3.1 and 3.5:
n roundings change a sum of products by at most gamma(n) times its sum of magnitudes.
"""

import copy
from collections.abc import Iterator
from functools import singledispatch

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from hwgq.train.augmentation import MeanImage, PixelScale
from hwgq.train.chain import Chain
from hwgq.train.exact import Step, walk
from hwgq.train.exact_layers import in_float64, pooled, statistics
from hwgq.train.flow import Float64, Flow, Images, float64
from hwgq.train.layers import BinaryConv2d, BinaryLinear
from hwgq.train.products import window

UNIT_ROUNDOFF = 2.0**-24
"""Largest relative error of one float32 rounding."""

NORM_ROUNDINGS = 12
"""Bounds the roundings of one batch normalization, in whichever order it is computed:
of eps, its sum, root, reciprocal, scale, shift, product and sum, twice where affine."""

ZERO = np.zeros(())
"""The error of integers: what float32 makes of them, the next layer's bound counts."""


def bounded(layers: Chain, images: Images) -> Iterator[tuple[Step, Float64]]:
    """Walk through a network and bound the float32 error behind each layer.

    Integers are taken for exact behind each quantizer; at one, the error is that of
    the real values before it.
    """
    error = ZERO
    for step in walk(layers, images):
        if step.after.codes is None:
            error = error_bound(step.layer, step.before, step.after, error)
            yield step, error
        else:
            assert step.before.real is not None
            yield step, np.broadcast_to(error, step.before.real.shape)
            error = ZERO


@singledispatch
def error_bound(layer: nn.Module, before: Flow, after: Flow, error: Float64) -> Float64:
    """Bound the float32 error after a layer by that before it."""
    return error


@error_bound.register
def _(layer: nn.Flatten, before: Flow, after: Flow, error: Float64) -> Float64:
    return error.reshape(len(error), -1) if error.ndim else error


@error_bound.register
def _(layer: nn.MaxPool2d, before: Flow, after: Flow, error: Float64) -> Float64:
    return pooled(layer, error) if error.ndim else error


@error_bound.register
def _(layer: BinaryLinear, before: Flow, after: Flow, error: Float64) -> Float64:
    values = np.abs(before.values())
    scale = float64(layer.alpha()).reshape(-1)
    products = scale * values.sum(-1, keepdims=True)
    return _of_products(products, values.shape[-1], layer, after)


@error_bound.register
def _(layer: BinaryConv2d, before: Flow, after: Flow, error: Float64) -> Float64:
    assert after.real is not None
    look = window(layer, "")
    values = np.abs(before.values())
    planes = values.reshape(len(values), look.groups, -1, *values.shape[2:]).sum(2)
    sums = functional.conv2d(
        torch.from_numpy(planes),
        torch.ones(look.groups, 1, *look.kernel, dtype=torch.float64),
        None,
        *(look.stride, look.padding, look.dilation, look.groups),
    )
    sums = sums.repeat_interleave(after.real.shape[1] // look.groups, 1)
    products = float64(layer.alpha()).reshape(-1, 1, 1) * np.asarray(sums.numpy())
    return _of_products(products, look.summands, layer, after)


def _of_products(
    magnitude: Float64, summands: int, layer: BinaryLinear | BinaryConv2d, after: Flow
) -> Float64:
    assert after.real is not None
    # One rounding makes the input's value, one each product, the others the sum.
    bound: Float64 = _gamma(summands + 1) * magnitude
    if layer.bias is not None:
        bound = bound + UNIT_ROUNDOFF * (np.abs(after.real) + bound)
    return bound


@error_bound.register
def _(layer: _BatchNorm, before: Flow, after: Flow, error: Float64) -> Float64:
    assert before.real is not None
    mean, variance = statistics(layer, "")
    factor = 1 / np.sqrt(variance + layer.eps)
    shift = np.abs(mean) * factor
    if layer.affine:
        gain = np.abs(float64(layer.weight))
        factor, shift = factor * gain, shift * gain + np.abs(float64(layer.bias))
    shape = (-1, *[1] * (before.real.ndim - 2))
    factor, shift = factor.reshape(shape), shift.reshape(shape)
    bound = np.abs(before.real)
    bound += error
    bound *= factor
    bound += shift
    bound *= _gamma(NORM_ROUNDINGS)
    bound += error * factor
    return bound


@error_bound.register
def _(layer: MeanImage, before: Flow, after: Flow, error: Float64) -> Float64:
    assert after.real is not None
    # The image may be scaled, which rounds once.
    return error + UNIT_ROUNDOFF * (np.abs(after.real) + np.abs(before.values()))


@error_bound.register
def _(layer: PixelScale, before: Flow, after: Flow, error: Float64) -> Float64:
    if after.real is None:
        return error  # counted by the layer that reads it
    return error * layer.step * (1 + UNIT_ROUNDOFF) + UNIT_ROUNDOFF * np.abs(after.real)


@error_bound.register(nn.Conv2d)
@error_bound.register(nn.Linear)
def _(
    layer: nn.Conv2d | nn.Linear, before: Flow, after: Flow, error: Float64
) -> Float64:
    magnitudes = copy.deepcopy(layer)
    with torch.no_grad():
        for parameter in magnitudes.parameters():
            parameter.abs_()
    values = before.values()
    summands = layer.weight[0].numel()
    moved = in_float64(magnitudes, np.abs(values) + error)
    bound: Float64 = _gamma(summands + 2) * moved
    if error.ndim:
        magnitudes.bias = None
        bound = bound + in_float64(magnitudes, np.broadcast_to(error, values.shape))
    return bound


def _gamma(roundings: int) -> float:
    return roundings * UNIT_ROUNDOFF / (1 - roundings * UNIT_ROUNDOFF)
