# SPDX-License-Identifier: Apache-2.0
"""Integers and scales are found whatever made the weights."""

import numpy as np
import pytest

from hwgq.compile.passes.normalize import normalize
from hwgq.compile.tape import Tape
from hwgq.compile.weights import low_bit_weights, weight_kind
from tests.compile.onnx_nets import Chain


def product(matrix, *, left=False):
    """Make the tape of one product with a matrix, and give its node."""
    columns = matrix.shape[1] if left else matrix.shape[0]
    chain = Chain(columns, 1) if left else Chain(columns)
    tape = Tape(normalize(chain.node("MatMul", matrix, left=left).model()))
    return tape, tape.path[0]


def quantized(bits, values):
    """Make the tape of a product with weights by ``Quant``."""
    chain = Chain(len(values))
    flow, chain.tensor = chain.tensor, chain.constant(values)
    chain.quant(bits, scale=0.5, signed=1)
    weights, chain.tensor = chain.tensor, flow
    tape = Tape(normalize(chain.node("MatMul", weights).model()))
    return tape, tape.path[-1]


@pytest.mark.parametrize("left", [False, True])
def test_a_scale_a_row(left):
    rng = np.random.default_rng(0)
    signs, scale = rng.random((4, 6)) < 0.5, np.float32(rng.uniform(0.1, 1, 4))
    rows = np.where(signs, 1, -1) * scale[:, np.newaxis]
    found = low_bit_weights(*product(rows if left else rows.T, left=left))
    np.testing.assert_array_equal(found.integers > 0, signs)
    np.testing.assert_array_equal(found.scale, scale.astype(np.float64))
    assert found.bits == 1


def test_a_row_of_zeros_has_the_scale_0():
    found = low_bit_weights(*product(np.array([[0.0, 1.0], [0.0, -1.0]])))
    assert found.integers.tolist() == [[1, 1], [1, -1]]
    assert found.scale.tolist() == [0, 1]


def test_zero_is_positive_in_a_quant():
    values = np.array([[0.0, -0.0], [-1e-9, 1e-9]])
    found = low_bit_weights(*quantized(1, values))
    assert found.integers.tolist() == [[1, -1], [1, 1]]
    assert found.scale.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_several_bits_are_integers_times_a_scale(bits):
    values = np.random.default_rng(bits).normal(size=(6, 4)) * 2**bits
    found = low_bit_weights(*quantized(bits, values))
    half = 2 ** (bits - 1)
    wanted = np.round(values / 0.5).clip(-half, half - 1).astype(int)
    np.testing.assert_array_equal(found.integers, wanted.T)
    assert found.scale.tolist() == [0.5] * 4
    assert found.bits == bits


def test_weights_that_hardware_cannot_hold_are_none():
    values = np.random.default_rng(0).normal(size=(6, 4))
    assert low_bit_weights(*product(values)) is None
    assert weight_kind(*product(values)) == "float"
    assert low_bit_weights(*quantized(9, 256 * values)) is None
    assert weight_kind(*quantized(9, values)) == "9-bit"
