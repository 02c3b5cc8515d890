# SPDX-License-Identifier: Apache-2.0
"""The quantizers, element by element, against independent transcriptions in NumPy."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from hwgq.errors import OptionError
from hwgq.train import HWGQ, BinaryLinear, Sign
from hwgq.train.quantizers import (
    STEPS,
    HalfWave,
    WeightScale,
    alpha,
    binary_weight,
    half_wave,
    sign,
)

FLOAT = np.float32


def neighbours(values):
    """Each value, with the float32 numbers right below and above it."""
    middle = np.asarray(values, FLOAT)
    below, above = (np.nextafter(middle, FLOAT(to)) for to in (-np.inf, np.inf))
    return np.concatenate([below, middle, above])


def author_forward(x):
    """The author's rule at 3 levels: x <= 0 is 0, else the first x <= thrs[j]."""
    centers = np.array([0.538, 1.076, 1.614], FLOAT)
    thrs = [FLOAT(0.5) * (a + b) for a, b in pairwise(centers)]
    result = np.zeros_like(x)
    for i, value in enumerate(x):
        if value > 0:
            j = next((j for j, t in enumerate(thrs) if value <= t), len(thrs))
            result[i] = centers[j]
    return result


def inputs(quantizer):
    """Boundaries with their neighbours, far values, and a normal sample."""
    edges = [*quantizer.strict_thresholds, quantizer.top_value, 0, 1, -1, 2.614]
    noise = np.random.default_rng(0).normal(size=2000).astype(FLOAT)
    return np.concatenate([neighbours(edges), noise, [-50.0, 50.0]]).astype(FLOAT)


def gradient(function, x, upstream):
    """Gradient of `function` at `x`, times `upstream`."""
    variable = torch.from_numpy(x).requires_grad_()
    function(variable).backward(torch.from_numpy(upstream))
    return variable.grad.numpy()


def test_two_bits_are_the_authors_bit_for_bit():
    x = inputs(HalfWave())
    got = half_wave(torch.from_numpy(x), HalfWave()).numpy()
    assert np.array_equal(got, author_forward(x))


@pytest.mark.parametrize("bits", STEPS)
def test_level_counts_the_thresholds_strictly_below(bits):
    quantizer = HalfWave(bits)
    x = inputs(quantizer)
    step = STEPS[bits]
    thresholds = [0.0, *((k + 0.5) * step for k in range(1, 2**bits - 1))]
    level = sum((x > FLOAT(t)).astype(int) for t in thresholds)
    got = half_wave(torch.from_numpy(x), quantizer).numpy()
    assert np.array_equal(got, level.astype(FLOAT) * FLOAT(step))
    assert level.min() == 0
    assert level.max() == quantizer.top == len(thresholds)


@pytest.mark.parametrize("bits", STEPS)
def test_stored_thresholds_compare_with_equality(bits):
    quantizer = HalfWave(bits)
    x = neighbours(quantizer.strict_thresholds)[:, None]
    reached = x >= quantizer.thresholds
    assert np.array_equal(reached, x > quantizer.strict_thresholds)
    assert quantizer.thresholds.dtype == FLOAT
    assert quantizer.thresholds[0] == np.nextafter(FLOAT(0), FLOAT(1)) > 0


def test_zero_is_level_zero_and_the_next_number_is_level_one():
    x = torch.tensor([-0.0, 0.0, 1e-45, float("nan")])
    assert half_wave(x, HalfWave()).tolist() == [0, 0, HalfWave().step, 0]


@pytest.mark.parametrize("bits", STEPS)
@pytest.mark.parametrize("backward", ["vanilla", "clipped", "log-tailed"])
def test_backward_is_the_papers(bits, backward):
    quantizer = HalfWave(bits, backward)
    x = inputs(quantizer)
    upstream = np.random.default_rng(1).normal(size=x.shape).astype(FLOAT)
    top = FLOAT(quantizer.top_value)
    inside, above = (x > 0) & (x <= top), x > top
    tail = 1 / (np.where(above, x, top + 1) - FLOAT(quantizer.top_value - 1))
    slope = {
        "vanilla": (x > 0).astype(FLOAT),
        "clipped": inside.astype(FLOAT),
        "log-tailed": np.where(above, np.minimum(tail, 1), inside).astype(FLOAT),
    }[backward]
    got = gradient(lambda v: half_wave(v, quantizer), x, upstream)
    assert np.array_equal(got, upstream * slope)


