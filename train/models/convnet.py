# SPDX-License-Identifier: Apache-2.0
"""Convolutional networks: LeNet, a small one, FINN's CNV, the paper's VGG-small.

References
----------
LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998 (LeNet, in
the widths of Caffe's example, which the authors of HWGQ took).
Umuroglu et al., FINN, FPGA 2017 (CNV).
Cai et al., CVPR 2017, section 5.5 (VGG-small on CIFAR-10).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import nn

from hwgq.errors import RecipeError
from hwgq.train.models.style import Style, scaled, sequential


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution of stride 1, and whether a 2 x 2 maximum follows it."""

    channels: int
    kernel: int = 3
    padding: int = 0
    pool: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The layers of a network.

    Parameters
    ----------
    convs, hidden
        Convolutions, and widths of the dense layers between them and the logits.
    pool_first
        Whether a maximum is taken right after the convolution, as the authors do, or
        of the levels, as FINN does. What is computed is the same; the statistics of the
        normalization are not.
    """

    convs: tuple[Conv, ...]
    hidden: tuple[int, ...] = ()
    pool_first: bool = True

    @property
    def blocks(self) -> int:
        """Count the layers that have an activation."""
        return len(self.convs) + len(self.hidden)


PLANS: Mapping[str, Plan] = MappingProxyType(
    {
        "lenet": Plan((Conv(20, 5, pool=True), Conv(50, 5, pool=True)), (500,)),
        "cnn": Plan((Conv(16), Conv(16, pool=True), Conv(32), Conv(32, pool=True))),
        "cnv": Plan(
            (
                *(Conv(64), Conv(64, pool=True)),
                *(Conv(128), Conv(128, pool=True)),
                *(Conv(256), Conv(256)),
            ),
            (512, 512),
            pool_first=False,
        ),
        "vgg-small": Plan(
            (
                *(Conv(128, padding=1), Conv(128, padding=1, pool=True)),
                *(Conv(256, padding=1), Conv(256, padding=1, pool=True)),
                *(Conv(512, padding=1), Conv(512, padding=1, pool=True)),
            )
        ),
    }
)
"""The networks, by name."""


def convnet(
    name: str, shape: tuple[int, ...], classes: int, style: Style, width: float = 1.0
) -> nn.Sequential:
    """Make a convolutional network.

    Parameters
    ----------
    name
        One of `PLANS`.
    shape
        Shape of one image, (channels, height, width).
    classes
        Number of logits.
    style
        How layers are made.
    width
        Multiplies every number of channels and every width of a dense layer.

    Raises
    ------
    RecipeError
        If the image is too small for the convolutions.
    """
    plan = PLANS[name]
    layers: dict[str, nn.Module] = {}
    channels, *size = shape
    for i, conv in enumerate(plan.convs, 1):
        (outputs,) = scaled(width, conv.channels)
        size = [_size(name, shape, length, conv) for length in size]
        layers |= _conv_block(plan, i, (channels, outputs), style)
        channels = outputs
    layers["flatten"] = nn.Flatten()
    inputs = channels * size[0] * size[1]
    for i, outputs in enumerate(scaled(width, *plan.hidden), len(plan.convs) + 1):
        layers[f"linear{i}"] = style.linear(inputs, outputs)
        last = i == plan.blocks
        layers[f"norm{i}"] = style.norm1d(outputs, affine=last and style.paper_ends)
        layers[f"act{i}"] = style.act(last=last)
        inputs = outputs
    layers[f"linear{plan.blocks + 1}"] = style.linear(inputs, classes, last=True)
    return sequential(layers)


def _conv_block(
    plan: Plan, i: int, channels: tuple[int, int], style: Style
) -> dict[str, nn.Module]:
    """Make the i-th convolution, with normalization, activation and maximum."""
    conv, last = plan.convs[i - 1], i == plan.blocks
    pool: dict[str, nn.Module] = {f"pool{i}": nn.MaxPool2d(2)} if conv.pool else {}
    before, after = (pool, {}) if plan.pool_first else ({}, pool)
    return {
        f"conv{i}": style.conv(*channels, conv.kernel, conv.padding, first=i == 1),
        **before,
        f"norm{i}": style.norm2d(channels[1], affine=last and style.paper_ends),
        f"act{i}": style.act(last=last),
        **after,
    }


def _size(name: str, shape: tuple[int, ...], length: int, conv: Conv) -> int:
    """Compute rows or columns after a convolution and its maximum."""
    after = length + 2 * conv.padding - conv.kernel + 1
    after = after // 2 if conv.pool else after
    if after < 1:
        problem = f"has too many layers for images of shape {shape}"
        raise RecipeError(name, problem, "Choose a smaller network, or larger images")
    return after
