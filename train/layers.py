# SPDX-License-Identifier: Apache-2.0
"""HWGQ as layers: Brevitas layers with the quantizers of `hwgq.train.quantizers`.

A block of the paper is a binary layer, a batch normalization without affine part, and
an activation quantizer, in this order.
"""

from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.core.bit_width import BitWidthConst
from brevitas.core.utils import StatelessBuffer
from brevitas.inject import ExtendedInjector
from brevitas.proxy import ActQuantProxyFromInjector, WeightQuantProxyFromInjector
from torch import Tensor, nn

from hwgq.errors import OptionError
from hwgq.train.quantizers import (
    Backward,
    HalfWave,
    WeightScale,
    alpha,
    binary_weight,
    half_wave,
    sign,
)

Quantized = tuple[Tensor, Tensor, Tensor, Tensor]
"""What Brevitas wants of a quantizer: values, scale, zero point, bit width."""


class HWGQ(qnn.QuantIdentity):  # type: ignore[misc]  # Brevitas has no types
    """Half-wave Gaussian quantization of an activation.

    Parameters
    ----------
    bits
        Width of a level, 1 to 4.
    backward
        Gradient of the staircase: "vanilla", "clipped" or "log-tailed".

    Raises
    ------
    OptionError
        If an option is unknown. (Brevitas itself ignores misspelt ones.)
    """

    def __init__(self, bits: int = 2, backward: str = Backward.CLIPPED) -> None:
        quantizer = HalfWave(bits, backward)
        super().__init__(act_quant=_HalfWaveActQuant, quantizer=quantizer)
        self.quantizer = quantizer


class Sign(qnn.QuantIdentity):  # type: ignore[misc]
    """Quantize an activation to -1 and +1; the gradient is the hard tanh's."""

    def __init__(self) -> None:
        super().__init__(act_quant=_SignActQuant)


class BinaryLinear(qnn.QuantLinear):  # type: ignore[misc]
    """A dense layer whose weights are alpha * sign(w).

    Parameters
    ----------
    in_features, out_features
        Columns and rows of the weights.
    bias
        Whether a float bias is added; for a last layer, whose host applies it.
    scale
        Over what alpha, the mean of |w|, is taken: "channel" or "tensor".

    Raises
    ------
    OptionError
        If `scale` is unknown.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = False,
        scale: str = WeightScale.CHANNEL,
    ) -> None:
        if scale not in list(WeightScale):
            remedy = f"Choose one of {', '.join(WeightScale)}"
            raise OptionError("BinaryLinear", f"has no scale {scale!r}", remedy)
        super().__init__(
            in_features,
            out_features,
            bias=bias,
            weight_quant=_BinaryWeightQuant,
            weight_scale_over=WeightScale(scale),
        )
        self.scale = WeightScale(scale)

    def alpha(self) -> Tensor:
        """Compute the scale of the weights, shape (rows, 1) or ()."""
        return alpha(self.weight, self.scale)

    def signs(self) -> Tensor:
        """Compute the signs of the weights, shape (rows, columns), +1 where w >= 0."""
        return torch.where(self.weight.detach() >= 0, 1.0, -1.0)


class HalfWaveActProxy(ActQuantProxyFromInjector):  # type: ignore[misc]
    """Marks the quantizer for export.

    Brevitas' own handler would write a rounding `Quant`, which puts x in (0, step / 2)
    at level 0 instead of 1; it looks handlers up by the very class.
    """


class _Constant(nn.Module):
    """A quantizer's scale, zero point and width, which need no place in checkpoints."""

    def __init__(self, scale: float, bits: int) -> None:
        super().__init__()
        self.scale = StatelessBuffer(torch.tensor(scale))
        self.zero_point = StatelessBuffer(torch.tensor(0.0))
        self.bit_width = BitWidthConst(bits)

    def parts(self, values: Tensor) -> Quantized:
        return values, self.scale(), self.zero_point(), self.bit_width()


class HalfWaveTensorQuant(_Constant):
    """`half_wave` with what Brevitas wants to know of it."""

    def __init__(self, quantizer: HalfWave) -> None:
        super().__init__(quantizer.step, quantizer.bits)
        self.quantizer = quantizer

    def forward(self, x: Tensor) -> Quantized:
        """Quantize `x`."""
        return self.parts(half_wave(x, self.quantizer))


class _SignTensorQuant(_Constant):
    def __init__(self) -> None:
        super().__init__(1.0, 1)

    def forward(self, x: Tensor) -> Quantized:
        return self.parts(sign(x))


class _BinaryWeightTensorQuant(_Constant):
    def __init__(self, scale_over: WeightScale) -> None:
        super().__init__(1.0, 1)
        self.scale_over = scale_over

    def forward(self, weight: Tensor) -> Quantized:
        scale = alpha(weight, self.scale_over)
        _, _, zero_point, bit_width = self.parts(weight)
        return binary_weight(weight, scale), scale, zero_point, bit_width


class _HalfWaveActQuant(ExtendedInjector):  # type: ignore[misc]
    proxy_class = HalfWaveActProxy
    tensor_quant = HalfWaveTensorQuant
    signed = False
    narrow_range = False
    rounding_mode = "ROUND"


class _SignActQuant(ExtendedInjector):  # type: ignore[misc]
    proxy_class = ActQuantProxyFromInjector
    tensor_quant = _SignTensorQuant
    signed = True
    narrow_range = True
    rounding_mode = "ROUND"


class _BinaryWeightQuant(ExtendedInjector):  # type: ignore[misc]
    proxy_class = WeightQuantProxyFromInjector
    tensor_quant = _BinaryWeightTensorQuant
    signed = True
    narrow_range = True
    rounding_mode = "ROUND"


def quantizers(model: nn.Module) -> dict[str, Any]:
    """Find a network's activation quantizers, by the path of their module."""
    return {n: m for n, m in model.named_modules() if isinstance(m, HWGQ | Sign)}
