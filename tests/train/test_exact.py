# SPDX-License-Identifier: Apache-2.0
"""The reference against rational arithmetic, and on values exactly on thresholds."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from hwgq.errors import UnsupportedLayerError
from hwgq.train import HWGQ, BinaryLinear, Sign, reference
from tests.train.networks import STEP, images, network, put_means_on_the_grid


def chain(acc, linear, norm, step, channel):
    """The contract's chain for one accumulator, in Python's float64."""
    scales = linear.alpha().flatten().tolist()
    x = (scales[channel] * step) * acc
    eps = float(np.float32(norm.eps))
    mean, var = (t[channel].item() for t in (norm.running_mean, norm.running_var))
    x = (x - mean) / (var + eps) ** 0.5
    if norm.affine:
        x = x * norm.weight[channel].item() + norm.bias[channel].item()
    return x


def by_hand(model, image):
    """Levels of each quantizer and last accumulators for one image, by number."""
    integers, step, found = [int(v) for v in image], 1.0, {}
    for i in (1, 2):
        linear, norm, act = (model.get_submodule(f"{k}{i}") for k in LAYERS)
        accs = [
            sum(v if w >= 0 else -v for v, w in zip(integers, row, strict=True))
            for row in linear.weight.tolist()
        ]
        reals = [chain(acc, linear, norm, step, c) for c, acc in enumerate(accs)]
        if isinstance(act, Sign):
            found[f"act{i}"] = [int(x >= 0) for x in reals]
            integers, step = [2 * code - 1 for code in found[f"act{i}"]], 1.0
        else:
            thresholds = [float(t) for t in act.quantizer.strict_thresholds]
            found[f"act{i}"] = integers = [
                sum(x > t for t in thresholds) for x in reals
            ]
            step = act.quantizer.step
    rows = model.linear3.weight.tolist()
    return found, [
        sum(v if w >= 0 else -v for v, w in zip(integers, row, strict=True))
        for row in rows
    ]


LAYERS = ("linear", "norm", "act")


@pytest.mark.parametrize(
    "options",
    [{}, {"bits": 1}, {"bits": 4}, {"affine": True}, {"sign": True}, {"grid": True}],
    ids=str,
)
def test_every_level_and_accumulator_is_the_contracts(options):
    on_grid = options.pop("grid", False)
    model = network(**options)
    if on_grid:
        put_means_on_the_grid(model)
    frames = images(60)
    got = reference(model, frames)
    for k, frame in enumerate(frames):
        levels, accumulators = by_hand(model, frame)
        for name, codes in levels.items():
            assert got.levels[name][k].tolist() == codes
        assert got.accumulators[k].tolist() == accumulators
    scales = model.linear3.alpha().flatten().double().numpy()
    step = 1.0 if options.get("sign") else model.act2.quantizer.step
    logits = scales * step * got.accumulators + model.linear3.bias.detach().numpy()
    assert np.array_equal(got.logits, logits)


def test_levels_are_exact_where_no_float_is_near_a_threshold():
    """float64 agrees with rational arithmetic but within its own rounding."""
    model, frames = network(), images(50)
    got = reference(model, frames)
    scale = [Fraction(a) for a in model.linear1.alpha().flatten().tolist()]
    signs = model.linear1.signs().numpy().astype(int)
    for frame, codes in zip(frames.astype(int), got.levels["act1"], strict=True):
        for channel, acc in enumerate(signs @ frame):
            mean = Fraction(model.norm1.running_mean[channel].item())
            centred = scale[channel] * int(acc) - mean
            # x > 0 does not depend on the variance, so this is exact.
            assert (codes[channel] > 0) == (centred > 0)


def test_a_value_exactly_on_a_threshold_is_below_it():
    model = network()
    with torch.no_grad():
        model.linear1.weight.fill_(0.5)  # alpha = 1/2, exact
        model.norm1.running_mean.fill_(8.0)
        model.norm1.running_var.fill_(1.0)
    frames = np.zeros((3, 12), np.uint8)
    frames[:, 0] = 15, 16, 16
    frames[2, 1] = 1
    levels = reference(model, frames).levels["act1"]
    assert levels[0].tolist() == [0] * 9  # (7.5 - 8) < 0
    assert levels[1].tolist() == [0] * 9  # exactly 0: not reached
    assert levels[2].tolist() == [1] * 9  # 0.5 < 0.807


def test_eps_is_the_float32_number_that_onnx_stores():
    model = network()
    model.norm1.running_var.zero_()
    model.norm1.running_mean.zero_()
    eps = float(np.float32(1e-5))
    threshold = float(model.act1.quantizer.thresholds[1])
    alpha = float(np.float32(threshold * np.sqrt(eps)))
    frame = np.zeros((1, 12), np.uint8)
    frame[0, 0] = 1
    with torch.no_grad():
        model.linear1.weight.copy_(torch.full((9, 12), alpha))
    scale = model.linear1.alpha().flatten().tolist()[0]
    expected = 1 + int(scale / np.sqrt(0.0 + eps) >= threshold)
    assert reference(model, frame).levels["act1"][0, 0] == expected


def test_equal_logits_give_the_lowest_class():
    model = network(bias=False)
    with torch.no_grad():
        model.linear3.weight.fill_(1.0)
    assert not reference(model, images(20)).classes.any()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [BinaryLinear(12, 4), nn.GELU()],
            "1: GELU is not in the numeric contract. Use",
        ),
        (
            [BinaryLinear(12, 4), BinaryLinear(4, 2)],
            "1: a dot product of values that are",
        ),
        ([HWGQ()], "0: comes before the first dot product"),
        ([BinaryLinear(12, 4), HWGQ()], "the network: ends in a quantizer. End it in"),
        ([nn.Linear(12, 4)], "the network: has no binary layer. Give it binary layers"),
    ],
)
def test_networks_outside_the_contract_are_refused(layers, message):
    with pytest.raises(UnsupportedLayerError) as error:
        reference(nn.Sequential(*layers), images(2))
    assert str(error.value).startswith(message)


def test_the_step_of_the_tests_is_the_layers():
    assert HWGQ().quantizer.step == STEP
