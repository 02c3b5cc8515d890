# SPDX-License-Identifier: Apache-2.0
"""Half-wave quantization of activations and 1-bit weights, with their gradients.

Here is the arithmetic alone; `hwgq.train.layers` puts it into Brevitas layers.

It is written twice, and gives the same numbers. Where `torch.compile` works, it is
comparisons and `where`, which become one loop with their neighbours. Elsewhere it is
those loops of PyTorch's that are vectorized and write in place: they overwrite what a
function of PyTorch's returned whose gradient is the quantizer's, so that no Python runs
on the way back. These functions keep x for their gradients, not what they return.

References
----------
Cai et al., Deep Learning with Low Precision by Half-wave Gaussian Quantization,
CVPR 2017: section 3.1 for the forwards, 3.2 for what stands in for their derivatives.
"""

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from hwgq.train.half_wave import HalfWave
from hwgq.train.options import Backward, WeightScale

CHUNK = 2**18
"""Numbers that are quantized at a time on a CPU, so that they stay in its cache."""

Table = tuple[tuple[float, ...], tuple[float, ...], float | None, str]
"""What `staircase` wants to know of a quantizer, in its order."""

_compiling = torch.compiler.is_compiling


def half_wave(x: Tensor, quantizer: HalfWave) -> Tensor:
    """Quantize activations; same shape, values those of the quantizer's levels."""
    return staircase(x, *table(quantizer))


@cache
def table(quantizer: HalfWave) -> Table:
    """List what `staircase` wants to know of a quantizer."""
    return (
        tuple(quantizer.strict_thresholds.tolist()),
        tuple(quantizer.values.tolist()),
        quantizer.step if quantizer.uniform else None,
        str(quantizer.backward),
    )


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
        Activations. Those of less than 32 bits are compared as float32.
    thresholds
        Numbers t, ascending; the level counts those with ``x > t``.
    values
        Values of the levels, one more than thresholds.
    step
        The step, where every value is level x step.
    backward
        Gradient, one of `Backward`.
    """
    # Of 16 bits there is no number like a threshold: `x > t` would round it.
    wide = x if x.dtype.itemsize >= 4 else x.float()
    result: Tensor
    if _compiling() or backward == Backward.LOG_TAILED:
        known = thresholds, values, step, backward
        result = _Staircase.apply(wide, known)  # type: ignore[no-untyped-call]
    else:
        result = _carrier(wide, values[-1], backward)
        _quantize(wide.detach(), thresholds, values, step, result.detach())
    return result if wide is x else result.to(x.dtype)


def sign(x: Tensor) -> Tensor:
    """Quantize to -1 and +1, sign(0) = +1; the gradient is the hard tanh's."""
    if _compiling():
        result: Tensor = _SignFunction.apply(x)  # type: ignore[no-untyped-call]
        return result
    above = 1 + torch.finfo(x.dtype).eps
    carrier = functional.hardtanh(x, -above, above)
    torch.ge(x.detach(), 0, out=carrier.detach()).mul_(2).sub_(1)
    return carrier


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
    # Flat first: so the order of the sum is not that of the weights in memory.
    per_channel = magnitude.flatten(1).mean(1, keepdim=True)
    if weight.ndim == 2:
        return per_channel
    return per_channel.reshape(-1, *[1] * (weight.ndim - 1))


def binary_weight(weight: Tensor, scale: Tensor) -> Tensor:
    """Compute scale * sign(w), sign(0) = +1.

    The gradient reaches the latent weights as it is: no factor of the scale, none of
    its derivative, no mask where |w| > 1. So does the author's code.
    """
    if _compiling():
        result: Tensor = _BinaryWeightFunction.apply(weight, scale)  # type: ignore[no-untyped-call]
        return result
    carrier = weight.clone()
    values = carrier.detach()
    torch.copysign(scale, values.add_(0.0), out=values)  # -0.0 + 0.0 is 0.0
    return carrier


def _carrier(x: Tensor, top: float, backward: str) -> Tensor:
    """Make what has the gradient of a staircase, and will be given its values."""
    if backward == Backward.VANILLA:
        return functional.threshold(x, 0, 0)
    # The gradient of hardtanh is 0 at both of its ends.
    return functional.hardtanh(x, 0, _above(top, x.dtype))


@cache
def _above(number: float, dtype: torch.dtype) -> float:
    """Find the number next above."""
    if dtype == torch.float32:
        return float(np.nextafter(np.float32(number), np.float32(np.inf)))
    return math.nextafter(number, math.inf)


def _quantize(
    x: Tensor,
    thresholds: tuple[float, ...],
    values: tuple[float, ...],
    step: float | None,
    out: Tensor,
) -> None:
    """Write the values of x's levels, some rows at a time."""
    parts = [(x, out)]
    if x.is_cpu and x.numel() > CHUNK:
        rows = max(1, CHUNK * len(x) // x.numel())
        parts = list(zip(torch.split(x, rows), torch.split(out, rows), strict=True))
    for part, level in parts:
        _count(part, thresholds, level)
        if step is not None:
            level.mul_(step)
        else:
            level.copy_(_looked_up(level, values))


def _count(x: Tensor, thresholds: tuple[float, ...], level: Tensor) -> None:
    """Sum comparisons that are made as 0.0 and 1.0: no Boolean is ever converted."""
    first, *others = thresholds
    torch.gt(x, first, out=level)
    if others:
        scratch = torch.empty_like(x)
        for threshold in others:
            level.add_(torch.gt(x, threshold, out=scratch))


def _looked_up(level: Tensor, values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=level.dtype, device=level.device)[level.long()]


class _Staircase(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, known: Table) -> Tensor:
        thresholds, values, step, backward = known
        ctx.save_for_backward(x)
        ctx.top, ctx.slope = values[-1], backward
        if not _compiling():
            result = torch.empty_like(x)
            _quantize(x, thresholds, values, step, result)
            return result
        # A sum of comparisons: a chain of `where` costs three times as much.
        first, *others = thresholds
        level = (x > first).to(x.dtype)
        for threshold in others:
            level += x > threshold
        return level * step if step is not None else _looked_up(level, values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradients[0] * _slope(x, ctx.top, ctx.slope), None


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