def test_log_tail_is_one_at_the_top_and_a_half_one_above_it():
    top = HalfWave().top_value
    x = np.array([top, top + 1, top + 3], FLOAT)
    got = gradient(
        lambda v: half_wave(v, HalfWave(2, "log-tailed")), x, np.ones(3, FLOAT)
    )
    assert np.allclose(got, [1, 1 / 2, 1 / 4], rtol=1e-6)


def test_sign_of_zero_is_plus_one_and_its_gradient_the_hard_tanhs():
    x = neighbours([-1, 0, 1])
    assert np.array_equal(sign(torch.from_numpy(x)).numpy(), np.where(x >= 0, 1, -1))
    got = gradient(sign, x, np.full(x.shape, 3, FLOAT))
    assert np.array_equal(got, 3 * (np.abs(x) <= 1))


@pytest.mark.parametrize("scale", WeightScale)
@pytest.mark.parametrize("shape", [(4, 6), (4, 3, 2, 2)])
def test_binary_weights_and_their_gradient_are_the_authors(scale, shape):
    rng = np.random.default_rng(2)
    weight = rng.normal(size=shape).astype(FLOAT) * 2
    weight.flat[:3] = [0.0, -0.0, 5.0]
    axes = tuple(range(1, len(shape))) if scale == "channel" else None
    expected = np.abs(weight).mean(axes, keepdims=True)
    upstream = rng.normal(size=shape).astype(FLOAT)

    def binary(variable):
        return binary_weight(variable, alpha(variable, scale))

    got = binary(torch.from_numpy(weight)).numpy()
    assert np.allclose(got, np.where(weight >= 0, expected, -expected), rtol=1e-6)
    # Unchanged: no factor alpha, no derivative of alpha, no mask where |w| > 1.
    assert np.array_equal(gradient(binary, weight, upstream), upstream)


def test_layers_compute_what_the_functions_compute():
    torch.manual_seed(0)
    x = torch.randn(50, 7)
    quantizer = HalfWave(3, "vanilla")
    assert torch.equal(HWGQ(3, "vanilla")(x), half_wave(x, quantizer))
    assert torch.equal(Sign()(x), sign(x))
    layer = BinaryLinear(7, 5)
    weight = layer.weight.detach()
    expected = torch.where(weight >= 0, 1.0, -1.0) * weight.abs().mean(1, keepdim=True)
    assert torch.equal(layer(x), torch.nn.functional.linear(x, expected))
    assert set(layer.state_dict()) == {"weight"}
    assert not HWGQ().state_dict()


def test_gradients_pass_through_the_layers_unchanged():
    torch.manual_seed(0)
    layer, x = BinaryLinear(6, 4), torch.randn(9, 6)
    layer(x).pow(2).sum().backward()
    weight = binary_weight(layer.weight, layer.alpha()).detach().requires_grad_()
    torch.nn.functional.linear(x, weight).pow(2).sum().backward()
    assert torch.equal(layer.weight.grad, weight.grad)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HWGQ(bits=5), "HWGQ: has no 5 bits. Choose one of 1, 2, 3, 4."),
        (
            lambda: HWGQ(backward="cliped"),
            "HWGQ: has no backward 'cliped'. Choose one of vanilla, clipped,"
            " log-tailed.",
        ),
        (
            lambda: BinaryLinear(2, 2, scale="row"),
            "BinaryLinear: has no scale 'row'. Choose one of channel, tensor.",
        ),
    ],
)
def test_unknown_options_are_refused(make, message):
    with pytest.raises(OptionError) as error:
        make()
    assert str(error.value) == message


def test_misspelt_keywords_are_refused():
    with pytest.raises(TypeError, match="bit_widht"):
        HWGQ(bit_widht=2)
