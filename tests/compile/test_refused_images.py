# SPDX-License-Identifier: Apache-2.0
"""What cannot be mapped of images is refused by name, with a remedy."""

import numpy as np
import pytest

from hwgq.errors import UnsupportedLayerError
from tests.compile.agreement import compiled
from tests.compile.images import activated, images
from tests.compile.onnx_nets import Chain


def volume():
    chain = Chain(2, 3, 3, 3).annotate("UINT2")
    chain.node("MaxPool", kernel_shape=[2, 2, 2]).node("Flatten", axis=1)
    return chain.linear(4, 16)


REFUSED = {
    "an offset that is padded": (
        lambda: (
            images(kind="UINT8")
            .node("Sub", np.float32(0.5))
            .conv(4, 3, 3, pads=[1] * 4)
        ),
        "conv2.*no level.*without padding",
    ),
    "a padded bipolar tensor": (
        lambda: images(kind="BIPOLAR").conv(4, 3, 3, pads=[1, 1, 1, 1]),
        "conv1.*have no zero.*bipolar",
    ),
    "some groups": (
        lambda: images(4).conv(4, 2, 3, group=2),
        "conv1.*in 2 groups.*one group",
    ),
    "a depth multiplier": (
        lambda: images(4).conv(8, 1, 3, group=4),
        "conv1.*4 channels to 8 in 4 groups",
    ),
    "a transpose before a convolution": (
        lambda: images().node("Transpose", perm=[0, 1, 3, 2]).conv(4, 3, 3),
        "transpose0.*anew.*Leave it out",
    ),
    "a transpose before a quantizer": (
        lambda: images().conv(4, 3, 3).node("Transpose", perm=[0, 1, 3, 2]),
        "transpose2.*Move it behind",
    ),
    "two poolings of dot products": (
        lambda: images().conv(4, 3, 3).pool(2).pool(2),
        "maxpool3.*pools again.*Put a Quant",
    ),
    "an average of dot products": (
        lambda: images().conv(4, 3, 3).node("GlobalAveragePool"),
        "globalaveragepool2.*dot products.*Put a Quant",
    ),
    "a pooling behind an offset": (
        lambda: activated().node("Add", np.float32(0.5)).pool(2),
        "maxpool5.*pools behind add4.*right behind",
    ),
    "a pooling of levels that fall": (
        lambda: activated(scale=-0.5).pool(2),
        r"maxpool4.*negative scale.*positive",
    ),
    "scales of columns": (
        lambda: images().node("Mul", np.reshape([1.0, 2, 3], (3, 1, 1))).conv(4, 3, 3),
        "mul0.*differently",
    ),
    "an offset of each pixel": (
        lambda: images().conv(4, 3, 3).node("Add", np.eye(5)),
        "add2.*pixel to pixel",
    ),
    "volumes": (
        volume,
        "maxpool0.*3 dimensions",
    ),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_mapped_is_refused_by_name(make, message):
    chain = make().quant(2).node("Flatten", axis=1).node("Relu")
    with pytest.raises(UnsupportedLayerError, match=message):
        compiled(chain.model())
