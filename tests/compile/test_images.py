# SPDX-License-Identifier: Apache-2.0
"""Networks of images, one feature each, equal from the file to emulation."""

import numpy as np
import pytest

from tests.compile.agreement import agree
from tests.compile.images import activated, ended, images
from tests.compile.onnx_nets import Chain


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_signed_activations_can_be_padded(bits):
    chain = images().conv(4, 3, 3).norm(4).quant(max(2, bits), signed=1)
    chain.conv(4, 4, 3, pads=[1, 1, 1, 1]).norm(4).quant(2)
    assert agree(ended(chain, 4)).ties == 0


def test_a_zero_point_can_be_padded():
    chain = images().conv(4, 3, 3).norm(4).quant(3, zero=2)
    assert agree(ended(chain.conv(4, 4, 3, pads=[1, 1, 1, 1]).quant(2), 4)).ties == 0


@pytest.mark.parametrize(
    "flatten",
    [("Flatten", {"axis": 1}), ("Reshape", {})],
    ids=lambda f: f[0],
)
def test_a_linear_layer_may_follow_images(flatten):
    operator, attributes = flatten
    operands = [np.array([0, -1])] if operator == "Reshape" else []
    chain = activated().pool(2).node(operator, *operands, **attributes)
    chain.linear(6, 4 * 2 * 2, bits=3).norm(6).quant(2).linear(3, 6)
    assert agree(chain.model()).ties == 0


def test_a_linear_layer_may_read_the_image():
    chain = images(kind="UINT8").node("Flatten").linear(6, 147).norm(6).quant(2)
    assert agree(chain.linear(3, 6).model()).ties == 0


def test_a_linear_layer_may_read_the_image_behind_a_pooling_of_single_pixels():
    chain = images(kind="UINT1").pool(1).quant(1, scale=1.0)
    chain.node("Flatten").linear(6, 147).norm(6).quant(2)
    assert agree(chain.linear(3, 6).model()).ties == 0


def test_a_mean_of_each_channel_can_be_subtracted():
    mean = np.reshape([0.1, 0.2, 0.4], (3, 1, 1))
    chain = images(kind="UINT8").node("Div", np.float32(255)).node("Sub", mean)
    chain.conv(4, 3, 3).norm(4, mean=np.zeros(4), var=np.full(4, 4.0)).quant(2)
    assert agree(ended(chain, 4)).ties == 0


@pytest.mark.parametrize("layout", ["", "NCHW"])
@pytest.mark.parametrize("channels", [1, 4])
def test_thresholds_of_channels_are_exact(layout, channels):
    chain = images().conv(4, 3, 3)
    rows = np.sort(chain.rng.normal(size=(channels, 3)), axis=1)
    chain.node("MultiThreshold", rows, out_dtype="UINT2", data_layout=layout)
    assert agree(ended(chain, 4)).ties == 0


def test_integer_thresholds_may_be_minus_1_and_0_alone():
    chain = images(kind="INT2")
    chain.node("MultiThreshold", np.float32([[-1], [0], [0]]), out_dtype="UINT1")
    assert agree(ended(chain.conv(4, 3, 3).norm(4).quant(2), 4)).ties == 0


def test_a_gamma_of_zero_leaves_a_channel_constant_on_a_threshold():
    chain = images().conv(4, 3, 3).norm(4, gamma=[0, 0, 1, 0], beta=[0, 1, 0, -1])
    rows = np.nextafter(np.float32([[0, 0.8, 1.3]]), np.float32(1))
    assert agree(ended(chain.node("MultiThreshold", rows, out_dtype="UINT2"), 4))


def test_signed_thresholds_are_exact():
    chain = images().conv(4, 3, 3).norm(4)
    rows = np.array([[-1.0, -0.2, 0.3]])
    chain.node("MultiThreshold", rows, out_dtype="INT2", out_bias=-2.0)
    assert agree(ended(chain.conv(4, 4, 3, pads=[1] * 4).quant(2), 4)).ties == 0


def test_functions_may_stand_around_a_pooling():
    chain = images().conv(4, 3, 3).node("Relu").pool(2).norm(4).node("Tanh").quant(2)
    assert agree(ended(chain, 4)).ties == 0


@pytest.mark.parametrize(
    ("kernel", "where"),
    [
        (1, {"strides": [2, 2], "pads": [0, 0, 6, 6]}),  # as many positions as pixels
        (7, {"dilations": [2, 2], "pads": [0, 0, 6, 6]}),  # as many taps as pixels
    ],
)
def test_what_is_padded_behind_an_image_of_the_same_size_is_0(kernel, where):
    chain = images(kind="UINT2").conv(4, 3, kernel, **where)
    assert agree(ended(chain.norm(4).quant(2), 4)).ties == 0


def test_a_chain_may_fall_before_a_pooling_and_behind_it():
    chain = images().conv(4, 3, 3).node("Mul", np.float32(-0.5)).pool(2)
    chain.norm(4, gamma=[-1, 2, -0.5, 1]).quant(3, signed=1)
    assert agree(ended(chain, 4)).ties == 0


def test_an_image_may_be_quantized_first():
    chain = Chain(3, 7, 7, batch="frames").quant(4, signed=1, scale=0.25)
    chain.conv(4, 3, 3, pads=[1, 1, 1, 1]).norm(4).quant(2)
    assert agree(ended(chain, 4)).ties == 0


