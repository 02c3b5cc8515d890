# SPDX-License-Identifier: Apache-2.0
"""The quantizers, element by element, against independent transcriptions in NumPy."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch

from hwgq.train.half_wave import LEVELS, HalfWave
from hwgq.train.options import PUBLISHED_STEPS, Backward, Form, Spacing
from hwgq.train.quantizers import CHUNK, alpha, binary_weight, half_wave, sign

FLOAT = np.float32
QUANTIZERS = list(product(LEVELS, Spacing, Form))
LOW, TOP = FLOAT(-np.inf), FLOAT(np.inf)


def neighbours(values):
    """Each value, with the float32 numbers right below and above it."""
    middle = np.asarray(values, FLOAT)
    return np.concatenate(
        [np.nextafter(middle, LOW), middle, np.nextafter(middle, TOP)]
    )


def inputs(quantizer):
    """Boundaries with 40 numbers on either side, extremes, and a normal sample."""
    ends = [-1, 0, 1, 2.614, -50, 50, 1e-39, 3e38]
    edges = np.concatenate([quantizer.strict_thresholds, [quantizer.top_value], ends])
    for _ in range(4):
        edges = np.unique(neighbours(edges))
    bits = edges.view(np.int32)[:, None] + np.arange(-36, 37, dtype=np.int32)
    near = bits.ravel().view(FLOAT)
    noise = np.random.default_rng(0).normal(size=2000).astype(FLOAT)
    infinite = np.array([np.inf, -np.inf, -0.0], FLOAT)
    return np.concatenate([near[np.isfinite(near)], noise, infinite])


def author_forward(x, centers):
    """QuantLayer's: x <= 0 is 0, else the first center whose threshold x is up to."""
    middles = [FLOAT(0.5 * (a + b)) for a, b in pairwise(centers)]
    result = np.zeros_like(x)
    for i, value in enumerate(x):
        if value > 0:
            below = (j for j, t in enumerate(middles) if value <= t)
            result[i] = FLOAT(centers[next(below, len(middles))])
    return result


def expected(quantizer, x):
    """Values, by what the quantizer's forms say in words."""
    if quantizer.uniform and quantizer.form == Form.ROUND:
        step = FLOAT(quantizer.step)
        with np.errstate(over="ignore"):
            return np.clip(np.rint(x / step), 0, quantizer.levels) * step
    if quantizer.uniform:
        step = PUBLISHED_STEPS.get(quantizer.levels) or round(quantizer.step, 4)
        levels = author_forward(
            x / 1, [k * step for k in range(1, len(quantizer.values))]
        )
        return np.rint(levels / FLOAT(step)) * FLOAT(step)
    centers = [round(float(value), 4) for value in quantizer.values[1:]]
    if quantizer.form == Form.PAPER:
        return author_forward(x, centers)
    return np.where(x > FLOAT(centers[0] / 2), author_forward(x, centers), FLOAT(0))


def slopes(quantizer, x):
    """What stands in for the derivative, as the paper's section 3.2 has it."""
    top = FLOAT(quantizer.top_value)
    if quantizer.backward == Backward.VANILLA:
        return (x > 0).astype(FLOAT)
    inside = ((x > 0) & (x <= top)).astype(FLOAT)
    if quantizer.backward == Backward.CLIPPED:
        return inside
    # Next above the top, x - tau may round to less than 1 or to 1: the slope is 1.
    distance = np.maximum(x - FLOAT(quantizer.top_value - 1), 1)
    return np.where(x > top, 1 / distance, inside)


def gradient(function, x, upstream):
    """Gradient of `function` at `x`, times `upstream`."""
    variable = x.clone().requires_grad_()
    function(variable).backward(upstream)
    return variable.grad


