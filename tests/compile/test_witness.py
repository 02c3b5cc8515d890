# SPDX-License-Identifier: Apache-2.0
"""Float32 witnesses are excused where rounding decides, and nowhere else."""

import numpy as np

from hwgq.compile import witness
from hwgq.compile.executors import qonnx_codes
from hwgq.compile.options import declared_input
from hwgq.compile.passes.normalize import normalize
from hwgq.compile.passes.record import record
from hwgq.compile.reference import evaluate
from hwgq.compile.tape import Tape
from hwgq.compile.witness import error_bound, excusable
from tests.compile.onnx_nets import Chain, inputs, recorded


def on_the_grid():
    """Make a network whose accumulators often lie exactly on a threshold."""
    chain = Chain(32).annotate("INT3").linear(16, 32, scale=0.1)
    chain.norm(16, mean=0.1 * np.arange(-8, 8), beta=np.zeros(16), var=np.ones(16))
    thresholds = np.array([[0, 0.807, 1.345]])
    chain.node("MultiThreshold", thresholds, out_dtype="UINT2").linear(4, 16)
    return chain.model()


def test_ties_are_found_and_nothing_else_is_excused():
    tape = Tape(normalize(on_the_grid()))
    network = record(tape, declared_input("INT3", None, None))
    evaluation = evaluate(network, inputs(network, 400))
    codes = qonnx_codes(tape, network, evaluation)
    (said,) = witness.testify("qonnx", network, evaluation, codes)
    assert said.ties > 0
    assert said.mismatches == 0
    assert said.values == 400 * 16


def test_a_wrong_level_is_a_mismatch():
    network = recorded(on_the_grid())
    evaluation = evaluate(network, inputs(network, 50))
    section = network.sections[0]
    low, high = excusable(section, evaluation.accumulators[section.name])
    codes = evaluation.codes[section.name].copy()
    frame, channel = np.argwhere(low == high)[7]
    codes[frame, channel] ^= 1
    (said,) = witness.testify("liar", network, evaluation, [codes])
    assert (said.mismatches, said.ties) == (1, 0)
    assert said.first.layer == section.name
    assert said.first.index == (frame, channel)


def test_the_bound_is_small_beside_a_step_of_the_accumulator():
    network = recorded(on_the_grid())
    evaluation = evaluate(network, inputs(network, 50))
    section = network.sections[0]
    sums = evaluation.accumulators[section.name]
    bound = error_bound(section, sums)
    step = np.abs(section.affine(sums + 1) - section.affine(sums))
    assert np.all(bound > 0)
    assert np.all(bound < 0.01 * step + 1e-4)


def test_float32_stays_within_the_bound():
    network = recorded(on_the_grid())
    section = network.sections[0]
    sums = section.accumulate(network.integers(inputs(network, 200)))
    chain = section.head.model.graph.initializer
    exact = section.affine(sums)
    rounded = np.float32(exact).astype(np.float64)
    assert len(chain) > 0
    assert np.all(np.abs(rounded - exact) <= error_bound(section, sums))


def test_what_a_normalization_cancels_behind_a_function_is_excused():
    chain = Chain(1, batch="frames").annotate("INT7").linear(1, 1).node("Sigmoid")
    # The value of sigmoid(9 / 4), or of its float32: the difference tells them apart.
    mean = 1 / (1 + np.exp(np.float32(-9 / 4)))
    chain.norm(1, gamma=[1], beta=[0], mean=[mean], var=[1e-4])
    network = recorded(chain.node("BipolarQuant", np.float32(1)).linear(1, 1).model())
    evaluation = evaluate(network, np.arange(-64, 64).reshape(-1, 1))
    section = network.sections[0]
    accumulators = evaluation.accumulators[section.name]
    low, high = excusable(section, accumulators)
    np.testing.assert_array_equal(low != high, accumulators == 9)
