# SPDX-License-Identifier: Apache-2.0
"""Networks as others write them with Brevitas's plain layers, the whole way."""

import warnings

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from brevitas.core.quant import QuantType
from brevitas.export.onnx.qonnx.manager import QONNXDynamoManager, QONNXManager
from brevitas.inject.enum import (
    RestrictValueType,
    ScalingImplType,
    ScalingPerOutputType,
    StatsOp,
)
from brevitas.quant import (
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    SignedTernaryActPerTensorConst,
)
from brevitas.quant.solver import WeightQuantSolver
from torch import nn

from hwgq.compile import compile_network, simulate, verify

PIXELS = 36


class XnorNetWeight(WeightQuantSolver):
    """Signs, scaled by the mean magnitude of each output channel."""

    quant_type = QuantType.BINARY
    scaling_impl_type = ScalingImplType.STATS
    scaling_stats_op = StatsOp.AVE
    scaling_per_output_type = ScalingPerOutputType.CHANNEL
    restrict_scaling_type = RestrictValueType.FP
    signed = True
    narrow_range = True
    bit_width = 1


class Apply(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Viewed(nn.Module):
    """Flattens as older code does."""

    def __init__(self, *layers):
        super().__init__()
        self.entry, self.layers = qnn.QuantIdentity(bit_width=4), nn.Sequential(*layers)

    def forward(self, x):
        x = self.entry(x)
        return self.layers(x.view(x.size(0), -1))


def linear(columns, rows, bias=False, quant=SignedBinaryWeightPerTensorConst):
    return qnn.QuantLinear(columns, rows, bias=bias, weight_quant=quant)


def norm(channels):
    layer = nn.BatchNorm1d(channels)
    with torch.no_grad():
        layer.weight.normal_()
        layer.bias.normal_()
        layer.running_mean.normal_()
        layer.running_var.uniform_(0.1, 1.1)
    return layer


def odd_norm(channels):
    """Gammas of 0 among negative ones, and a variance of almost nothing."""
    layer = norm(channels)
    with torch.no_grad():
        layer.weight[:3] = torch.tensor([0.0, -1.0, -1e-12])
        layer.running_var[3] = 1e-20
    return layer


def body(columns=PIXELS, act=None, bias=False):
    return (
        linear(columns, 12, bias),
        norm(12),
        act or qnn.QuantReLU(bit_width=2),
        nn.Dropout(),
        linear(12, 5, bias),
    )


def sign():
    return qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst)


FLOATS = {
    "w1a2": lambda: (nn.Flatten(), qnn.QuantIdentity(bit_width=8), *body()),
    "w1a1": lambda: (nn.Flatten(), sign(), *body(act=sign())),
    "ternary": lambda: (
        nn.Flatten(),
        qnn.QuantIdentity(act_quant=SignedTernaryActPerTensorConst),
        *body(),
    ),
    "xnor net": lambda: (
        nn.Flatten(),
        qnn.QuantIdentity(bit_width=4, narrow_range=True),
        linear(PIXELS, 12, True, XnorNetWeight),
        odd_norm(12),
        qnn.QuantReLU(bit_width=4),
        linear(12, 5, True, XnorNetWeight),
        norm(5),
    ),
    "normalized first": lambda: (
        nn.Flatten(),
        norm(PIXELS),
        qnn.QuantIdentity(bit_width=3),
        *body(),
        nn.Softmax(1),
    ),
    "paper": lambda: (
        nn.Flatten(),
        nn.Linear(PIXELS, 16),
        norm(16),
        qnn.QuantReLU(bit_width=2),
        *body(16),
        norm(5),
        qnn.QuantReLU(bit_width=2),
        nn.Linear(5, 3),
    ),
    "8-bit ends": lambda: (
        nn.Flatten(),
        qnn.QuantIdentity(bit_width=8),
        qnn.QuantLinear(PIXELS, 16, bias=True, weight_bit_width=8),
        qnn.QuantReLU(bit_width=2),
        *body(16),
        qnn.QuantReLU(bit_width=2),
        qnn.QuantLinear(5, 3, bias=True, weight_bit_width=8),
    ),
    "view": lambda: (Viewed(*body()),),
}
IMAGES = {
    "plain": lambda: (nn.Flatten(), *body()),
    "divided by 255": lambda: (
        nn.Flatten(),
        Apply(lambda x: x / 255),
        *body(act=qnn.QuantIdentity(bit_width=3, signed=True), bias=True),
    ),
    "normalized": lambda: (
        Apply(lambda x: (x / 255 - 0.5) / 0.5),
        nn.Flatten(),
        *body(act=sign(), bias=True),
        nn.LogSoftmax(1),
    ),
    "quantized to signs": lambda: (
        nn.Flatten(),
        Apply(lambda x: 2 * x / 255 - 1),
        sign(),
        *body(act=sign()),
    ),
    "quantized to 2 bits": lambda: (
        Apply(lambda x: x / 255),
        qnn.QuantReLU(bit_width=2, max_val=1.0),
        nn.Flatten(),
        *body(),
        norm(5),  # PyTorch orders equal logits as it likes
        Apply(lambda x: x.argmax(1)),
    ),
    "tanh, ends in a quantizer": lambda: (
        nn.Flatten(),
        *body(act=nn.Sequential(nn.Tanh(), qnn.QuantIdentity(bit_width=2))),
        norm(5),
        qnn.QuantIdentity(bit_width=4),
    ),
    "best two": lambda: (
        nn.Flatten(),
        *body(),
        norm(5),
        Apply(lambda x: x.topk(2)[1]),
    ),
}
SIMULATED = ("normalized", "quantized to signs")
EXPORTS = {
    "opset 11": {"opset_version": 11},
    "opset 17": {"opset_version": 17},
    "open batch": {
        "opset_version": 13,
        "input_names": ["x"],
        "dynamic_axes": {"x": {0: "n"}},
    },
    "dynamo": {"opset_version": 18, "dynamo": True, "external_data": False},
}


