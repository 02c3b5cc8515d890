# SPDX-License-Identifier: Apache-2.0
"""Recorded networks compute what the file says, and what cannot map is named."""

import numpy as np
import pytest

from hwgq.compile.reference import evaluate
from hwgq.errors import NetworkError, UnsupportedLayerError
from tests.compile.onnx_nets import Chain, inputs, literal, recorded


def body(chain, columns=16):
    """Append two layers, the second of which ends the network."""
    return chain.linear(9, columns).norm(9).node("Relu").quant(2).linear(4, 9)


def image(kind="UINT8", shape=(16,), **options):
    return Chain(*shape, **options).annotate(kind)


def left(chain, rows, columns):
    """Append a product with the weights on the left of a column."""
    signs = np.where(chain.rng.random((rows, columns)) < 0.5, -0.5, 0.5)
    chain.node("Unsqueeze", np.array([2])).node("MatMul", signs, left=True)
    return chain.node("Squeeze", np.array([2]))


COLUMN = np.linspace(-1, 1, 16)
NETWORKS = {
    "plain": lambda: body(image()),
    "bias": lambda: body(image().linear(16, 16).node("Add", COLUMN).quant(3)),
    "signed input": lambda: body(image("INT8")),
    "bipolar input": lambda: body(image("BIPOLAR")),
    "ternary input": lambda: body(image("TERNARY")),
    "binary input": lambda: body(image("BINARY")),
    "divided by 255": lambda: body(image().node("Div", 255.0)),
    "normalized": lambda: body(
        image().node("Div", 255.0).node("Sub", 0.5).node("Div", 0.5)
    ),
    "2x - 1": lambda: body(image().node("Mul", 2 / 255).node("Sub", 1.0)),
    "1 - x": lambda: body(image().node("Div", 255.0).node("Sub", 1.0, left=True)),
    "negated": lambda: body(image().node("Neg")),
    "mean by feature": lambda: body(image().node("Sub", COLUMN).node("Div", 3.7)),
    "mean before a transpose": lambda: body(
        image(shape=(4, 2, 2))
        .node("Transpose", perm=[0, 2, 3, 1])
        .node("Sub", COLUMN.reshape(1, 2, 2, 4))
        .node("Flatten")
    ),
    "normalized by one channel": lambda: body(
        image(shape=(1, 4, 4)).norm(1).node("Flatten")
    ),
    "transposed": lambda: body(
        image(shape=(4, 2, 2)).node("Transpose", perm=[0, 2, 3, 1]).node("Flatten")
    ),
    "fixed batch": lambda: body(
        image(shape=(4, 4), batch=4).node("Reshape", np.array([4, -1]))
    ),
    "open batch": lambda: body(
        image(shape=(4, 4), batch="n").node("Reshape", np.array([-1, 16]))
    ),
    "three dimensions": lambda: (
        image(shape=(1, 16)).linear(9, 16).quant(2, signed=1).linear(4, 9)
    ),
    "unsqueezed for normalization": lambda: (
        image()
        .linear(9, 16)
        .node("Unsqueeze", np.array([2]))
        .norm(9)
        .node("Squeeze", np.array([2]))
        .quant(2)
        .linear(4, 9)
    ),
    "weights on the left": lambda: left(left(image(), 9, 16).quant(3), 4, 9),
    "float input": lambda: body(Chain(16).quant(4, signed=1)),
    "float first layer": lambda: body(
        Chain(16).node("MatMul", np.eye(16) + 0.1).norm(16).quant(3)
    ),
    "float first layer of integers": lambda: body(
        image().node("MatMul", np.eye(16) + 0.1).quant(3, scale=40.0)
    ),
    "float last layer": lambda: body(image()).quant(2).node("MatMul", np.eye(4) + 0.1),
    "several bits at the ends": lambda: body(
        Chain(16).quant(8, signed=1, scale=0.02).node("MatMul", np.eye(16)).quant(3)
    ),
    "quantized integers": lambda: body(image().node("Div", 255.0).quant(4, scale=0.07)),
    "falling integers": lambda: body(
        image().norm(16).quant(4, scale=11.0, signed=1, narrow=1)
    ),
    "two quantizers": lambda: body(image()).quant(4, signed=1).quant(2),
    "ends in a quantizer": lambda: body(image()).quant(4, signed=1),
    "softmax": lambda: body(image()).node("Softmax", axis=1),
    "log softmax": lambda: body(image()).node("LogSoftmax"),
    "argmax": lambda: body(image("INT8")).node("ArgMax", axis=1, keepdims=0),
    "last bias and normalization": lambda: body(image()).node("Add", 0.5).norm(4),
    "zero point": lambda: image().linear(9, 16).quant(3, zero=2.0).linear(4, 9),
    "negative scale": lambda: image().linear(9, 16).quant(3, scale=-4.0).linear(4, 9),
    "multithreshold": lambda: (
        image()
        .linear(3, 16)
        .node(
            "MultiThreshold",
            np.array([[5, -40, 3.5], [9, 9, 9], [-1e9, 0, 1e9]]),
            out_dtype="INT2",
            out_scale=0.5,
            out_bias=-1.0,
        )
        .linear(4, 3)
    ),
    "bias of a multithreshold": lambda: (
        image()
        .linear(3, 16)
        .node(
            "MultiThreshold",
            np.array([[-4, 0, 3.5]]),
            out_dtype="INT2",
            out_scale=0.5,
            out_bias=0.3,
        )
        .linear(4, 3)
    ),
    "old domain": lambda: body(image(domain="finn.custom_op.general")),
    "older domain": lambda: body(image(domain="onnx.brevitas")),
    "one layer": lambda: image().linear(4, 16),
    "one row": lambda: image().linear(1, 16).quant(2).linear(1, 1),
    "opset 9": lambda: body(image(opset=9)),
    "opset 17": lambda: body(image(opset=17)),
    **{
        f"{name} before the quantizer": lambda name=name, operands=operands: (
            image().linear(9, 16).norm(9).node(name, *operands).quant(3).linear(4, 9)
        )
        for name, operands in {
            "Clip": (np.float32(-0.3), np.float32(0.9)),
            "Elu": (),
            "Erf": (),
            "HardSigmoid": (),
            "LeakyRelu": (),
            "Selu": (),
            "Sigmoid": (),
            "Softplus": (),
            "Tanh": (),
        }.items()
    },
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_recorded_is_the_literal_float64_evaluation(name):
    model = NETWORKS[name]().model()
    network = recorded(model)
    frames = inputs(network)
    outputs = evaluate(network, frames).outputs
    expected = literal(model, frames)
    np.testing.assert_allclose(outputs.reshape(expected.shape), expected, 1e-9, 1e-9)
    assert len({frame.tobytes() for frame in expected}) > 1


def test_a_scale_given_as_an_option_is_applied():
    model = body(Chain(16)).model()
    network = recorded(model, "UINT8", "1/255")
    frames = inputs(network)
    expected = literal(model, frames / 255)
    np.testing.assert_allclose(evaluate(network, frames).outputs, expected, 1e-9)


def test_an_8_bit_input_needs_no_annotation():
    model = body(Chain(16)).model()
    model.graph.input[0].type.tensor_type.elem_type = 2  # UINT8
    assert recorded(model).input_type.high == 255


def test_layers_are_named_after_their_quantizers():
    network = recorded(NETWORKS["plain"]().model())
    assert [s.name for s in network.sections] == ["quant4", "matmul6"]
    assert [s.dot.name for s in network.sections] == ["matmul1", "matmul6"]


def quantized_weights(bits, **attributes):
    return lambda: with_weights(image().linear(9, 16).quant(2), bits, **attributes)


def with_weights(chain, bits, *, signed=1, narrow=0, zero=0.0, scale=0.5, rows=8):
    """Append a product with weights by ``Quant``, and a 1-bit layer behind."""
    flow = chain.tensor
    chain.tensor = chain.constant(chain.rng.normal(size=(9, rows)))
    chain.quant(bits, signed=signed, narrow=narrow, zero=zero, scale=scale)
    weights, chain.tensor = chain.tensor, flow
    return chain.node("MatMul", weights).quant(2).linear(4, rows)


def float_between():
    return image().linear(9, 16).quant(2).node("MatMul", np.eye(9) + 1).quant(2)


REFUSED = {
    "unsigned": (quantized_weights(1, signed=0), "unsigned 1-bit weights .node quant"),
    "narrow": (quantized_weights(1, narrow=1), "narrow 1-bit weights"),
    "zero point": (quantized_weights(1, zero=1.0), "weights with a zero point"),
    "columns": (
        quantized_weights(1, scale=np.linspace(1, 2, 9)[:, None]),
        "scale differs between the columns",
    ),
    "9 bits": (
        quantized_weights(9, scale=0.01),
        "has 9-bit weights, and stands between",
    ),
    "float": (lambda: float_between().linear(4, 9), "has float weights, and stands"),
    "no quantizer": (
        lambda: image().linear(9, 16).node("Relu").linear(4, 9),
        "with no quantizer between",
    ),
    "no input": (lambda: body(Chain(16)), "reads a float input that no quantizer made"),
    "softmax": (
        lambda: body(image().linear(9, 16).quant(2).node("Softmax"), 9),
        "Softmax. is float, and low-bit layers follow",
    ),
    "relu": (
        lambda: body(image("INT8").node("Relu")),
        "Relu. stands between a quantizer and a dot product",
    ),
    "columns of an input": (
        lambda: body(image().node("Mul", COLUMN)),
        "scales the columns of a dot product differently",
    ),
    "normalized input": (lambda: body(image().norm(16)), "scales the columns of a dot"),
    "scale a channel": (
        lambda: image().linear(9, 16).quant(2, scale=np.arange(1, 10)).linear(4, 9),
        "different scale for each channel",
    ),
    "16 bits": (lambda: image().linear(9, 16).quant(16).linear(4, 9), "to 16 bits"),
    "half a zero point": (
        lambda: image().linear(9, 16).quant(2, zero=0.5).linear(4, 9),
        "zero point 0.5",
    ),
    "rounding": (
        lambda: image().linear(9, 16).quant(2, rounding_mode="ODD").linear(4, 9),
        "rounding mode 'ODD'",
    ),
    "falls and rises": (
        lambda: image().linear(9, 16).node("LeakyRelu", alpha=-1.0).quant(2),
        "negative alpha",
    ),
    "reciprocal": (
        lambda: image().linear(9, 16).node("Div", 1.0, left=True).quant(2),
        "divides a constant by what flows in",
    ),
    "by zero": (lambda: image().linear(9, 16).node("Div", 0.0).quant(2), "by 0"),
    "variance": (
        lambda: image().linear(9, 16).norm(9, var=-np.ones(9)).quant(2),
        "negative variance",
    ),
    "batch": (
        lambda: body(image(shape=(16,)).node("Transpose", perm=[1, 0]), 1),
        "mixes the batch dimension",
    ),
    "matrix": (
        lambda: image(shape=(2, 16)).linear(9, 16).quant(2).linear(4, 9),
        "Flatten before it",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_map_is_refused_by_name(name):
    make, text = REFUSED[name]
    with pytest.raises((UnsupportedLayerError, NetworkError), match=text) as caught:
        recorded(make().model())
    assert caught.value.place
    assert caught.value.remedy


def test_a_branch_is_refused():
    chain = image().linear(16, 16).quant(2)
    fork = chain.tensor
    chain.linear(16, 16).node("Add", fork).quant(2).linear(4, 16)
    with pytest.raises(UnsupportedLayerError, match="joins or forks"):
        recorded(chain.model())
