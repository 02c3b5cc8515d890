# SPDX-License-Identifier: Apache-2.0
"""Signs and scales are found whatever made the weights."""

import numpy as np
import pytest

from hwgq.compile.passes.normalize import normalize
from hwgq.compile.tape import Tape
from hwgq.compile.weights import binary_weights, weight_kind
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
    found = binary_weights(*product(rows if left else rows.T, left=left))
    np.testing.assert_array_equal(found[0], signs)
    np.testing.assert_array_equal(found[1], scale.astype(np.float64))


def test_a_row_of_zeros_has_the_scale_0():
    signs, scale = binary_weights(*product(np.array([[0.0, 1.0], [0.0, -1.0]])))
    assert signs.tolist() == [[True, True], [True, False]]
    assert scale.tolist() == [0, 1]


def test_zero_is_positive_in_a_quant():
    values = np.array([[0.0, -0.0], [-1e-9, 1e-9]])
    signs, scale = binary_weights(*quantized(1, values))
    assert signs.tolist() == [[True, False], [True, True]]
    assert scale.tolist() == [0.5, 0.5]


def test_float_and_several_bits_are_told_apart():
    values = np.random.default_rng(0).normal(size=(6, 4))
    assert binary_weights(*product(values)) is None
    assert weight_kind(*product(values)) == "float"
    assert binary_weights(*quantized(4, values)) is None
    assert weight_kind(*quantized(4, values)) == "4-bit"
