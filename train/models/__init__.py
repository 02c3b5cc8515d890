# SPDX-License-Identifier: Apache-2.0
"""The networks that recipes name."""

import math

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
        Shape of one image, and number of logits.
    binary
        Whether to make it as asked for, or the float network beside it.
    """
    inputs = math.prod(shape)
    if binary:
        body = mlp(
            inputs,
            network.hidden,
            classes,
            bits=network.bits,
            backward=network.backward,
        )
    else:
        body = float_mlp(inputs, network.hidden, classes)
    return body
