# SPDX-License-Identifier: Apache-2.0
"""Every network in one form, computing what it computed."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from hwgq.compile.onnx_file import load_network
from hwgq.compile.passes.normalize import normalize
from hwgq.compile.reference import evaluate
from hwgq.errors import UnsupportedLayerError
from tests.compile.onnx_nets import Chain, attributes, inputs, literal, recorded


def operators(model):
    return [node.op_type for node in normalize(model).graph.node]


def gemm(**options):
    """Make a network of one Gemm with a bias."""
    chain = Chain(6).annotate("UINT4")
    shape = (4, 6) if options.get("transB") else (6, 4)
    signs = np.where(chain.rng.random(shape) < 0.5, -0.5, 0.5)
    return chain.node("Gemm", signs, np.arange(4) / 8, **options).model()


@pytest.mark.parametrize(
    "options",
    [{}, {"transB": 1}, {"alpha": 0.3}, {"beta": -2.5}, {"alpha": 2.0, "beta": 0.5}],
    ids=str,
)
def test_a_gemm_becomes_a_product_and_a_sum(options):
    model = gemm(**options)
    assert "Gemm" not in operators(model)
    network = recorded(model)
    frames = inputs(network)
    np.testing.assert_allclose(
        evaluate(network, frames).outputs, literal(model, frames), 1e-12
    )


def test_a_transposed_input_of_a_gemm_is_refused():
    with pytest.raises(UnsupportedLayerError, match="transA"):
        normalize(gemm(transA=1))


def test_constants_as_nodes_are_initializers():
    chain = Chain(6).annotate("UINT4").linear(4, 6).quant(2).linear(3, 4)
    model = chain.model()
    constants = [
        helper.make_node("Constant", [], [tensor.name], value=tensor)
        for tensor in model.graph.initializer
    ]
    expected = evaluate(recorded(model), frames := np.arange(24).reshape(4, 6) % 16)
    del model.graph.initializer[:]
    nodes = [*constants, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    assert "Constant" not in operators(model)
    found = evaluate(recorded(model), frames)
    np.testing.assert_array_equal(found.outputs, expected.outputs)


def test_what_passes_its_input_on_is_left_out():
    chain = Chain(6).annotate("UINT4").node("Identity").linear(4, 6)
    chain.node("Dropout").node("Cast", to=1).quant(2).linear(3, 4).node("Identity")
    model = normalize(chain.model())
    assert not {n.op_type for n in model.graph.node} & {"Identity", "Dropout", "Cast"}
    assert model.graph.output[0].name in model.graph.node[-1].output


def test_optional_attributes_are_written_out():
    chain = Chain(6).annotate("UINT4").linear(4, 6).node("LeakyRelu")
    chain.node("Quant", np.float32(1), np.float32(0), np.float32(2))
    chain.node("MultiThreshold", np.zeros((1, 1)), out_dtype="UINT1")
    found = attributes(normalize(chain.model()))
    assert found["leakyrelu2"]["alpha"] == pytest.approx(0.01)
    assert found["quant3"] == {"signed": 1, "narrow": 0, "rounding_mode": b"ROUND"}
    assert found["multithreshold4"]["out_scale"] == 1.0


@pytest.mark.parametrize("domain", ["onnx.brevitas", "finn.custom_op.general"])
def test_older_domains_have_one_name(domain):
    chain = Chain(6, domain=domain).annotate("UINT4").linear(4, 6).quant(2)
    model = normalize(chain.linear(3, 4).model())
    assert {n.domain for n in model.graph.node} == {"", "qonnx.custom_op.general"}


def test_names_are_given_and_made_unique():
    model = Chain(6).annotate("UINT4").linear(4, 6).quant(2).linear(3, 4).model()
    for node in model.graph.node:
        node.name = "same"
    model.graph.node[0].name = ""
    names = [n.name for n in normalize(model).graph.node]
    assert len(set(names)) == len(names)
    assert all(names)


def test_a_dropout_in_training_mode_is_refused():
    chain = Chain(6).node("Dropout", np.float32(0.5), np.array(True))
    with pytest.raises(UnsupportedLayerError, match="training mode"):
        normalize(chain.model())


def test_the_model_is_left_as_it_was():
    model = gemm()
    before = model.SerializeToString()
    normalize(model)
    assert model.SerializeToString() == before


def test_constants_keep_their_bits():
    model = normalize(gemm(alpha=0.1))
    (alpha,) = (
        numpy_helper.to_array(t)
        for t in model.graph.initializer
        if t.name.endswith("alpha")
    )
    assert alpha == np.float32(0.1)


def test_an_int_quant_is_a_quant(tmp_path):
    chain = Chain(6).annotate("UINT4").linear(4, 6).quant(2).linear(3, 4)
    chain.nodes[2].op_type = "IntQuant"
    path = tmp_path / "network.onnx"
    path.write_bytes(chain.model().SerializeToString())
    assert "Quant" in operators(load_network(path))
