# SPDX-License-Identifier: Apache-2.0
"""The float32 witness of convolutions: what it excuses, and what it catches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from hwgq.errors import MismatchError
from hwgq.train import BinaryConv2d, witness
from hwgq.train.augmentation import MeanImage, PixelScale
from hwgq.train.chain import chain
from hwgq.train.error_bounds import bounded
from hwgq.train.exact_layers import evaluate
from hwgq.train.float_witness import witnessed_batches
from hwgq.train.models import Style, build
from hwgq.train.models.style import sequential
from tests.train.networks import (
    IMAGE,
    calibrated,
    conv_network,
    pictures,
    put_conv_means_on_the_grid,
)


def ended(ends, seed=0, **options):
    """A small convolutional network with what is done to its pixels in front."""
    torch.manual_seed(seed)
    model = build("cnn", (3, 18, 18), 5, Style(ends=ends, **options), width=0.25)
    mean = MeanImage(np.random.default_rng(seed).uniform(100, 150, (3, 18, 18)))
    first = {"pixels": mean if ends == "paper" else PixelScale()}
    model = sequential({**first, **dict(model.named_children())})
    return calibrated(model, pictures(16, shape=(3, 18, 18)))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pool_first": False},
        {"conv": {"stride": 2, "groups": 2}},
        {"conv": {"padding": 2, "dilation": 2}},
        {"spacing": "lloyd-max"},
        {"form": "round", "levels": 7},
    ],
    ids=str,
)
def test_float32_agrees_where_no_value_is_on_a_threshold(options):
    table = witness(conv_network(**options), pictures(120))
    assert [row.layer for row in table] == ["act1", "act2"]
    assert not any(row.ties for row in table)
    assert all(0 < row.bound < 1e-3 for row in table)


def test_rows_of_batches_are_added():
    model, frames = conv_network(), pictures(11)
    (whole,) = (rows for _, rows in witnessed_batches(model, frames))
    parts = [rows for _, rows in witnessed_batches(model, frames, 4)]
    assert [sum(rows[0].elements for rows in parts), len(parts)] == [11 * 96, 3]
    assert max(rows[1].bound for rows in parts) == whole[1].bound


def test_ties_are_counted_and_excused():
    model = put_conv_means_on_the_grid(conv_network())
    assert sum(row.ties for row in witness(model, pictures(100))) > 0


def forwards(model, frames):
    """Real values behind each layer in float32, in float64, and the bound between."""
    value = torch.from_numpy(frames).float()
    with torch.no_grad():
        for step, error in bounded(chain(model), frames):
            value = step.layer(value)
            if step.after.codes is not None:
                value = torch.from_numpy(step.after.values()).float()
            elif step.after.real is not None:
                yield step.name, value.double().numpy(), step.after.real, error


@pytest.mark.parametrize(
    "model",
    [
        conv_network(),
        conv_network(conv={"groups": 2, "stride": 2}),
        ended("paper"),
        ended("hardware"),
        ended("hardware", spacing="lloyd-max"),
    ],
    ids=["affine", "grouped", "paper", "hardware", "not uniform"],
)
def test_the_bound_covers_the_true_error_of_every_layer(model):
    shape = (3, 18, 18) if hasattr(model, "pixels") else IMAGE
    frames = pictures(60, shape=shape)
    names = []
    for name, got, exact, error in forwards(model, frames):
        off = np.abs(got - exact)
        assert (off <= error).all(), name
        # A bound that is thousands of times too wide would excuse mistakes.
        assert error.max() < 3000 * off.max(), name
        names.append(name)
    assert len(names) >= 6


@pytest.mark.parametrize(
    ("layer", "ends"),
    [
        (BinaryConv2d, "hardware"),
        (nn.MaxPool2d, "hardware"),
        (nn.BatchNorm2d, "hardware"),
        (nn.Conv2d, "paper"),
        (nn.Linear, "paper"),
        (nn.ReLU, "paper"),
    ],
)
def test_a_reference_that_is_off_by_more_than_rounding_is_a_mismatch(layer, ends):
    model, frames = ended(ends), pictures(80, shape=(3, 18, 18))
    original = evaluate.dispatch(layer)

    def moved(module, flow, name):
        after = original(module, flow, name)
        return after if after.real is None else replace(after, real=after.real + 0.02)

    evaluate.register(layer, moved)
    try:
        with pytest.raises(MismatchError, match="float32 PyTorch, "):
            witness(model, frames)
    finally:
        evaluate.register(layer, original)


def test_one_wrong_level_is_a_mismatch(monkeypatch):
    model = conv_network()
    forward = nn.Flatten.forward

    def wrong(self, x):
        return forward(self, x) + 0.5  # a step is 0.538: the logits are off

    monkeypatch.setattr(nn.Flatten, "forward", wrong)
    with pytest.raises(MismatchError, match="float32 PyTorch, the logits, frame"):
        witness(model, pictures(4))