def test_an_integer_image_may_be_quantized_first():
    chain = images(kind="UINT8").node("Mul", np.float32(1 / 255)).quant(3, scale=0.2)
    assert agree(ended(chain.conv(4, 3, 3).norm(4).quant(2), 4)).ties == 0


def test_a_bipolar_quantizer_may_stand_alone():
    chain = images(kind="INT4").node("BipolarQuant", np.float32(0.5)).pool(2)
    chain.conv(4, 3, 3).norm(4).quant(1).node("Sub", np.float32(0.5))
    chain.node("BipolarQuant", np.float32(1)).node("GlobalAveragePool")
    assert agree(ended(chain, 4)).ties == 0


@pytest.mark.parametrize("quantizer", ["signed", "bipolar", "zero point"])
def test_levels_below_zero_are_padded_for_a_pooling(quantizer):
    chain = activated()
    if quantizer == "bipolar":
        chain.node("Sub", np.float32(0.5)).node("BipolarQuant", np.float32(1))
    elif quantizer == "signed":
        chain.node("Sub", np.float32(0.7)).quant(3, signed=1)
    else:
        chain.node("Sub", np.float32(0.7)).quant(3, zero=3)
    chain.pool(3, pads=[1, 1, 0, 1], strides=[2, 1]).conv(4, 4, 2).norm(4).quant(2)
    assert agree(ended(chain, 4)).ties == 0


def test_an_average_may_be_flattened_before_a_quantizer():
    chain = activated().node("GlobalAveragePool").node("Flatten", axis=1)
    chain.node("Add", np.float32(0.05)).quant(3, scale=0.2).quant(2, scale=0.5)
    assert agree(chain.linear(5, 4).model()).ties == 0


def test_a_convolution_to_one_pixel_may_be_flattened_before_its_quantizer():
    chain = images(rows=3, columns=3).conv(4, 3, 3).node("Flatten", axis=1).norm(4)
    assert agree(chain.quant(2).linear(5, 4).model()).ties == 0


def test_two_quantizers_may_follow_each_other():
    assert agree(ended(activated(bits=4).quant(2, scale=1.5), 4)).ties == 0


@pytest.mark.parametrize("batch", [1, 3, "frames"])
def test_any_batch_is_taken(batch):
    chain = Chain(3, 7, 7, batch=batch).annotate("UINT3").conv(4, 3, 3).norm(4)
    chain.quant(2).node("Flatten", axis=1).linear(5, 100)
    assert agree(chain.model()).ties == 0


@pytest.mark.parametrize("opset", [9, 11, 12, 17, 22])
def test_any_opset_is_taken(opset):
    chain = images(opset=opset).conv(4, 3, 3, auto_pad="SAME_UPPER").norm(4).quant(2)
    chain.pool(2).node("GlobalAveragePool").node("Flatten", axis=1).linear(5, 4)
    assert agree(chain.model()).ties == 0


def test_a_convolution_of_one_channel_to_one_is_exact():
    chain = Chain(1, 7, 5).annotate("UINT2").conv(1, 1, (3, 2)).norm(1).quant(2)
    assert agree(chain.conv(2, 1, 1).norm(2).quant(2).model()).ties == 0


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_convolution_of_one_channel_to_one_may_be_bipolar(kernel):
    chain = Chain(1, 7, 5).annotate("UINT2").conv(1, 1, kernel).norm(1)
    chain.node("BipolarQuant", np.float32(0.5)).conv(2, 1, 1).norm(2).quant(2)
    assert agree(chain.model()).ties == 0


def test_all_of_a_power_of_two_of_bipolar_pixels_may_be_1():
    chain = Chain(2, 4, 4, batch="frames").annotate("UINT2").conv(2, 2, 1)
    chain.node("BipolarQuant", np.float32(1)).node("GlobalAveragePool")
    chain.node("Sub", np.float32(0.5)).quant(1, scale=2.0)
    # Codes of 0 become +1, and only more than all of them would reach the threshold.
    assert agree(ended(chain, 2), np.zeros((2, 2, 4, 4))).ties == 0


def test_bipolar_levels_may_meet_weights_of_minus_1_alone():
    chain = Chain(6, batch="frames").annotate("BIPOLAR")
    chain.node("MatMul", np.full((6, 1), -0.5)).norm(1)
    chain.node("BipolarQuant", np.float32(1))
    assert agree(chain.model()).ties == 0


def test_weights_of_several_bits_may_all_be_0():
    chain = images()
    flow, chain.tensor = chain.tensor, chain.constant(np.zeros((4, 3, 3, 3)))
    chain.quant(2, signed=1)
    weights, chain.tensor = chain.tensor, flow
    chain.node("Conv", weights).node("Add", np.reshape([-1, 0, 1, 2.0], (4, 1, 1)))
    assert agree(ended(chain.quant(2), 4)).ties == 0


def test_a_scale_before_a_pooling_of_the_input_counts_once():
    chain = Chain(2, 3, 3).annotate("UINT2").node("Mul", np.float32(0.25))
    chain.node("GlobalAveragePool").conv(2, 2, 1).norm(2).quant(2)
    assert agree(chain.model()).ties == 0
