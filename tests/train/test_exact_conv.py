# SPDX-License-Identifier: Apache-2.0
"""The reference of convolutions, maxima, scaled pixels, and of float ends."""

from collections import OrderedDict
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from hwgq.errors import UnsupportedLayerError
from hwgq.train import HWGQ, BinaryConv2d, BinaryLinear, Sign, reference
from hwgq.train.augmentation import MeanImage, PixelScale
from hwgq.train.datasets import Part
from hwgq.train.exact import accuracy, classify, reference_batches
from hwgq.train.exact_layers import evaluate
from hwgq.train.flow import Flow
from hwgq.train.models import Style, build
from hwgq.train.models.style import sequential
from tests.train.networks import (
    IMAGE,
    calibrated,
    conv_network,
    pictures,
    put_conv_means_on_the_grid,
)


def convolved(image, layer):
    """Sums of signs and integers, by their definition, in Python's integers."""
    signs = np.where(layer.weight.detach().numpy() >= 0, 1, -1).tolist()
    channels, rows, columns = image.shape
    (sy, sx), (py, px), (dy, dx) = layer.stride, layer.padding, layer.dilation
    (ky, kx), each = layer.kernel_size, channels // layer.groups
    height = (rows + 2 * py - dy * (ky - 1) - 1) // sy + 1
    width = (columns + 2 * px - dx * (kx - 1) - 1) // sx + 1
    out = np.zeros((layer.out_channels, height, width), int)
    for o, y, x in product(*map(range, out.shape)):
        first = o // (layer.out_channels // layer.groups) * each
        for c, i, j in product(range(each), range(ky), range(kx)):
            row, column = y * sy + i * dy - py, x * sx + j * dx - px
            if 0 <= row < rows and 0 <= column < columns:
                out[o, y, x] += signs[o][c][i][j] * int(image[first + c, row, column])
    return out


def applied(layer, integers, step=1.0):
    return evaluate(layer, Flow(integers, step=step), "layer")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": 1},
        {"stride": 2, "padding": (2, 0)},
        {"dilation": (2, 1)},
        {"groups": 2, "padding": 1},
        {"groups": 4, "stride": (1, 2), "dilation": 2, "padding": 2},
    ],
    ids=str,
)
def test_accumulators_of_a_convolution_are_exact(options):
    torch.manual_seed(0)
    layer = BinaryConv2d(4, 8, (3, 2), **options, bias=True)
    layer.bias.data.normal_()
    frames = pictures(3, shape=(4, 8, 7))
    got = applied(layer, frames, step=0.5)
    expected = np.stack([convolved(frame, layer) for frame in frames])
    assert np.array_equal(got.accumulators, expected)
    scale, bias = (t.detach().double().numpy() for t in (layer.alpha(), layer.bias))
    chain = (scale.reshape(-1, 1, 1) * 0.5) * expected + bias.reshape(-1, 1, 1)
    assert np.array_equal(got.real, chain)


@pytest.mark.parametrize(("factor", "kind"), [(1, np.float32), (2**14, np.float64)])
def test_sums_that_float32_could_round_are_taken_in_float64(factor, kind):
    layer = BinaryConv2d(3, 2, 3)
    frames = pictures(2).astype(np.int64) * factor + 1
    got = applied(layer, frames)
    assert got.accumulators.dtype == kind
    assert np.array_equal(got.accumulators[0], convolved(frames[0], layer))


def test_a_maximum_is_taken_of_levels_and_of_real_values():
    pool = nn.MaxPool2d(3, stride=2, padding=1)
    levels = pictures(4)
    expected = pool(torch.from_numpy(levels).double()).numpy()
    assert np.array_equal(applied(pool, levels).integers, expected)
    real = expected - 100.5
    flow = Flow(levels, real=np.asarray(levels, float) - 100.5)
    assert np.array_equal(evaluate(pool, flow, "pool").real, real)
    signs = np.where(levels > 100, 1, -1).astype(np.int8)
    assert set(applied(pool, signs).integers.flatten().tolist()) <= {-1, 1}


def test_the_order_of_maximum_and_quantizer_does_not_matter_without_negative_factors():
    first, then = (conv_network(pool_first=order) for order in (True, False))
    then.load_state_dict(first.state_dict())
    then.norm1.running_mean, then.norm1.running_var = (
        first.norm1.running_mean,
        first.norm1.running_var,
    )
    got, other = reference(first, pictures()), reference(then, pictures())
    assert np.array_equal(got.logits, other.logits)
    assert got.levels["act1"].shape == (20, 6, 4, 4)
    assert other.levels["act1"].shape == (20, 6, 9, 9)


def test_scaled_pixels_make_the_step_of_the_first_product():
    layer, pixels = BinaryConv2d(3, 4, 3), PixelScale()
    got = evaluate(layer, evaluate(pixels, Flow(pictures()), "pixels"), "conv")
    scale = layer.alpha().double().numpy().reshape(-1, 1, 1)
    step = float(np.float32(1 / 255))
    assert np.array_equal(got.real, (scale * step) * got.accumulators)


