# SPDX-License-Identifier: Apache-2.0
"""Multi-layer perceptrons, binary and float."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from hwgq.train.layers import HWGQ, BinaryLinear
from hwgq.train.quantizers import Backward


def mlp(
    inputs: int,
    hidden: Sequence[int],
    classes: int,
    *,
    bits: int = 2,
    backward: str = Backward.CLIPPED,
) -> nn.Sequential:
    """Make an MLP of 1-bit weights and half-wave quantized activations.

    The input is the integers of the image themselves: the first batch normalization
    takes any scale out. The last layer's scale and bias stay float, for the host.

    Parameters
    ----------
    inputs, hidden, classes
        Widths of the image, of each hidden layer, and of the logits.
    bits, backward
        As of :class:`~hwgq.train.layers.HWGQ`.
    """
    layers: dict[str, nn.Module] = {}
    for i, (columns, rows) in enumerate(pairwise([inputs, *hidden]), 1):
        layers[f"linear{i}"] = BinaryLinear(columns, rows)
        layers[f"norm{i}"] = nn.BatchNorm1d(rows, affine=False)
        layers[f"act{i}"] = HWGQ(bits, backward)
    head = BinaryLinear(hidden[-1], classes, bias=True)
    return _sequential({**layers, f"linear{len(hidden) + 1}": head})


def float_mlp(inputs: int, hidden: Sequence[int], classes: int) -> nn.Sequential:
    """Make the same MLP in float: plain weights, affine normalization, ReLU."""
    layers: dict[str, nn.Module] = {}
    for i, (columns, rows) in enumerate(pairwise([inputs, *hidden]), 1):
        layers[f"linear{i}"] = nn.Linear(columns, rows, bias=False)
        layers[f"norm{i}"] = nn.BatchNorm1d(rows)
        layers[f"act{i}"] = nn.ReLU()
    head = nn.Linear(hidden[-1], classes)
    return _sequential({**layers, f"linear{len(hidden) + 1}": head})


def _sequential(layers: dict[str, nn.Module]) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))
