# SPDX-License-Identifier: Apache-2.0
"""Quantizers read off nodes make the codes of qonnx's own functions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from qonnx.custom_op.general.bipolar_quant import binary_quant
from qonnx.custom_op.general.intquant import int_quant
from qonnx.custom_op.general.multithreshold import multithreshold

from hwgq.compile.evaluate import ROUNDING_MODES, channel_axis
from hwgq.compile.quantizers import parse_quantizer
from hwgq.errors import UnsupportedLayerError

HALVES = np.arange(-40, 41)[np.newaxis] / 4


def parsed(op, *operands, **attributes):
    names = [f"c{i}" for i in range(len(operands))]
    node = helper.make_node(op, ["x", *names], ["y"], "q", **attributes)
    return parse_quantizer(node, dict(zip(names, operands, strict=True)))


def real(quantizer, x):
    """Turn codes into the real numbers that they mean."""
    made = quantizer.output
    return made.step * quantizer.type.values(quantizer.codes(x)) + made.bias


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(
    bits=st.integers(1, 8),
    signed=st.booleans(),
    narrow=st.booleans(),
    mode=st.sampled_from(sorted(ROUNDING_MODES)),
    scale=st.sampled_from([0.5, 0.25, 0.1, -0.5]),
    zero=st.integers(-3, 3),
)
def test_a_quant_is_qonnxs(*, bits, signed, narrow, mode, scale, zero):
    if bits == 1 and narrow and not signed:
        return  # one level: refused
    operands = (np.float64(scale), np.float64(zero), np.float64(bits))
    attributes = {"signed": int(signed), "narrow": int(narrow), "rounding_mode": mode}
    quantizer = parsed("Quant", *operands, **attributes)
    expected = int_quant(HALVES, *operands, signed, narrow, mode)
    np.testing.assert_array_equal(real(quantizer, HALVES), expected)
    codes = quantizer.codes(HALVES)
    assert codes.min() >= 0
    assert codes.max() <= quantizer.steps < 2**quantizer.type.bits


def test_a_bipolar_quant_is_qonnxs():
    quantizer = parsed("BipolarQuant", np.float64(0.3))
    np.testing.assert_array_equal(real(quantizer, HALVES), binary_quant(HALVES, 0.3))


@pytest.mark.parametrize(
    ("scale", "bias"),
    [(1.0, 0.0), (2.0, -1.0), (0.5, -1.0), (0.5, 0.3125), (-2.0, 1.0)],
)
@pytest.mark.parametrize("steps", [1, 3])
def test_a_multithreshold_is_qonnxs(scale, bias, steps):
    x = np.random.default_rng(0).integers(-6, 7, (50, 4)).astype(float)
    thresholds = np.random.default_rng(1).integers(-6, 7, (4, steps)).astype(float)
    quantizer = parsed("MultiThreshold", thresholds, out_scale=scale, out_bias=bias)
    expected = multithreshold(x, thresholds, scale, bias)
    np.testing.assert_allclose(real(quantizer, x), expected, 1e-15)


@pytest.mark.parametrize(
    ("layout", "shape", "channels"),
    [("", (3, 2, 2), 3), ("NHWC", (2, 2, 3), 3), ("", (2, 3), 3), ("NCW", (3, 2), 3)],
)
def test_thresholds_of_a_channel_are_those_of_its_elements(layout, shape, channels):
    thresholds = np.arange(channels)[:, np.newaxis] * 1.0
    quantizer = parsed("MultiThreshold", thresholds, data_layout=layout)
    frame = np.random.default_rng(0).integers(0, channels + 1, (1, *shape)) * 1.0
    axis = channel_axis(layout, frame.ndim)
    last = np.moveaxis(frame, axis, -1)
    expected = np.moveaxis(last >= np.arange(channels), -1, axis)
    found = quantizer.per_element(shape).codes(frame.reshape(1, -1))
    np.testing.assert_array_equal(found, expected.reshape(1, -1))


@pytest.mark.parametrize(
    ("op", "operands", "text"),
    [
        ("Quant", (np.ones(3) * [1, 2, 3], 0.0, 2.0), "different scale for each"),
        ("Quant", (1.0, np.arange(3.0), 2.0), "different zero point for each"),
        ("Quant", (1.0, 0.5, 2.0), "zero point 0.5"),
        ("Quant", (0.0, 0.0, 2.0), "scale 0"),
        ("Quant", (np.inf, 0.0, 2.0), "scale inf"),
        ("Quant", (1.0, 0.0, 9.0), "9 bits"),
        ("Quant", (1.0, 0.0, 2.5), "2.5 bits"),
        ("BipolarQuant", (np.array([1.0, 2.0]),), "different scale for each"),
        ("MultiThreshold", (np.array([[np.nan]]),), "thresholds of NaN"),
        ("MultiThreshold", (np.zeros((1, 256)),), "thresholds of shape"),
    ],
)
def test_what_has_no_common_levels_is_refused(op, operands, text):
    with pytest.raises(UnsupportedLayerError, match=text):
        parsed(op, *map(np.asarray, operands))
