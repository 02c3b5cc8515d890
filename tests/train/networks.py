# SPDX-License-Identifier: Apache-2.0
"""Small networks for the tests of reference, witness and export."""

from collections import OrderedDict

import numpy as np
import torch
from torch import nn

from hwgq.train import HWGQ, BinaryConv2d, BinaryLinear, Sign

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


IMAGE = (3, 9, 9)
"""Shape of an image of the small convolutional network."""


def conv_network(seed=0, *, pool_first=True, conv=None, **options):
    """Make a network of two convolutions and a dense layer, of lively statistics.

    `conv` are options of the second convolution, others of HWGQ; means of any sign.
    """
    torch.manual_seed(seed)
    pool = {"pool1": nn.MaxPool2d(2)}
    first = BinaryConv2d(3, 6, 3, padding=1)
    second = BinaryConv2d(6, 8, 3, **(conv or {"padding": 1}), bias=True)
    body = {
        "conv1": first,
        **(pool if pool_first else {}),
        "norm1": nn.BatchNorm2d(6, affine=False),
        "act1": HWGQ(**options),
        **({} if pool_first else pool),
        "conv2": second,
        "norm2": nn.BatchNorm2d(8),
        "act2": HWGQ(**options),
        "flatten": nn.Flatten(),
    }
    layers = nn.Sequential(OrderedDict(body))
    with torch.no_grad():
        columns = layers(torch.zeros(2, *IMAGE)).shape[1]
        norm = layers.norm2
        norm.weight.uniform_(-1, 1)
        norm.bias.uniform_(-1, 1)
    layers.add_module("linear3", BinaryLinear(columns, 5, bias=True))
    return calibrated(layers, pictures(32, seed))


def calibrated(model, frames):
    """Make a network's running statistics those of some frames."""
    norms = [layer for layer in model.modules() if hasattr(layer, "running_mean")]
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(torch.from_numpy(frames).float())
    return model.eval()


def put_conv_means_on_the_grid(model):
    """Make each mean equal to what many accumulators give, as for the MLP."""
    step = model.act1.quantizer.step
    for conv, norm, unit in (
        (model.conv1, model.norm1, 1.0),
        (model.conv2, model.norm2, step),
    ):
        if conv.bias is not None:
            conv.bias.data.zero_()
        scale = conv.alpha().flatten() * unit
        norm.running_mean = scale * torch.round(norm.running_mean / scale)
    return model


def pictures(n=20, seed=0, shape=IMAGE):
    """Make integer images 0 ... 255."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (n, *shape)).astype(np.uint8)