@pytest.mark.parametrize(("levels", "spacing", "form"), QUANTIZERS)
def test_values_are_the_rules_bit_for_bit(levels, spacing, form):
    quantizer = HalfWave(levels, spacing=spacing, form=form)
    x = inputs(quantizer)
    got = half_wave(torch.from_numpy(x), quantizer).numpy()
    assert np.array_equal(got, expected(quantizer, x))
    assert np.unique(got).size == levels + 1


def test_two_bits_are_the_authors_own_numbers():
    x = inputs(HalfWave())
    centers = np.array([0.538, 1.076, 1.614], FLOAT)  # his are float32 as well
    got = half_wave(torch.from_numpy(x), HalfWave()).numpy()
    assert np.array_equal(got, author_forward(x, centers))


@pytest.mark.parametrize(("levels", "spacing", "form"), QUANTIZERS)
def test_levels_count_the_thresholds_strictly_below(levels, spacing, form):
    quantizer = HalfWave(levels, spacing=spacing, form=form)
    x = inputs(quantizer)
    level = sum((x > t).astype(int) for t in quantizer.strict_thresholds)
    for kind in (torch.float32, torch.float64):
        got = half_wave(torch.from_numpy(x).to(kind), quantizer)
        assert got.dtype == kind
        assert np.array_equal(got.float().numpy(), quantizer.values[level])
    between = x.astype(float) + np.spacing(x.astype(float))
    level = sum((between > t).astype(int) for t in quantizer.strict_thresholds)
    got = half_wave(torch.from_numpy(between), quantizer)
    assert np.array_equal(got.float().numpy(), quantizer.values[level])


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("levels", "spacing", "form"), QUANTIZERS)
def test_numbers_of_16_bits_are_compared_as_they_are(levels, spacing, form, kind):
    quantizer = HalfWave(levels, spacing=spacing, form=form)
    every = torch.arange(-(2**15), 2**15, dtype=torch.int16).view(kind)
    x = every[~every.isnan()]
    got = half_wave(x, quantizer)
    assert torch.equal(got, half_wave(x.float(), quantizer).to(kind))
    ones = torch.ones_like(x)
    got = gradient(lambda v: half_wave(v, quantizer), x, ones)
    slope = slopes(quantizer, x.float().numpy())
    assert torch.equal(got, torch.from_numpy(slope).to(kind))


@pytest.mark.parametrize("levels", LEVELS)
def test_stored_thresholds_compare_with_equality(levels):
    quantizer = HalfWave(levels)
    x = neighbours(quantizer.strict_thresholds)[:, None]
    reached = x >= quantizer.thresholds
    assert np.array_equal(reached, x > quantizer.strict_thresholds)
    assert quantizer.thresholds.dtype == FLOAT
    assert quantizer.thresholds[0] == np.nextafter(FLOAT(0), FLOAT(1)) > 0


def test_zero_and_what_is_no_number_are_level_zero_and_the_least_number_is_one():
    x = torch.tensor([-0.0, 0.0, float("nan"), -1e-45, 1e-45, float("inf")] * 9)
    step = HalfWave().step
    assert half_wave(x, HalfWave()).tolist() == [0, 0, 0, 0, step, 3 * step] * 9


@pytest.mark.parametrize("backward", Backward)
def test_large_and_strided_tensors_are_quantized_alike(backward):
    quantizer = HalfWave(3, backward)
    x = torch.randn(5, 3, 187, 189)
    assert x.numel() > 2 * CHUNK
    planes = x.to(memory_format=torch.channels_last)
    flat = torch.from_numpy(expected(HalfWave(), x[:1].numpy().ravel()))
    for same in (x, planes, x.transpose(0, 2).contiguous().transpose(0, 2)):
        got = half_wave(same, quantizer)
        assert torch.equal(got[:1].flatten(), flat)
        assert got.stride() == same.stride()
        grads = gradient(lambda v: half_wave(v, quantizer), same, torch.ones_like(x))
        assert np.array_equal(grads.numpy(), slopes(quantizer, x.numpy()))
    for part in (x[::2, :, 3:], x[0, 0, 0, 0], x[:0], x[:1, :1].expand(2, 3, -1, -1)):
        assert torch.equal(
            half_wave(part, quantizer), half_wave(part.clone(), quantizer)
        )


