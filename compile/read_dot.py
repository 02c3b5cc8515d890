# SPDX-License-Identifier: Apache-2.0
"""Read the product of a piece off its node: weights, window, order of its columns."""

import functools
import math

import numpy as np
from onnx import NodeProto

from hwgq.compile.network import Dot
from hwgq.compile.onnx_file import LAYOUT
from hwgq.compile.onnx_node import attribute_values
from hwgq.compile.pieces import Piece
from hwgq.compile.read_window import read_window
from hwgq.compile.scales import column_order
from hwgq.compile.tape import Tape
from hwgq.compile.weights import low_bit_weights
from hwgq.compile.window import Window
from hwgq.errors import UnsupportedLayerError


def read_dot(tape: Tape, piece: Piece, node: NodeProto) -> Dot:
    """Read a product with low-bit weights, or a convolution with them.

    Parameters
    ----------
    tape
        The network.
    piece
        The nodes that it stands among.
    node
        The product.

    Raises
    ------
    UnsupportedLayerError
        If it reads what a device cannot lay out or pad.
    """
    weights = low_bit_weights(tape, node)
    assert weights is not None
    make = functools.partial(
        Dot, name=node.name, scale=weights.scale, bits=weights.bits
    )
    if node.op_type == "Conv":
        return make(
            weights=weights.integers,
            window=_convolution(tape, piece, node),
            depthwise=_is_depthwise(tape, node),
        )
    order = column_order(tape, piece.before, node)
    rows, columns = weights.integers.shape
    if len(order) != columns or math.prod(tape.output_shape(node)) != rows:
        raise UnsupportedLayerError(
            node.name,
            f"reads {len(order)} elements a frame with weights for {columns}",
            "Flatten before it: only matrix-vector products are mapped",
        )
    original = np.empty_like(weights.integers)
    original[:, order] = weights.integers
    return make(weights=original)


def _convolution(tape: Tape, piece: Piece, node: NodeProto) -> Window:
    """Read a convolution's window, and refuse what cannot be padded or laid out."""
    for other in piece.before:
        if other.op_type in LAYOUT:
            raise UnsupportedLayerError(
                other.name,
                f"({other.op_type}) orders images anew before a convolution",
                "Leave it out, or put a quantizer behind it",
            )
    window, kind = read_window(tape, node), piece.source.type
    code = int(kind.codes(np.asarray(0)))
    zero = int(kind.values(np.asarray(code))) == 0 and kind.low <= code <= kind.high
    if window.padded and (piece.source.bias or not zero):
        raise UnsupportedLayerError(
            node.name,
            "pads a tensor whose levels have no zero with zeros",
            "Quantize its input so that 0 is a level (bipolar has none), or convolve"
            " without padding",
        )
    return window


def _is_depthwise(tape: Tape, node: NodeProto) -> bool:
    """Tell a convolution of each channel by itself from one of all channels."""
    groups = int(str(attribute_values(node).get("group", 1)))
    channels, rows = tape.shape(node)[0], tape.output_shape(node)[0]
    if groups == 1:
        return False
    if groups != channels or rows != channels:
        raise UnsupportedLayerError(
            node.name,
            f"convolves {channels} channels to {rows} in {groups} groups",
            "Use one group, or as many groups as there are channels in and out",
        )
    return True
