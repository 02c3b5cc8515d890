# SPDX-License-Identifier: Apache-2.0
"""The networks that recipes name."""

from torch import nn

from hwgq.train.models.mlp import float_mlp, mlp
from hwgq.train.recipe import Network


def build(
    network: Network, shape: tuple[int, ...], classes: int, *, binary: bool = True
) -> nn.Sequential:
    """Make the network of a recipe.

    Parameters
    ----------
    network
        What the recipe asks for.
    shape, classes
        Shape of one image, flat for an MLP, and number of logits.
    binary
        Whether to make it as asked for, or the float network beside it.
    """
    widths = shape[0], network.hidden, classes
    if not binary:
        return float_mlp(*widths)
    return mlp(*widths, bits=network.bits, backward=network.backward)
