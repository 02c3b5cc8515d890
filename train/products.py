# SPDX-License-Identifier: Apache-2.0
"""Dot products of integers by signs, exact whatever the order of their sums.

They run in float32 where every partial sum is an integer below 2^24, else in float64.
A convolution is written out as a matrix product: a library's own convolution may use a
transformation, such as Winograd's, whose numbers are no integers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from hwgq.errors import UnsupportedLayerError
from hwgq.train.layers import BinaryConv2d, BinaryLinear

EXACT_FLOAT32, EXACT_FLOAT64 = 2**24, 2**53
"""Integers up to these are exact."""

WRITTEN_OUT = 2**22
"""Elements of the matrices that a convolution is written out to, at once."""

Pair = tuple[int, int]

Product = npt.NDArray[np.floating[Any]]


def linear_product(
    factors: npt.NDArray[Any], layer: BinaryLinear, name: str
) -> Product:
    """Multiply integers, shape (n, ..., columns), by a layer's signs.

    Returns
    -------
    Product
        Integers as float32 or float64, shape (n, ..., rows). Of factors that are no
        integers, a float64 sum.

    Raises
    ------
    UnsupportedLayerError
        If the layer has another number of columns.
    """
    columns = factors.shape[-1]
    if columns != layer.in_features:
        problem = f"gets {columns} columns, not {layer.in_features}"
        remedy = "Flatten before it, and give it as many inputs as there are"
        raise UnsupportedLayerError(name, problem, remedy)
    values = _exact_floats(factors, columns)
    signs = layer.signs().cpu().to(values.dtype)
    return np.asarray((values @ signs.T).numpy())


@dataclass(frozen=True, slots=True)
class Window:
    """Where a convolution looks.

    Parameters
    ----------
    channels, groups
        Of what it reads, and into how many parts they are divided.
    kernel, stride, padding, dilation
        Along rows and columns of pixels.
    """

    channels: int
    groups: int
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    @property
    def summands(self) -> int:
        """Count the products of one sum."""
        return self.channels // self.groups * math.prod(self.kernel)

    def outputs(self, size: Sequence[int]) -> list[int]:
        """Compute rows and columns of what it gives, from those of what it reads."""
        each = zip(
            *(size, self.kernel, self.stride, self.padding, self.dilation), strict=True
        )
        return [
            (length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for length, kernel, stride, padding, dilation in each
        ]


def window(layer: Any, name: str) -> Window:
    """Tell where a `BinaryConv2d` looks.

    Raises
    ------
    UnsupportedLayerError
        If it does not pad zeros by numbers.
    """
    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        remedy = "Give the padding as numbers, of zeros"
        raise UnsupportedLayerError(name, "pads in its own way", remedy)
    return Window(
        layer.in_channels,
        layer.groups,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
    )


def conv_product(factors: npt.NDArray[Any], layer: BinaryConv2d, name: str) -> Product:
    """Convolve integers, shape (n, channels, height, width), with a layer's signs.

    Returns
    -------
    Product
        As of `linear_product`, shape (n, rows, height, width).

    Raises
    ------
    UnsupportedLayerError
        If the layer takes no such integers, or does not pad zeros by numbers.
    """
    look = window(layer, name)
    if factors.ndim != 4 or factors.shape[1] != look.channels:
        problem = f"gets a tensor of shape {factors.shape[1:]} a frame"
        remedy = f"Give it {look.channels} channels of pixels"
        raise UnsupportedLayerError(name, problem, remedy)
    size = look.outputs(factors.shape[2:])
    if min(size) < 1:
        problem = f"gets pixels of shape {factors.shape[2:]}, less than its kernel"
        raise UnsupportedLayerError(name, problem, "Give it larger images")
    values = _exact_floats(factors, look.summands)
    weights = layer.signs().cpu().to(values.dtype)
    weights = weights.reshape(look.groups, -1, look.summands)
    elements = look.groups * look.summands * math.prod(size)
    frames = max(1, WRITTEN_OUT // elements)
    parts = [
        _written_out(values[start : start + frames], look, weights)
        for start in range(0, len(values), frames)
    ]
    return np.asarray(torch.cat(parts).reshape(len(values), -1, *size).numpy())


def _written_out(values: Tensor, look: Window, weights: Tensor) -> Tensor:
    """Convolve as a matrix product; shape (n, groups, rows of each, pixels)."""
    columns = functional.unfold(
        values, look.kernel, look.dilation, look.padding, look.stride
    )
    columns = columns.reshape(len(values), look.groups, look.summands, -1)
    return weights @ columns


def _exact_floats(factors: npt.NDArray[Any], columns: int) -> Tensor:
    """Convert to the smaller type in which sums of so many are exact."""
    if factors.dtype.kind == "f":
        return torch.from_numpy(factors.astype(np.float64))
    largest = max(-int(factors.min(initial=0)), int(factors.max(initial=0)))
    bound = largest * columns
    assert bound < EXACT_FLOAT64, "images of more than 32 bits"
    kind = np.float32 if bound < EXACT_FLOAT32 else np.float64
    return torch.from_numpy(factors.astype(kind))
