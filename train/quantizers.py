# SPDX-License-Identifier: Apache-2.0
"""Half-wave quantization of activations and 1-bit weights, with their gradients.

Here is the arithmetic alone, as `torch.autograd` functions; `hwgq.train.layers` puts
it into Brevitas layers.

References
----------
Cai et al., Deep Learning with Low Precision by Half-wave Gaussian Quantization,
CVPR 2017: section 3.1 for the forwards, 3.2 for what stands in for their derivatives.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from hwgq.train.half_wave import HalfWave
from hwgq.train.options import Backward, WeightScale


def half_wave(x: Tensor, quantizer: HalfWave) -> Tensor:
    """Quantize activations; same shape, values those of the quantizer's levels."""
    thresholds = tuple(quantizer.strict_thresholds.tolist())
    values = tuple(quantizer.values.tolist())
    step = quantizer.step if quantizer.uniform else None
    return staircase(x, thresholds, values, step, quantizer.backward)


def staircase(
    x: Tensor,
    thresholds: tuple[float, ...],
    values: tuple[float, ...],
    step: float | None,
    backward: str,
) -> Tensor:
    """Quantize by a table of plain numbers, which `torch.compile` takes as constants.

    Parameters
    ----------
    x
        Activations.
    thresholds
        Numbers t, ascending; the level counts those with ``x > t``.
    values
        Values of the levels, one more than thresholds.
    step
        The step, where every value is level x step.
    backward
        Gradient, one of `Backward`.
    """
    result: Tensor = _Staircase.apply(x, thresholds, values, step, backward)  # type: ignore[no-untyped-call]
    return result


def sign(x: Tensor) -> Tensor:
    """Quantize to -1 and +1, sign(0) = +1; the gradient is the hard tanh's."""
    result: Tensor = _SignFunction.apply(x)  # type: ignore[no-untyped-call]
    return result


def alpha(weight: Tensor, scale: WeightScale) -> Tensor:
    """Compute the scale of binary weights, mean |w|.

    Parameters
    ----------
    weight
        Latent weights, output channels first.

    Returns
    -------
    Tensor
        One number per channel, of a shape that broadcasts against `weight`; or one
        number for all, of shape ().
    """
    magnitude = weight.detach().abs()
    if scale == WeightScale.TENSOR:
        return magnitude.mean()
    per_channel = magnitude.flatten(1).mean(1)
    return per_channel.reshape(-1, *[1] * (weight.ndim - 1))


def binary_weight(weight: Tensor, scale: Tensor) -> Tensor:
    """Compute scale * sign(w), sign(0) = +1.

    The gradient reaches the latent weights as it is: no factor of the scale, none of
    its derivative, no mask where |w| > 1. So does the author's code.
    """
    result: Tensor = _BinaryWeightFunction.apply(weight, scale)  # type: ignore[no-untyped-call]
    return result


class _Staircase(Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        thresholds: tuple[float, ...],
        values: tuple[float, ...],
        step: float | None,
        backward: str,
    ) -> Tensor:
        ctx.save_for_backward(x)
        ctx.top, ctx.slope = values[-1], backward
        # A sum of comparisons: a chain of `where` costs three times as much.
        first, *others = thresholds
        level = (x > first).to(x.dtype)
        for threshold in others:
            level += x > threshold
        if step is not None:
            return level * step
        return torch.tensor(values, dtype=x.dtype, device=x.device)[level.long()]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        (x,) = ctx.saved_tensors
        return gradients[0] * _slope(x, ctx.top, ctx.slope), None, None, None, None


def _slope(x: Tensor, top: float, backward: str) -> Tensor:
    """Stand in for the staircase's derivative at `x`."""
    if backward == Backward.VANILLA:
        return (x > 0).to(x.dtype)
    if backward == Backward.CLIPPED:
        return ((x > 0) & (x <= top)).to(x.dtype)
    tail = 1 / (x - (top - 1)).clamp_min(1)
    return torch.where(x > 0, tail, 0)


class _SignFunction(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x.abs() <= 1)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (inside,) = ctx.saved_tensors
        result: Tensor = gradients[0] * inside
        return result


class _BinaryWeightFunction(Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, scale: Tensor) -> Tensor:
        return torch.where(weight >= 0, scale, -scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None
