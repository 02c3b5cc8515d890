# SPDX-License-Identifier: Apache-2.0
"""Convolutions of every form, equal from the file to emulation."""

import numpy as np
import pytest

from tests.compile.agreement import agree
from tests.compile.images import ended, images


def one(channels=3, rows=7, columns=7, *, kind="UINT3", kernel=3, **where):
    """Make a network of one convolution, and a last one behind it."""
    chain = images(channels, rows, columns, kind).conv(4, channels, kernel, **where)
    return ended(chain.norm(4).quant(2), 4)


CONVOLUTIONS = {
    "valid": one(),
    "padded": one(pads=[1, 1, 1, 1]),
    "uneven padding": one(pads=[0, 2, 1, 0]),
    "padding on one side": one(pads=[0, 0, 2, 1]),
    "stride 2": one(strides=[2, 2], pads=[1, 1, 1, 1]),
    "stride beyond the kernel": one(kernel=2, strides=[3, 3]),
    "stride by row alone": one(strides=[2, 1]),
    "dilation 2": one(dilations=[2, 2], pads=[2, 2, 2, 2]),
    "dilation and stride": one(dilations=[2, 1], strides=[2, 2], pads=[1, 0, 1, 1]),
    "K rows and L columns": one(kernel=(2, 4)),
    "one row": one(rows=1, kernel=(1, 3), pads=[0, 1, 0, 1]),
    "one column": one(columns=1, kernel=(3, 1), strides=[2, 1]),
    "same upper": one(kernel=4, strides=[2, 2], auto_pad="SAME_UPPER"),
    "same lower": one(kernel=4, strides=[2, 2], auto_pad="SAME_LOWER"),
    "same, dilated": one(kernel=2, dilations=[2, 2], auto_pad="SAME_LOWER"),
    "auto_pad valid": one(strides=[2, 2], auto_pad="VALID"),
    "pointwise": one(kernel=1),
    "pointwise with stride": one(kernel=1, strides=[2, 2]),
    "pointwise and padded": one(kernel=1, pads=[1, 1, 1, 1]),
    "whole image": one(rows=3, columns=3),
    "signed and padded": one(kind="INT4", pads=[1, 1, 1, 1]),
    "one channel": one(channels=1, kernel=5),
    "bias": one(bias=[0.5, -1, 2, 0.1]),
    "scale of each row": one(scale=np.reshape([0.1, 0.2, 0.3, 0.7], (4, 1, 1, 1))),
    "bipolar": one(kind="BIPOLAR"),
}


@pytest.mark.parametrize("model", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_a_convolution_is_exact(model):
    assert agree(model).ties == 0


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_of_several_bits_are_exact(bits):
    chain = images().conv(4, 3, 3, bits=bits).norm(4).quant(2)
    assert agree(ended(chain, 4)).ties == 0


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("kind", ["UINT3", "INT3"])
@pytest.mark.parametrize(
    "where",
    [{}, {"pads": [1, 0, 1, 1]}, {"strides": [2, 2]}, {"dilations": [2, 2]}],
    ids=str,
)
def test_a_depthwise_convolution_is_exact(bits, where, kind):
    chain = images(4, kind=kind).conv(4, 1, 3, bits=bits, group=4, **where)
    assert agree(ended(chain.norm(4).quant(3), 4)).ties == 0


def test_a_depthwise_convolution_may_make_bipolar_levels():
    chain = images(4).conv(4, 1, 3, group=4).norm(4).node("BipolarQuant", np.float32(1))
    assert agree(ended(chain, 4)).ties == 0
