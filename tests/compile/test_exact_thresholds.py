# SPDX-License-Identifier: Apache-2.0
"""Integer thresholds say, at every reachable accumulator, what the chain says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgq.compile.passes.exact_thresholds import accumulator_bounds, exact_thresholds
from hwgq.errors import UnsupportedLayerError
from tests.compile.onnx_nets import Chain, recorded

ROUNDING = ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"]
GRID = st.integers(-40, 40).map(lambda n: n / 8)
NODES = st.one_of(
    st.tuples(st.just("Add"), GRID),
    st.tuples(st.just("Sub"), GRID),
    st.tuples(st.just("Mul"), GRID),
    st.tuples(st.just("Div"), GRID.filter(bool)),
    st.tuples(st.sampled_from(["Neg", "Relu", "Tanh", "LeakyRelu", "Sigmoid"])),
    st.tuples(st.just("Clip"), st.just(-2.5), st.just(7.0)),
)


def every_accumulator(section):
    """Give all reachable accumulators, a row each: (frames, channels)."""
    low, high = accumulator_bounds(section)
    step = section.input_type.step
    count = int((high - low).max()) // step + 1
    return np.minimum(low + step * np.arange(count)[:, np.newaxis], high)


def counted(section):
    """Count thresholds, at each reachable accumulator."""
    exact = exact_thresholds(section)
    sums = np.where(exact.flipped, -1, 1) * every_accumulator(section)
    return np.count_nonzero(sums[..., np.newaxis] >= exact.thresholds, axis=-1)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    nodes=st.lists(NODES, max_size=4),
    norm=st.booleans(),
    bits=st.integers(1, 4),
    mode=st.sampled_from(ROUNDING),
    kind=st.sampled_from(["BIPOLAR", "UINT2", "INT3", "TERNARY"]),
    scale=st.sampled_from([0.125, 0.3, 1.0, -0.5]),
    zero=st.integers(-2, 2),
    signed=st.integers(0, 1),
    seed=st.integers(0, 99),
)
def test_thresholds_equal_the_chain_at_every_accumulator(
    *, nodes, norm, bits, mode, kind, scale, zero, signed, seed
):
    chain = Chain(7, seed=seed).annotate(kind).linear(6, 7, 0.5)
    if norm:
        # Means on the grid of the accumulators, gammas of 0 among both signs.
        chain.norm(6, gamma=[1, -1, 0, -0.0, 2.5, -3], mean=[1, 0, -0.5, 1.5, 0.3, 0])
    for op, *operands in nodes:
        chain.node(op, *map(np.float32, operands))
    chain.quant(bits, scale=scale, zero=zero, signed=signed, rounding_mode=mode)
    section, _ = recorded(chain.linear(2, 6).model()).sections
    np.testing.assert_array_equal(
        counted(section), section.codes(every_accumulator(section))
    )


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(
    thresholds=st.lists(
        st.lists(GRID | st.just(np.inf) | st.just(-np.inf), min_size=3, max_size=3),
        min_size=4,
        max_size=4,
    )
)
def test_thresholds_of_a_multithreshold_in_any_order(thresholds):
    chain = Chain(5).annotate("UINT2").linear(4, 5, 1.0)
    chain.node("MultiThreshold", np.array(thresholds, np.float32), out_dtype="UINT2")
    section, _ = recorded(chain.linear(2, 4).model()).sections
    np.testing.assert_array_equal(
        counted(section), section.codes(every_accumulator(section))
    )


@pytest.mark.parametrize("columns", [5, 85])
def test_never_is_one_more_than_the_greatest_accumulator(columns):
    chain = Chain(columns).annotate("UINT2").linear(3, columns, 1.0)
    far = np.array([[0, 1e6, np.inf]])
    chain.node("MultiThreshold", far, out_dtype="UINT2")
    section, _ = recorded(chain.linear(2, 3).model()).sections
    _, high = accumulator_bounds(section)
    exact = exact_thresholds(section)
    np.testing.assert_array_equal(exact.thresholds[:, 1:].T, [high + 1, high + 1])


def test_a_falling_chain_without_weights_is_refused():
    chain = Chain(6).annotate("UINT4").linear(6, 6).quant(3)
    chain.node("Neg").quant(3, signed=1).linear(2, 6)
    with pytest.raises(UnsupportedLayerError, match="decreases with its integer input"):
        for section in recorded(chain.model()).sections[:-1]:
            exact_thresholds(section)