@pytest.mark.parametrize("backward", Backward)
@pytest.mark.parametrize(("levels", "spacing", "form"), QUANTIZERS)
def test_backward_is_the_papers(levels, spacing, form, backward):
    quantizer = HalfWave(levels, backward, spacing, form)
    x = inputs(quantizer)
    upstream = np.random.default_rng(1).normal(size=x.shape).astype(FLOAT)
    got = gradient(
        lambda v: half_wave(v, quantizer),
        torch.from_numpy(x),
        torch.from_numpy(upstream),
    )
    assert np.array_equal(got.numpy(), upstream * slopes(quantizer, x))


@pytest.mark.parametrize("backward", Backward)
def test_backward_in_float64_tells_apart_what_float32_does_not(backward):
    quantizer = HalfWave(3, backward)
    top = quantizer.top_value
    x = torch.tensor([5e-324, 0.0, top, np.nextafter(top, 2)], dtype=torch.float64)
    got = gradient(lambda v: half_wave(v, quantizer), x, torch.ones_like(x))
    above = 0 if backward == Backward.CLIPPED else 1
    assert got.tolist() == pytest.approx([1, 0, 1, above], abs=1e-15)


def test_log_tail_is_one_at_the_top_and_a_half_one_above_it():
    quantizer = HalfWave(backward="log-tailed")
    x = quantizer.top_value + torch.tensor([0.0, 1, 3])
    got = gradient(lambda v: half_wave(v, quantizer), x, torch.ones(3))
    assert np.allclose(got, [1, 1 / 2, 1 / 4], rtol=1e-6)


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16])
def test_sign_of_zero_is_plus_one_and_its_gradient_the_hard_tanhs(kind):
    middle = torch.tensor([-1, -0.0, 0, 1] * 8, dtype=kind)
    below, above = (torch.nextafter(middle, middle * 0 + to) for to in (-2, 2))
    x = torch.cat([below, middle, above])
    one = torch.ones((), dtype=kind)
    assert torch.equal(sign(x), torch.where(x >= 0, one, -one))
    got = gradient(sign, x, torch.full_like(x, 3))
    assert torch.equal(got, 3 * (x.abs() <= 1).to(kind))


@pytest.mark.parametrize("scale", ["channel", "tensor"])
@pytest.mark.parametrize("shape", [(4, 6), (4, 3, 2, 2)])
def test_binary_weights_and_their_gradient_are_the_authors(scale, shape):
    rng = np.random.default_rng(2)
    weight = rng.normal(size=shape).astype(FLOAT) * 2
    weight.flat[:3] = [0.0, -0.0, 5.0]
    axes = tuple(range(1, len(shape))) if scale == "channel" else None
    mean = np.abs(weight).mean(axes, keepdims=scale == "channel")
    latent = torch.from_numpy(weight)
    found = alpha(latent, scale)
    assert found.shape == mean.shape
    assert np.allclose(found, mean, rtol=1e-6)
    values = binary_weight(latent, found)
    assert torch.equal(values, torch.where(latent >= 0, found, -found))
    assert np.array_equal(latent.numpy(), weight)
    # Unchanged: no factor alpha, no derivative of alpha, no mask where |w| > 1.
    upstream = torch.from_numpy(rng.normal(size=shape).astype(FLOAT))
    got = gradient(lambda w: binary_weight(w, alpha(w, scale)), latent, upstream)
    assert torch.equal(got, upstream)


def test_alpha_does_not_depend_on_the_order_in_memory():
    weight = torch.randn(16, 24, 3, 3)
    planes = weight.to(memory_format=torch.channels_last)
    assert torch.equal(alpha(weight, "channel"), alpha(planes, "channel"))
