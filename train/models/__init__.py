# SPDX-License-Identifier: Apache-2.0
"""The networks that recipes name."""

from torch import nn

from hwgq.train.models.convnet import PLANS, convnet
from hwgq.train.models.mlp import HIDDEN, mlp
from hwgq.train.models.style import Activation, Ends, Style, Weights, scaled
from hwgq.train.options import check_choice

NAMES = ("mlp", *HIDDEN, *PLANS)
"""The networks; an "mlp" has hidden layers of its own."""

__all__ = [
    "NAMES",
    "Activation",
    "Ends",
    "Style",
    "Weights",
    "build",
    "convnet",
    "mlp",
    "takes_rows",
]


def takes_rows(model: str) -> bool:
    """Say whether a network takes images as one row of numbers, not as planes."""
    return model not in PLANS


def build(
    model: str,
    shape: tuple[int, ...],
    classes: int,
    style: Style,
    *,
    width: float = 1.0,
    hidden: tuple[int, ...] = (),
) -> nn.Sequential:
    """Make a network by its name.

    Parameters
    ----------
    model
        One of `NAMES`.
    shape, classes
        Shape of one image, flat for an MLP, and number of logits.
    style
        How layers are made.
    width
        Multiplies the widths of all layers but the last.
    hidden
        Widths of an "mlp"'s hidden layers.
    """
    check_choice("network", "model", model, NAMES)
    if model in PLANS:
        return convnet(model, shape, classes, style, width)
    widths = scaled(width, *(hidden or HIDDEN[model]))
    return mlp(shape[0], widths, classes, style)
