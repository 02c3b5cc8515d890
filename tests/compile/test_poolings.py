# SPDX-License-Identifier: Apache-2.0
"""Poolings of every form, equal from the file to emulation."""

import numpy as np
import pytest

from tests.compile.agreement import agree
from tests.compile.images import activated, ended, images
from tests.compile.onnx_nets import Chain

POOLINGS = {
    "side by side": {},
    "overlapping": {"kernel": 3, "strides": [1, 1]},
    "padded": {"kernel": 3, "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "padded unevenly": {"kernel": (2, 3), "strides": [1, 2], "pads": [1, 0, 0, 2]},
    "ceiling": {"ceil_mode": 1},
    "ceiling and padded": {"kernel": 3, "pads": [1, 1, 1, 0], "ceil_mode": 1},
    "ceiling with a position in the padding": {"strides": [3, 3], "ceil_mode": 1},
    "stride beyond the kernel": {"strides": [3, 3]},
    "dilated": {"dilations": [2, 2], "strides": [1, 1]},
    "same": {"kernel": 3, "strides": [2, 2], "auto_pad": "SAME_LOWER"},
    "auto_pad valid": {"kernel": 3, "strides": [2, 2], "auto_pad": "VALID"},
    "one tap": {"kernel": 1, "strides": [2, 2]},
    "whole image": {"kernel": 7},
}
ORDERS = {
    "behind the quantizer": lambda c, where: c.norm(4).quant(2).pool(**where),
    "before the quantizer": lambda c, where: c.norm(4).pool(**where).quant(2),
    "before the norm": lambda c, where: c.pool(**where).norm(4).quant(2),
}


@pytest.mark.parametrize("where", POOLINGS.values(), ids=POOLINGS)
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_a_max_pooling_is_exact(order, where):
    chain = images().conv(4, 3, 3, pads=[1, 1, 1, 1])
    assert agree(ended(order(chain, where), 4)).ties == 0


@pytest.mark.parametrize("gammas", [[1, 1, 1, 1], [-1, -2, -3, -1], [0, 1, -1, 0]])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_a_pooling_is_a_minimum_where_the_norm_behind_it_falls(order, gammas):
    chain = images().conv(4, 3, 3)
    chain.norm = lambda n: Chain.norm(chain, n, gamma=gammas)
    assert agree(ended(order(chain, {"kernel": 2}), 4)).ties == 0


def test_several_poolings_in_a_row_are_exact():
    chain = images(rows=9, columns=9).conv(4, 3, 3, pads=[1, 1, 1, 1]).norm(4)
    chain.pool(2, strides=[1, 1]).quant(2).pool(2).pool(3, strides=[1, 1])
    assert agree(ended(chain, 4)).ties == 0


def test_a_pooling_right_at_the_input_is_exact():
    chain = images(kind="INT5").pool(2).conv(4, 3, 2).norm(4).quant(2)
    assert agree(ended(chain, 4)).ties == 0


def test_a_scale_between_levels_and_pooling_is_exact():
    chain = images().conv(4, 3, 3).norm(4).quant(2).node("Mul", np.float32(0.3))
    assert agree(ended(chain.pool(2), 4)).ties == 0


@pytest.mark.parametrize("pool", ["GlobalAveragePool", "MaxPool"])
def test_a_division_between_levels_and_pooling_is_exact(pool):
    attributes = {"kernel_shape": [2, 2]} if pool == "MaxPool" else {}
    chain = activated().node("Div", np.float32(4)).node(pool, **attributes)
    assert agree(ended(chain, 4)).ties == 0


def test_a_pooling_may_be_the_last_layer():
    assert agree(images().conv(4, 3, 3).norm(4).quant(2).pool(2).model()).ties == 0


def test_a_pooling_of_logits_is_the_hosts():
    assert agree(images().conv(4, 3, 3).pool(2).model()).ties == 0


AVERAGES = {
    "before a linear layer": lambda c: c.node("Flatten", axis=1).linear(5, 4),
    "before a convolution": lambda c: c.conv(5, 4, 1),
    "before a quantizer": lambda c: c.quant(3, scale=0.2).node("Flatten").linear(5, 4),
    "at the end": lambda c: c,
    "before the host": lambda c: c.node("Flatten").node("Mul", np.float32(3)),
}


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("rest", AVERAGES.values(), ids=AVERAGES)
def test_a_global_average_is_exact(rest, signed, bits):
    chain = activated(bits=bits, signed=signed).node("GlobalAveragePool")
    assert agree(rest(chain).model()).ties == 0


def test_a_global_average_of_the_input_is_exact():
    chain = images(4).node("GlobalAveragePool").node("Flatten").linear(3, 4)
    assert agree(chain.model()).ties == 0


def test_a_global_average_behind_a_pooling_is_exact():
    chain = activated().pool(2).node("GlobalAveragePool").node("Flatten")
    assert agree(chain.linear(5, 4).model()).ties == 0


def test_a_global_average_of_logits_is_the_hosts():
    chain = activated().conv(5, 4, 3).node("GlobalAveragePool").node("Flatten")
    assert agree(chain.model()).ties == 0
