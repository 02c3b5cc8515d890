# SPDX-License-Identifier: Apache-2.0
"""Networks of images to build on."""

from tests.compile.onnx_nets import Chain


def images(channels=3, rows=7, columns=7, kind="UINT3", **options):
    return Chain(channels, rows, columns, batch="frames", **options).annotate(kind)


def ended(chain, channels):
    """End a network of images by a convolution that takes each pixel by itself."""
    return chain.conv(2, channels, 1).model()


def activated(kind="UINT3", bits=2, **quant):
    chain = images(kind=kind).conv(4, 3, 3)
    return chain.norm(4, gamma=[1, 2, -1, 1]).quant(bits, **quant)
