# SPDX-License-Identifier: Apache-2.0
"""Multi-layer perceptrons, with FINN's TFC, SFC and LFC among them.

References
----------
Umuroglu et al., FINN: A Framework for Fast, Scalable Binarized Neural Network
Inference, FPGA 2017 (SFC, LFC).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from torch import nn

from hwgq.train.models.style import Style, sequential

HIDDEN: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"tfc": (64, 64, 64), "sfc": (256, 256, 256), "lfc": (1024, 1024, 1024)}
)
"""Widths of the hidden layers, by the network's name."""


def mlp(
    inputs: int, hidden: Sequence[int], classes: int, style: Style
) -> nn.Sequential:
    """Make an MLP.

    Parameters
    ----------
    inputs, hidden, classes
        Widths of the image, of each hidden layer, and of the logits.
    style
        How layers are made.
    """
    layers: dict[str, nn.Module] = {}
    for i, (columns, rows) in enumerate(pairwise([inputs, *hidden]), 1):
        last = i == len(hidden)
        layers[f"linear{i}"] = style.linear(columns, rows, first=i == 1)
        layers[f"norm{i}"] = style.norm1d(rows, affine=last and style.paper_ends)
        layers[f"act{i}"] = style.act(last=last)
    head = style.linear(hidden[-1], classes, last=True)
    return sequential({**layers, f"linear{len(hidden) + 1}": head})
