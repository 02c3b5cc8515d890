# SPDX-License-Identifier: Apache-2.0
"""Half-wave Gaussian quantization of activations, 1-bit weights: numbers, gradients.

Here is the arithmetic alone, as `torch.autograd` functions; `hwgq.train.layers` puts
it into Brevitas layers.

References
----------
Cai et al., Deep Learning with Low Precision by Half-wave Gaussian Quantization,
CVPR 2017.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd import Function

from hwgq.errors import OptionError

STEPS = {1: 0.798, 2: 0.538, 3: 0.3217, 4: 0.185}
"""Published step of the uniform quantizer with ``2**bits - 1`` positive levels.

It minimizes the squared error over the positive half of a standard normal variable.
"""


class Backward(StrEnum):
    """What stands in for the derivative of the staircase, section 3.2 of the paper."""

    VANILLA = "vanilla"
    """That of the ReLU: 1 for x > 0."""

    CLIPPED = "clipped"
    """1 for 0 < x <= q_m, the top level; 0 elsewhere."""

    LOG_TAILED = "log-tailed"
    """As clipped, and 1 / (x - tau) above the top level, tau = q_m - 1."""


class WeightScale(StrEnum):
    """Over what the scale of binary weights, alpha = mean |w|, is taken."""

    CHANNEL = "channel"
    """Over the inputs of one output channel, as in the paper."""

    TENSOR = "tensor"
    """Over the whole tensor: keeps the order of the logits of a last layer."""


@dataclass(frozen=True, slots=True)
class HalfWave:
    """A uniform half-wave quantizer, the paper's form.

    Its level is the number of thresholds t below x, strictly: ``x > t`` for t = 0 and
    the middle between any two neighbouring positive levels. So level 1 begins right
    above zero, unlike with rounding.

    Parameters
    ----------
    bits
        Width of a level, 1 to 4; there are ``2**bits - 1`` positive ones.
    backward
        Gradient of the staircase, one of `Backward`.

    Raises
    ------
    OptionError
        If there is no such quantizer.
    """

    bits: int = 2
    backward: str = Backward.CLIPPED

    def __post_init__(self) -> None:
        """Refuse what does not exist."""
        if self.bits not in STEPS:
            remedy = f"Choose one of {', '.join(map(str, STEPS))}"
            raise OptionError("HWGQ", f"has no {self.bits!r} bits", remedy)
        if self.backward not in list(Backward):
            remedy = f"Choose one of {', '.join(Backward)}"
            raise OptionError("HWGQ", f"has no backward {self.backward!r}", remedy)

    @property
    def top(self) -> int:
        """The highest level, 2^bits - 1."""
        return int(2**self.bits - 1)

    @property
    def step(self) -> float:
        """The step as stored, a float32 number."""
        return float(np.float32(STEPS[self.bits]))

    @property
    def top_value(self) -> float:
        """Value of the highest level, the paper's q_m, a float32 number."""
        return float(np.float32(self.top * STEPS[self.bits]))

    @property
    def strict_thresholds(self) -> npt.NDArray[np.float32]:
        """The paper's thresholds t, shape (levels,), compared by ``x > t``."""
        positive = (np.arange(1, self.top) + 0.5) * STEPS[self.bits]
        return np.append(0.0, positive).astype(np.float32)

    @property
    def thresholds(self) -> npt.NDArray[np.float32]:
        """The float32 numbers next above t, shape (levels,), compared by ``x >= T``.

        For float32 x the same as ``x > t``; this is what network.onnx stores. The
        first is a denormal number, which must not be flushed to zero.
        """
        return np.nextafter(self.strict_thresholds, np.float32(np.inf))


def half_wave(x: Tensor, quantizer: HalfWave) -> Tensor:
    """Quantize activations; same shape, values level x step."""
    result: Tensor = _HalfWaveFunction.apply(x, quantizer)  # type: ignore[no-untyped-call]
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


class _HalfWaveFunction(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, quantizer: HalfWave) -> Tensor:
        ctx.save_for_backward(x)
        ctx.quantizer = quantizer
        # A sum of comparisons: a chain of `where` costs three times as much.
        first, *others = quantizer.strict_thresholds.tolist()
        level = (x > first).to(x.dtype)
        for threshold in others:
            level += x > threshold
        result: Tensor = level * quantizer.step
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradients[0] * _slope(x, ctx.quantizer), None


def _slope(x: Tensor, quantizer: HalfWave) -> Tensor:
    """Stand in for the staircase's derivative at `x`."""
    top = quantizer.top_value
    if quantizer.backward == Backward.VANILLA:
        return (x > 0).to(x.dtype)
    if quantizer.backward == Backward.CLIPPED:
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
