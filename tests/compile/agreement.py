# SPDX-License-Identifier: Apache-2.0
"""Hold all that computes a network equal, from its file down to emulation."""

from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from hwgq import boards
from hwgq.compile.boundary import (
    boundary_layers,
    boundary_vectors,
    coverage,
    isolate,
)
from hwgq.compile.emulate import emulate
from hwgq.compile.executors import finn_codes, qonnx_codes
from hwgq.compile.graph import Vvau
from hwgq.compile.onnx_file import check_network
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.compile.pipeline import BACK, FRONT, Request, State, run_passes
from hwgq.compile.reference import evaluate
from hwgq.compile.tape import Tape
from hwgq.compile.witness import testify
from tests.compile.onnx_nets import QUANTIZERS, inputs, literal, literal_tensors

# float64 sums of a few hundred products, in two orders, differ by less than this share
# of the largest number on the way.
ROUNDING = 2.0**-40
EXECUTED = 2
"""Frames that qonnx and FINN execute."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How much was compared.

    Parameters
    ----------
    values
        Codes that the literal evaluation and the reference agree on.
    ties
        Codes that differ where a real number is within `bound` of a threshold.
    bound
        The largest such distance that counts as rounding.
    excused
        Codes of float32 executors that differ within their own bound.
    sides
        Sides of thresholds that boundary vectors met.
    """

    values: int = 0
    ties: int = 0
    bound: float = 0.0
    excused: int = 0
    sides: int = 0


def compiled(model: ModelProto, kind=None, scale=None) -> State:
    """Take a network to a graph with exact thresholds, offsets not yet absorbed."""
    check_network(model, "network")
    board = boards.load("icebreaker")
    request = Request(board=board, clock_mhz=12, input_type=kind, input_scale=scale)
    return run_passes(State(request=request, model=model), passes=FRONT + BACK[:1])


def agree(model: ModelProto, frames=None, **options) -> Agreement:
    """Hold the rungs of a network equal; raise AssertionError where they are not."""
    state = compiled(model, **options)
    drawn = inputs(state.network, 6) if frames is None else frames
    return agree_on(state, model, drawn, evaluate(state.network, drawn))


def agree_on(state: State, model: ModelProto, frames, evaluation) -> Agreement:
    """Hold the rungs of what a network was compiled to equal, as `agree` does."""
    network = state.network
    values, ties, bound = against_literal(model, network, evaluation, frames)
    absorbed = absorb_offsets(state.graph)
    for graph in (state.graph, absorbed):
        found = emulate(graph, network.input_type.codes(evaluation.integers))
        for name, codes in evaluation.codes.items():
            np.testing.assert_array_equal(found[name], codes, name)
    return Agreement(
        values=values,
        ties=ties,
        bound=bound,
        excused=against_executors(state, frames[:EXECUTED]),
        sides=at_boundaries(absorbed, network),
    )


def against_literal(model, network, evaluation, frames):
    """Compare codes and outputs with the file, evaluated node by node in float64."""
    tensors = literal_tensors(model, frames)
    nodes = {node.output[0]: node for node in model.graph.node}
    reals = [t for t in tensors.values() if t.dtype.kind == "f" and t.size]
    bound = ROUNDING * max(
        np.abs(t).max(where=np.isfinite(t), initial=1) for t in reals
    )
    same = np.ones(len(frames), np.bool_)
    ties = values = 0
    for section in network.sections:
        if section.output is None:
            continue
        expected = evaluation.codes[section.name]
        found = literal_codes(tensors[section.name], section)
        wrong = (found != expected) & same.reshape(-1, *(1,) * (found.ndim - 1))
        if wrong.any():
            node = nodes[section.name]
            assert node.op_type in QUANTIZERS, f"{section.name} differs"
            given = tensors[node.input[0]]
            ends = [
                literal_codes(quantize(model, tensors, node, given + d), section)
                for d in (-bound, bound)
            ]
            low, high = np.minimum(*ends), np.maximum(*ends)
            outside = wrong & ((expected < low) | (expected > high))
            assert not outside.any(), (
                f"{section.name} differs at {np.argwhere(outside)}"
            )
        ties += int(wrong.sum())
        same &= ~wrong.reshape(len(frames), -1).any(axis=1)
        values += int(same.sum()) * expected[0].size
    output = tensors[model.graph.output[0].name]
    np.testing.assert_allclose(
        evaluation.outputs[same], output[same], rtol=1e-9, atol=bound
    )
    return values, ties, bound


def literal_codes(real, section):
    """Turn the real numbers of a tensor into a section's codes, as the device does."""
    if section.sums:
        real = real * (section.shape_in[0] * section.shape_in[1])
    if real.ndim == 4 and len(section.shape_out) == 3:
        real = np.moveaxis(real, 1, -1)
    integers = (real - section.output.bias) / section.output.step
    np.testing.assert_allclose(integers, np.round(integers), rtol=0, atol=1e-6)
    codes = section.output.type.codes(np.round(integers).astype(np.int64))
    return codes.reshape(len(real), *section.shape_out)


def quantize(model, tensors, node, given):
    """Evaluate one quantizer alone."""
    alone = ModelProto()
    alone.CopyFrom(model)
    del alone.graph.node[:], alone.graph.initializer[:], alone.graph.input[:]
    alone.graph.node.append(node)
    for name in node.input[1:]:
        alone.graph.initializer.append(numpy_helper.from_array(tensors[name], name))
    shape = ("frames", *given.shape[1:])
    entry = helper.make_tensor_value_info(node.input[0], TensorProto.DOUBLE, shape)
    alone.graph.input.append(entry)
    alone.graph.output[0].name = node.output[0]
    return literal(alone, given)


def against_executors(state, frames):
    """Let qonnx and FINN's hardware layers testify; count what rounding excuses."""
    network = state.network
    evaluation = evaluate(network, frames)
    rungs = {
        "qonnx": qonnx_codes(Tape(state.model), network, evaluation),
        "FINN": finn_codes(state.finn, network, evaluation),
    }
    excused = 0
    for rung, found in rungs.items():
        for testimony in testify(rung, network, evaluation, found):
            assert not testimony.mismatches, testimony.first
            excused += testimony.ties
    return excused


def at_boundaries(graph, network):
    """Hold each layer with thresholds to its section, on both sides of all of them."""
    sections = {section.name: section for section in network.sections}
    sides = 0
    for layer in boundary_layers(graph):
        section, alone = sections[layer.name], isolate(graph, layer)
        codes = boundary_vectors(graph, layer)
        met = coverage(graph, layer, codes)
        assert met.covered == met.reachable, met
        sides += met.covered
        integers = section.input_type.values(codes)
        if isinstance(layer, Vvau):  # comes as (groups, taps, channels of a group)
            integers = np.swapaxes(integers, 2, 3)
            integers = integers.reshape(-1, layer.channels, layer.taps)
        if section.dot is not None:
            integers = section.dot.multiply(integers)
        integers = np.broadcast_to(integers, (len(integers), section.channels))
        expected = section.inner_codes(integers)
        found = emulate(alone, codes)[alone.output]
        found = np.broadcast_to(found, expected.shape)  # thresholds may be shared
        np.testing.assert_array_equal(found, expected, layer.name)
    return sides
