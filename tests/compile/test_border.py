# SPDX-License-Identifier: Apache-2.0
"""FINN's graph and the recorded sections meet, or an error says where they do not."""

import functools

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper

from hwgq.compile.emulate import emulate
from hwgq.compile.finn import FINN_STEPS
from hwgq.compile.finn_graph import weight_name, write_finn_graph
from hwgq.compile.graph import BIPOLAR, Mvau, Thresholding
from hwgq.compile.passes.border import cross_border
from hwgq.compile.reference import evaluate_integers
from hwgq.compile.stages import random_integers
from hwgq.errors import UnsupportedLayerError
from tests.compile.onnx_nets import Chain, recorded


@functools.cache
def crossing():
    """A network with every form of layer, and FINN's graph of it."""
    chain = Chain(12).annotate("UINT4").quant(2, scale=4.0)
    chain.linear(9, 12).norm(9, gamma=[1, -1, 0, -2, 3, -0.5, 0, 1, -1]).quant(3)
    chain.linear(7, 9).node("Tanh").node("BipolarQuant", np.float32(0.5))
    chain.quant(1, signed=1).linear(5, 7).node("Neg").quant(2, signed=1, narrow=1)
    network = recorded(chain.linear(4, 5).node("Add", 0.5).model())
    model = write_finn_graph(network)
    for step in FINN_STEPS:
        model = step.apply(model)
    return model, network


def test_every_section_is_a_layer_that_computes_it():
    model, network = crossing()
    graph = cross_border(model, network)
    kinds = [Thresholding, Mvau, Mvau, Thresholding, Mvau, Mvau]
    assert [type(layer) for layer in graph.layers] == kinds
    assert [layer.name for layer in graph.layers] == [s.name for s in network.sections]
    integers = random_integers(network, 200)
    expected = evaluate_integers(network, integers)
    found = emulate(graph, network.input_type.codes(integers))
    for name, codes in expected.codes.items():
        np.testing.assert_array_equal(found[name].reshape(codes.shape), codes)


def test_streams_are_no_wider_than_their_values():
    graph = cross_border(*crossing())
    types = [graph.streams[layer.outputs[0]].type for layer in graph.layers]
    assert [t.bits for t in types] == [2, 3, 1, 1, 2, 4]
    assert types[2] == types[3] == BIPOLAR
    assert (types[4].high, types[4].offset) == (2, -1)


def copied(model):
    return ModelWrapper(model.model, make_deepcopy=True)


def test_other_weights_are_named():
    model, network = crossing()
    model = copied(model)
    weights = np.array(model.get_initializer(weight_name(1)))
    weights[3, 2] *= -1
    model.set_initializer(weight_name(1), weights)
    with pytest.raises(
        UnsupportedLayerError, match="other weights in FINN's graph, row 2"
    ):
        cross_border(model, network)


def test_a_lost_layer_is_named():
    model, network = crossing()
    model = copied(model)
    del model.graph.node[2]
    with pytest.raises(UnsupportedLayerError, match=r"reads .*thr\.3"):
        cross_border(model, network)


def test_a_float_node_between_layers_is_named():
    model, network = crossing()
    model = copied(model)
    model.graph.node[1].domain = ""
    with pytest.raises(UnsupportedLayerError, match="is left between hardware layers"):
        cross_border(model, network)