def made(layers, frames):
    """Make a model, and give its batch statistics and scales something to see."""
    torch.manual_seed(0)
    model = nn.Sequential(*layers())
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = 0.0
    model.train()
    with torch.no_grad():
        model(torch.from_numpy(frames).float())
    return model.eval()


def exported(model, path, **options):
    options = {"opset_version": 13, "dynamo": False} | options
    manager = QONNXDynamoManager if options["dynamo"] else QONNXManager
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        manager.export(
            model, args=torch.zeros(1, 1, 6, 6), export_path=str(path), **options
        )
    return path


def outputs(build, frames, folder):
    """Emulate a build on frames, through its files."""
    np.save(folder / "x.npy", frames)
    simulate(build, engine="emulate", inputs=folder / "x.npy", outputs=folder / "y.npy")
    return np.load(folder / "y.npy", allow_pickle=False)


def check(model, frames, folder, *, through="emulate", options=None, **compiling):
    """Compile, emulate beside PyTorch, verify."""
    network = exported(model, folder / "network.onnx", **(options or {}))
    build = compile_network(network, "ulx3s-85f", out=folder / "build", **compiling)
    found = outputs(build, frames, folder)
    with torch.no_grad():
        expected = model(torch.from_numpy(frames).float())
    expected = getattr(expected, "value", expected).numpy()
    equal = np.isclose(found.reshape(expected.shape), expected, 1e-4, 1e-5)
    # A float32 tie may turn a frame; a mistake turns most.
    assert equal.reshape(len(frames), -1).all(axis=1).mean() > 0.9
    report = verify(build, through=through)
    assert all(rung.mismatches == 0 for rung in report.rungs)
    assert all(layer.covered == layer.reachable for layer in report.boundary)
    return report


@pytest.fixture
def floats():
    return np.random.default_rng(0).normal(size=(40, 1, 6, 6)).astype(np.float32)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (40, 1, 6, 6))


@pytest.mark.parametrize("name", sorted(set(FLOATS) - {"xnor net"}))
def test_a_network_of_real_inputs(name, floats, tmp_path):
    check(made(FLOATS[name], floats), floats, tmp_path)


@pytest.mark.parametrize("name", sorted(set(IMAGES) - set(SIMULATED)))
def test_a_network_of_8_bit_images(name, images, tmp_path):
    check(made(IMAGES[name], images), images, tmp_path, input_type="UINT8")


@pytest.mark.parametrize("name", EXPORTS)
def test_every_exporter(name, floats, tmp_path):
    model = made(FLOATS["view"], floats)
    check(model, floats, tmp_path, options=EXPORTS[name])


@pytest.mark.parametrize("name", SIMULATED)
def test_every_cycle_of_a_network_of_images(name, images, tmp_path):
    report = check(
        made(IMAGES[name], images), images, tmp_path, through="rtl", input_type="UINT8"
    )
    assert {"rtl", "rtl, stalled", "boundary, rtl"} <= {r.rung for r in report.rungs}


def test_every_cycle_of_a_network_of_real_inputs(floats, tmp_path):
    check(made(FLOATS["xnor net"], floats), floats, tmp_path, through="rtl")
