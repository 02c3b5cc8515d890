# SPDX-License-Identifier: Apache-2.0
"""The reference follows the order of the numeric contract, to the last bit."""

from fractions import Fraction

import numpy as np
import pytest

from hwgq.compile.reference import evaluate
from tests.compile.onnx_nets import Chain, inputs, recorded


def widened(values):
    return np.float32(values).astype(np.float64)


@pytest.mark.parametrize("seed", range(4))
def test_a_chain_is_evaluated_in_the_contracts_order(seed):
    rng = np.random.default_rng(seed)
    gamma, beta, mean, var = rng.normal(size=(4, 8))
    var = var**2 + 0.1
    chain = Chain(6, seed=seed).annotate("UINT4").node("Mul", 0.1)
    chain.linear(8, 6, 0.3).norm(8, gamma=gamma, beta=beta, mean=mean, var=var)
    network = recorded(chain.quant(2, scale=0.7).linear(3, 8).model())
    section, _ = network.sections
    sums = section.accumulate(network.integers(inputs(network)))
    scale = widened(0.1) * widened(0.3)
    x = scale * sums
    x = (x - widened(mean)) / np.sqrt(widened(var) + widened(1e-5))
    x = x * widened(gamma) + widened(beta)
    np.testing.assert_array_equal(section.affine(sums), x)
    codes = np.round(np.clip(x / widened(0.7), 0, 3))
    np.testing.assert_array_equal(section.codes(sums), codes)


def test_a_division_stays_a_division():
    chain = Chain(6).annotate("UINT8").node("Div", 255.0).linear(8, 6, 0.3)
    network = recorded(chain.quant(2).linear(3, 8).model())
    section, _ = network.sections
    sums = section.accumulate(network.integers(inputs(network)))
    np.testing.assert_array_equal(section.affine(sums), sums / 255.0 * widened(0.3))


def test_offsets_of_columns_are_summed_exactly():
    offsets = np.float32([1e8, 1, -1e8, 3, 1e-3, 7])
    chain = Chain(6).annotate("INT4").node("Add", offsets).linear(2, 6, 1.0)
    network = recorded(chain.quant(2).linear(3, 2).model())
    section, _ = network.sections
    sums = section.accumulate(network.integers(inputs(network)))
    offsets = [Fraction(float(offset)) for offset in offsets]
    exact = [
        float(sum(o * int(w) for o, w in zip(offsets, row, strict=True)))
        for row in section.dot.weights
    ]
    np.testing.assert_array_equal(section.affine(sums), sums + np.array(exact))


def test_accumulators_codes_and_outputs_belong_together():
    chain = Chain(6).annotate("UINT4").linear(8, 6).quant(2).linear(3, 8, 0.5)
    network = recorded(chain.model())
    evaluation = evaluate(network, inputs(network))
    hidden, last = (s.name for s in network.sections)
    assert list(evaluation.codes) == [hidden, last]
    assert evaluation.codes[hidden].max() <= 3
    np.testing.assert_array_equal(evaluation.codes[last], evaluation.accumulators[last])
    np.testing.assert_array_equal(
        evaluation.outputs, 0.5 * 0.5 * evaluation.accumulators[last]
    )
