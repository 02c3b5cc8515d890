# SPDX-License-Identifier: Apache-2.0
"""How the layers of a network are made: binary or float, quantized or not."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from torch import nn

from hwgq.train.layers import HWGQ, BinaryConv2d, BinaryLinear, Sign
from hwgq.train.options import Backward, Form, Spacing, check_choice


class Weights(StrEnum):
    """What weights are."""

    BINARY = "binary"
    FLOAT = "float"


class Activation(StrEnum):
    """What follows a normalization."""

    HWGQ = "hwgq"
    SIGN = "sign"
    RELU = "relu"


class Ends(StrEnum):
    """What the first and the last layer are; the two are never mixed in a table."""

    HARDWARE = "hardware"
    """Like all others: 1-bit weights, integers from the image to the last product."""

    PAPER = "paper"
    """Float weights; the last one follows an affine normalization and a ReLU."""


FLOAT: Mapping[str, Any] = MappingProxyType(
    {"weights": Weights.FLOAT, "activation": Activation.RELU, "affine": True}
)
"""What a float network has otherwise than the one that it is set beside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How the layers of a network are made.

    Parameters
    ----------
    weights, activation, ends
        See the enumerations.
    levels, spacing, form, backward
        As of :class:`~hwgq.train.layers.HWGQ`.
    affine
        Whether normalizations scale and shift. The paper's do not.
    momentum
        Weight of a batch in the running statistics of normalizations.

    Raises
    ------
    OptionError
        If a choice is unknown.
    """

    weights: str = Weights.BINARY
    activation: str = Activation.HWGQ
    ends: str = Ends.HARDWARE
    levels: int = 3
    spacing: str = Spacing.UNIFORM
    form: str = Form.PAPER
    backward: str = Backward.CLIPPED
    affine: bool = False
    momentum: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what does not exist."""
        check_choice("network", "weights", self.weights, Weights)
        check_choice("network", "activation", self.activation, Activation)
        check_choice("network", "ends", self.ends, Ends)
        self.act()

    def as_float(self) -> Self:
        """Make the style of the float network beside it."""
        return replace(self, **FLOAT)

    def text(self) -> str:
        """Say in words what weights, activations and normalizations are."""
        weights = "1-bit weights" if self.weights == Weights.BINARY else "float weights"
        affine = ", affine normalization" if self.affine else ""
        return f"{weights}, {self._activation_text()}{affine}"

    def _activation_text(self) -> str:
        if self.activation == Activation.RELU:
            return "ReLU"
        if self.activation == Activation.SIGN:
            return "activations -1 and +1"
        bits = self.levels.bit_length()
        how = f"{self.spacing}, {self.form} form, {self.backward} gradient"
        return f"HWGQ of {self.levels} levels in {bits} bits ({how})"

    @property
    def paper_ends(self) -> bool:
        """Whether the first and the last layer have float weights."""
        return self.ends == Ends.PAPER

    def conv(
        self, inputs: int, outputs: int, kernel: int, padding: int, *, first: bool
    ) -> nn.Module:
        """Make a convolution of stride 1."""
        if self._float(end=first):
            return nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False)
        return BinaryConv2d(inputs, outputs, kernel, padding=padding)

    def linear(
        self, inputs: int, outputs: int, *, first: bool = False, last: bool = False
    ) -> nn.Module:
        """Make a dense layer; the last one with a bias, which the host applies."""
        if self._float(end=first or last):
            return nn.Linear(inputs, outputs, bias=last)
        return BinaryLinear(inputs, outputs, bias=last)

    def norm1d(self, channels: int, *, affine: bool = False) -> nn.Module:
        """Make a normalization of rows."""
        affine = affine or self.affine
        return nn.BatchNorm1d(channels, momentum=self.momentum, affine=affine)

    def norm2d(self, channels: int, *, affine: bool = False) -> nn.Module:
        """Make a normalization of planes."""
        affine = affine or self.affine
        return nn.BatchNorm2d(channels, momentum=self.momentum, affine=affine)

    def act(self, *, last: bool = False) -> nn.Module:
        """Make what follows a normalization; before a float last layer, a ReLU."""
        if self.activation == Activation.RELU or (last and self.paper_ends):
            return nn.ReLU()
        if self.activation == Activation.SIGN:
            return Sign()
        return HWGQ(
            levels=self.levels,
            spacing=self.spacing,
            form=self.form,
            backward=self.backward,
        )

    def _float(self, *, end: bool) -> bool:
        return self.weights == Weights.FLOAT or (end and self.paper_ends)


def sequential(layers: dict[str, nn.Module]) -> nn.Sequential:
    """Chain named layers; an activation's name is its identity down to hardware."""
    return nn.Sequential(OrderedDict(layers))


def scaled(width: float, *channels: int) -> tuple[int, ...]:
    """Multiply numbers of channels by the width of a network, at least to 1."""
    return tuple(max(1, round(width * count)) for count in channels)
