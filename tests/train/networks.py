# SPDX-License-Identifier: Apache-2.0
"""Small networks for the tests of reference, witness and export."""

from collections import OrderedDict

import numpy as np
import torch
from torch import nn

from hwgq.train import HWGQ, BinaryLinear, Sign

STEP = float(np.float32(0.538))


def network(seed=0, *, bits=2, affine=False, bias=True, last=True, sign=False):
    """Make a 12-9-7-3 network with lively batch-norm statistics of any sign."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(size, low, high):
        return low + (high - low) * torch.rand(size, generator=generator)

    layers = {}
    for i, (columns, rows) in enumerate([(12, 9), (9, 7)], 1):
        norm = nn.BatchNorm1d(rows, affine=affine)
        norm.running_mean = uniform(rows, -2, 2)
        norm.running_var = uniform(rows, 0.5, 30)
        if affine:
            norm.weight.data = uniform(rows, -1, 1)
            norm.bias.data = uniform(rows, -1, 1)
        layers[f"linear{i}"] = BinaryLinear(columns, rows)
        layers[f"norm{i}"] = norm
        layers[f"act{i}"] = Sign() if sign else HWGQ(bits)
    if last:
        layers["linear3"] = BinaryLinear(7, 3, bias=bias)
    model = nn.Sequential(OrderedDict(layers)).eval()
    for layer in model:
        if isinstance(layer, BinaryLinear):
            if layer.bias is not None:
                layer.bias.data = uniform(layer.bias.shape, -1, 1)
            layer.weight.data = uniform(layer.weight.shape, -1, 1)
    return model


def put_means_on_the_grid(model):
    """Make each mean equal to what many accumulators give, so that ties abound.

    Means of accumulator 2k, alpha and the step are rounded to float32, as a trained
    network's are: the reference then decides ties by the stored numbers.
    """
    step = 1.0
    for i in (1, 2):
        linear, norm = model[3 * i - 3], model[3 * i - 2]
        grid = torch.arange(len(norm.running_mean)) % 5 * 2 - 4 + linear.in_features % 2
        norm.running_mean = linear.alpha().flatten() * step * grid
        step = STEP
    return model


def images(n=400, seed=0):
    """Make integer images of 12 levels 0 ... 16."""
    return np.random.default_rng(seed).integers(0, 17, (n, 12)).astype(np.uint8)
