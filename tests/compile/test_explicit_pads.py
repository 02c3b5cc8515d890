# SPDX-License-Identifier: Apache-2.0
"""Rules for padding become numbers that mean the same."""

import numpy as np
import pytest

from hwgq.compile.onnx_file import check_network
from hwgq.compile.passes.normalize import normalize
from hwgq.compile.reference import evaluate
from hwgq.errors import UnsupportedLayerError
from tests.compile.onnx_nets import Chain, attributes, inputs, literal, recorded

WINDOWS = [
    {"auto_pad": "SAME_UPPER"},
    {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    {"auto_pad": "SAME_LOWER", "dilations": [1, 2], "strides": [1, 3]},
    {"auto_pad": "VALID", "pads": [1, 1, 1, 1]},
    {"auto_pad": "NOTSET", "pads": [1, 0, 0, 1], "strides": [2, 2]},
]
CEILINGS = [
    {"ceil_mode": 1},
    {"ceil_mode": 1, "strides": [3, 3]},
    {"ceil_mode": 1, "strides": [4, 2], "pads": [1, 0, 1, 1]},
    {"ceil_mode": 1, "strides": [2, 3], "dilations": [2, 1]},
]


def images(batch=1):
    return Chain(3, 8, 7, batch=batch).annotate("INT3")


def by_value(model):
    """Hold the recorded network to the file, evaluated by ONNX's definitions."""
    network = recorded(model)
    frames = inputs(network, 5)
    found = evaluate(network, frames).outputs
    np.testing.assert_allclose(found, literal(model, frames), 1e-12)
    return attributes(normalize(model))


@pytest.mark.parametrize("batch", [1, "frames"])
@pytest.mark.parametrize("where", WINDOWS, ids=str)
def test_a_convolutions_padding_is_written_out(where, batch):
    found = by_value(images(batch).conv(4, 3, 3, **where).model())["conv1"]
    assert found["auto_pad"] == b"NOTSET"
    assert len(found["pads"]) == 4


@pytest.mark.parametrize("where", WINDOWS + CEILINGS, ids=str)
@pytest.mark.parametrize("on_device", [False, True])
def test_a_poolings_padding_is_written_out(where, on_device):
    chain = images("frames")
    if on_device:
        chain.pool(2, **where).conv(4, 3, 1)
    else:
        chain.conv(4, 3, 1).pool(2, **where)
    (found,) = (
        values
        for name, values in by_value(chain.model()).items()
        if name.startswith("maxpool")
    )
    assert not found.get("ceil_mode")
    assert len(found["pads"]) == 4


def test_a_position_in_padding_alone_is_none_to_a_linear_layer():
    chain = Chain(3, 6, 2).annotate("INT3").pool((1, 2), strides=[2, 1], ceil_mode=1)
    model = chain.node("Flatten").linear(4, 3 * 3 * 1).model()
    check_network(model, "network")
    by_value(model)


def test_a_pooling_whose_taps_all_miss_is_refused():
    chain = Chain(3, 1, 7).annotate("INT3")
    chain.pool((2, 1), dilations=[3, 1], pads=[1, 0, 2, 0], strides=[1, 1])
    with pytest.raises(UnsupportedLayerError, match=r"maxpool0.*padding alone"):
        recorded(chain.conv(2, 3, 1).model())


def test_a_pooling_padded_by_its_kernel_is_refused():
    chain = Chain(3, 7, 7).annotate("INT3")
    chain.pool((2, 2), dilations=[2, 2], pads=[2, 0, 0, 0], strides=[1, 1])
    with pytest.raises(UnsupportedLayerError, match=r"maxpool0.*kernel or more"):
        recorded(chain.conv(2, 3, 1).model())
