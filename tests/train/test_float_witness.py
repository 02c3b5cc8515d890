# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
import torch

from hwgq.errors import MismatchError
from hwgq.train import witness
from hwgq.train.exact_layers import evaluate
from hwgq.train.layers import HWGQ
from tests.train.networks import images, network, put_means_on_the_grid


@pytest.mark.parametrize("options", [{}, {"affine": True}, {"sign": True}, {"bits": 4}])
def test_float32_agrees_where_no_value_is_on_a_threshold(options):
    table = witness(network(**options), images())
    assert [row.layer for row in table] == ["act1", "act2"]
    assert [row.elements for row in table] == [400 * 9, 400 * 7]
    assert not any(row.ties for row in table)
    assert all(0 < row.bound < 1e-4 for row in table)


def test_ties_are_counted_and_excused():
    ties = sum(
        row.ties
        for seed in range(5)
        for row in witness(put_means_on_the_grid(network(seed)), images(2000))
    )
    assert ties > 0


def test_the_model_is_left_as_it_was():
    model = network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    witness(model, images(10))
    assert model.training
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_a_difference_that_no_rounding_explains_is_a_mismatch(monkeypatch):
    model = network()
    forward = HWGQ.forward

    def wrong(self, x):
        y = forward(self, x)
        if self is not model.act2 and x.shape[1] == 7:
            y[5, 3] = 2 * self.quantizer.step if y[5, 3] == 0 else 0
        return y

    monkeypatch.setattr(HWGQ, "forward", wrong)
    with pytest.raises(MismatchError, match=r"float32 PyTorch, act2, frame.* \(5, 3\)"):
        witness(model, images(10))


def test_a_reference_that_is_off_by_more_than_rounding_is_a_mismatch():
    model = network()
    original = evaluate.dispatch(HWGQ)

    def moved(layer, flow, name):
        return original(layer, replace(flow, real=flow.real - 0.01), name)

    evaluate.register(HWGQ, moved)
    try:
        with pytest.raises(MismatchError, match="act1"):
            witness(model, images(4000))
    finally:
        evaluate.register(HWGQ, original)


def test_the_bound_covers_the_true_error():
    model, frames = network(affine=True), images(3000)
    rows = witness(model, frames)
    value = torch.from_numpy(frames).float()
    exact = value.double().numpy()
    linear, norm = model.linear1, model.norm1
    with torch.no_grad():
        got = norm(linear(value)).double().numpy()
    signs, alpha = linear.signs().double().numpy(), linear.alpha().double().numpy()
    x = exact @ signs.T * alpha.reshape(-1)
    mean, var, gamma, beta = (
        t.detach().double().numpy()
        for t in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    x = (x - mean) / np.sqrt(var + norm.eps) * gamma + beta
    assert 0 < np.abs(got - x).max() < rows[0].bound
