# SPDX-License-Identifier: Apache-2.0
"""HWGQ as layers: Brevitas layers with the quantizers of `hwgq.train.quantizers`.

A block of the paper is a binary layer, a batch normalization without affine part, and
an activation quantizer, in this order. Each layer computes by itself what its Brevitas
quantizer says, at half the cost; in export, and on a QuantTensor, Brevitas runs.
"""

from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.core.bit_width import BitWidthConst
from brevitas.core.utils import StatelessBuffer
from brevitas.inject import ExtendedInjector
from brevitas.proxy import ActQuantProxyFromInjector, WeightQuantProxyFromInjector
from brevitas.quant_tensor import QuantTensor
from torch import Tensor, nn
from torch.nn import functional

from hwgq.train.half_wave import HalfWave, from_bits
from hwgq.train.options import Backward, Form, Spacing, WeightScale, check_choice
from hwgq.train.quantizers import (
    alpha,
    binary_weight,
    half_wave,
    sign,
    staircase,
    table,
)

Quantized = tuple[Tensor, Tensor, Tensor, Tensor]
"""What Brevitas wants of a quantizer: values, scale, zero point, bit width."""


class HWGQ(qnn.QuantIdentity):  # type: ignore[misc]  # Brevitas has no types
    """Half-wave Gaussian quantization of an activation.

    Parameters
    ----------
    bits
        Width of a level, 1 to 4; by default 2. There are 2^bits - 1 positive levels.
    backward
        Gradient of the staircase: "vanilla", "clipped" or "log-tailed".
    levels
        Number of positive levels instead of bits: 1, 2, 3, 7 or 15.
    spacing
        "uniform" levels, or "lloyd-max" ones, which train and export, but which no
        hardware takes.
    form
        "paper", whose first threshold is 0, or "round", whose level is round(x / step).

    Raises
    ------
    OptionError
        If an option is unknown. (Brevitas itself ignores misspelt ones.)
    """

    def __init__(
        self,
        bits: int | None = None,
        backward: str = Backward.CLIPPED,
        *,
        levels: int | None = None,
        spacing: str = Spacing.UNIFORM,
        form: str = Form.PAPER,
    ) -> None:
        quantizer = from_bits(bits, levels, backward, spacing, form)
        super().__init__(act_quant=_HalfWaveActQuant, quantizer=quantizer)
        self.quantizer = quantizer
        self._table = table(quantizer)

    def forward(self, x: Any) -> Any:
        """Quantize `x`, of any shape."""
        if self.act_quant.export_mode or isinstance(x, QuantTensor):
            return super().forward(x)
        return staircase(x, *self._table)


class Sign(qnn.QuantIdentity):  # type: ignore[misc]
    """Quantize an activation to -1 and +1; the gradient is the hard tanh's."""

    def __init__(self) -> None:
        super().__init__(act_quant=_SignActQuant)

    def forward(self, x: Any) -> Any:
        """Quantize `x`, of any shape."""
        if self.act_quant.export_mode or isinstance(x, QuantTensor):
            return super().forward(x)
        return sign(x)


class _BinaryWeights(nn.Module):
    """What the layers with weights alpha * sign(w) share."""

    weight: nn.Parameter
    bias: nn.Parameter | None
    weight_quant: Any

    def alpha(self) -> Tensor:
        """Compute the scale of the weights, shape (rows, 1, ...) or ()."""
        result: Tensor = self.weight_quant.tensor_quant.alpha(self.weight)
        return result

    def signs(self) -> Tensor:
        """Compute the signs of the weights, in their shape, +1 where w >= 0."""
        return torch.where(self.weight.detach() >= 0, 1.0, -1.0)

    def freeze(self, signs: Tensor, scale: Tensor) -> None:
        """Set signs and scale as they were deployed; the layer is not trained again.

        The mean of |w| over equal numbers may round to another one: so the scale is
        kept beside the weights.
        """
        self.weight.data = signs * scale
        self.weight_quant.tensor_quant.frozen_alpha = scale

    def _binary(self) -> Tensor:
        return binary_weight(self.weight, self.alpha())


class BinaryLinear(_BinaryWeights, qnn.QuantLinear):  # type: ignore[misc]
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
        check_choice("BinaryLinear", "scale", scale, WeightScale)
        super().__init__(
            in_features,
            out_features,
            bias=bias,
            weight_quant=_BinaryWeightQuant,
            weight_scale_over=WeightScale(scale),
        )

    def forward(self, x: Any) -> Any:
        """Multiply `x`, shape (..., in_features), by the binary weights."""
        if self.weight_quant.export_mode or isinstance(x, QuantTensor):
            return super().forward(x)
        return functional.linear(x, self._binary(), self.bias)


class BinaryConv2d(_BinaryWeights, qnn.QuantConv2d):  # type: ignore[misc]
    """A convolution whose weights are alpha * sign(w); zeros are padded.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups
        As of `torch.nn.Conv2d`.
    bias
        Whether a float bias is added.
    scale
        Over what alpha, the mean of |w|, is taken: "channel" or "tensor".

    Raises
    ------
    OptionError
        If `scale` is unknown.
    """

    def __init__(  # noqa: PLR0917  # the order is that of torch.nn.Conv2d
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        *,
        bias: bool = False,
        scale: str = WeightScale.CHANNEL,
    ) -> None:
        check_choice("BinaryConv2d", "scale", scale, WeightScale)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
            weight_quant=_BinaryWeightQuant,
            weight_scale_over=WeightScale(scale),
        )

    def forward(self, x: Any) -> Any:
        """Convolve `x`, shape (n, channels, height, width), with binary weights."""
        if self.weight_quant.export_mode or isinstance(x, QuantTensor):
            return super().forward(x)
        result: Tensor = nn.Conv2d._conv_forward(self, x, self._binary(), self.bias)
        return result


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
        self.register_buffer("frozen_alpha", None, persistent=False)

    def alpha(self, weight: Tensor) -> Tensor:
        frozen: Any = self.frozen_alpha
        return alpha(weight, self.scale_over) if frozen is None else frozen

    def forward(self, weight: Tensor) -> Quantized:
        scale = self.alpha(weight)
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