def test_levels_that_are_not_uniform_are_looked_up():
    model = conv_network(spacing="lloyd-max", levels=2)
    got = reference(model, pictures())
    assert set(np.unique(got.levels["act1"])) == {0, 1, 2}
    assert got.accumulators.shape == (20, 0)
    values = model.act2.quantizer.values.astype(np.float64)[got.levels["act2"]]
    layer = model.linear3
    scale, signs, bias = (
        t.detach().double().numpy() for t in (layer.alpha(), layer.signs(), layer.bias)
    )
    logits = values.reshape(20, -1) @ signs.T * scale.T + bias
    assert np.allclose(got.logits, logits, rtol=1e-13, atol=1e-13)


def paper(name="cnn", **options):
    torch.manual_seed(0)
    model = build(name, (3, 18, 18), 5, Style(ends="paper", **options), width=0.25)
    mean = np.random.default_rng(0).uniform(100, 150, (3, 18, 18))
    layers = {"pixels": MeanImage(mean), **dict(model.named_children())}
    return calibrated(sequential(layers), pictures(16, shape=(3, 18, 18)))


def test_float_ends_are_float64_around_exact_integers():
    model, frames = paper(), pictures(6, shape=(3, 18, 18))
    got = reference(model, frames)
    assert list(got.levels) == ["act1", "act2", "act3"]
    first = nn.Sequential(model.pixels, model.conv1, model.norm1)
    with torch.no_grad():
        x = first.double()(torch.from_numpy(frames).double()).numpy()
    level = np.searchsorted(model.act1.quantizer.thresholds, x, side="right")
    assert np.array_equal(got.levels["act1"], level)
    sums = np.stack([convolved(f, model.conv4) for f in got.levels["act3"]])
    assert np.array_equal(got.accumulators, sums)
    scale = model.conv4.alpha().double() * model.act3.quantizer.step
    last = nn.Sequential(OrderedDict(list(model.named_children())[-5:])).double()
    assert [type(m).__name__ for m in last] == (
        ["MaxPool2d", "BatchNorm2d", "ReLU", "Flatten", "Linear"]
    )
    with torch.no_grad():
        logits = last(torch.from_numpy(sums) * scale.reshape(-1, 1, 1)).numpy()
    assert np.allclose(got.logits, logits, rtol=1e-9)  # eps is ONNX's, float32


def test_batches_are_the_whole():
    model, frames = conv_network(), pictures(23)
    whole, parts = reference(model, frames), list(reference_batches(model, frames, 5))
    assert [len(part.logits) for part in parts] == [5, 5, 5, 5, 3]
    for name, codes in whole.levels.items():
        assert np.array_equal(np.concatenate([p.levels[name] for p in parts]), codes)
    assert np.array_equal(np.concatenate([p.logits for p in parts]), whole.logits)
    classes = classify(model, frames)
    assert np.array_equal(classes, whole.classes)
    labels = np.where(np.arange(23) < 7, classes, classes + 1)
    assert accuracy(model, Part(frames, labels)) == 7 / 23


def test_grid_ties_are_decided_by_the_stored_numbers():
    model = conv_network()
    model.conv1.weight.data = model.conv1.signs() / 2  # alpha and means are exact
    put_conv_means_on_the_grid(model)
    got = reference(model, pictures(40))
    sums = applied(model.conv1, pictures(40))
    chain = model.pool1(torch.from_numpy(sums.real)).numpy()
    mean = model.norm1.running_mean.double().numpy().reshape(-1, 1, 1)
    assert (chain == mean).any()
    assert not got.levels["act1"][chain == mean].any()  # x > 0 is not reached


CONV, DENSE = BinaryConv2d(3, 2, 3), BinaryLinear(98, 2)
NORM = nn.BatchNorm2d(2, affine=False, track_running_stats=False)
FLAT = nn.Flatten()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([CONV, NORM, HWGQ()], "1: keeps no running statistics. Make it with track"),
        ([BinaryConv2d(4, 2, 3)], r"0: gets a tensor of shape \(3, 9, 9\) a frame"),
        ([FLAT, BinaryLinear(10, 2)], "1: gets 243 columns, not 10. Flatten before"),
        ([BinaryConv2d(3, 2, 11)], r"0: gets pixels of shape \(9, 9\), less than"),
        ([nn.AvgPool2d(2)], "0: AvgPool2d is not in the numeric contract. Use nn.Max"),
        ([nn.MaxPool2d(2, return_indices=True)], "0: returns indices. Make it with"),
        ([nn.Flatten(2)], "0: flattens some axes only. Use nn.Flatten()"),
        ([CONV, HWGQ(), PixelScale()], "2: scales what are no pixels. Put it in front"),
        (
            [CONV, HWGQ(), nn.Conv2d(2, 2, 1), HWGQ()],
            "2: is float, and stands between two quantizers",
        ),
        ([CONV, Sign(), FLAT, DENSE, nn.ReLU(), HWGQ()], "4: is float, and stands"),
        ([FLAT, nn.Linear(243, 2)], "the network: has no binary layer. Give it binary"),
        ([CONV, nn.ReLU(), BinaryConv2d(2, 2, 1)], "2: a dot product of values that"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_networks_outside_the_contract_are_refused(layers, message):
    with pytest.raises(UnsupportedLayerError, match=message):
        reference(nn.Sequential(*layers), pictures(2, shape=IMAGE))
