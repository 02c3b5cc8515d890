# SPDX-License-Identifier: Apache-2.0
"""Tell 1-bit weights from float ones."""

from collections.abc import Mapping

import numpy as np
from onnx import NodeProto

from hwgq.compile.evaluate import FloatArray
from hwgq.compile.network import BoolArray
from hwgq.compile.onnx_file import ACTIVATIONS
from hwgq.compile.passes.normalize import attribute_values
from hwgq.compile.tape import Array, Tape
from hwgq.errors import UnsupportedLayerError

Constants = Mapping[str, Array]

REMEDY = "Quantize the weights by BipolarQuant, or by Quant of 1 bit with signed=1"


def binary_weights(tape: Tape, node: NodeProto) -> tuple[BoolArray, FloatArray] | None:
    """Split the weights of a product into signs and one scale a row.

    Parameters
    ----------
    tape
        The network.
    node
        A ``MatMul`` of the network's path.

    Returns
    -------
    signs, scale
        Signs of shape (rows, columns), True for +1, and α of shape (rows,), such that
        the weights are ``scale * ±1`` row by row; None where they are float, or of
        several bits.

    Raises
    ------
    UnsupportedLayerError
        If the weights have 1 bit, but are not −α and +α of one α a row.
    """
    matrix, position = tape.operand(node)
    quantizer = _weight_quantizer(node.input[position], tape.producers)
    if quantizer is not None and _bits(quantizer, tape.constants) > 1:
        return None
    if matrix.ndim != 2:
        raise UnsupportedLayerError(
            node.name,
            f"has weights of {matrix.ndim} dimensions",
            "Use matrix-vector products, with weights of shape (columns, rows)",
        )
    rows = np.asarray(matrix if position == 0 else matrix.T, np.float64)
    magnitude = np.abs(rows)
    if not np.all(np.isfinite(magnitude)):
        raise UnsupportedLayerError(
            node.name, "has weights that are no number", "Train again"
        )
    if quantizer is not None:
        _check_quantizer(node.name, quantizer, tape.constants)
    if np.any(magnitude != magnitude[:, :1]):
        if quantizer is None:
            return None
        raise UnsupportedLayerError(
            node.name,
            "has weights whose scale differs between the columns of a row",
            "Use one scale for all weights, or one an output channel",
        )
    return rows >= 0, magnitude[:, 0]


def weight_kind(tape: Tape, node: NodeProto) -> str:
    """Say what weights that are not binary are, for messages."""
    name = node.input[tape.operand(node)[1]]
    quantizer = _weight_quantizer(name, tape.producers)
    return f"{_bits(quantizer, tape.constants):g}-bit" if quantizer else "float"


def _weight_quantizer(
    tensor: str, producers: Mapping[str, NodeProto]
) -> NodeProto | None:
    node = producers.get(tensor)
    while node is not None and node.op_type not in ACTIVATIONS:
        node = next((producers[i] for i in node.input if i in producers), None)
    return node


def _bits(node: NodeProto, constants: Constants) -> float:
    """Give the width of a weight quantizer's integers."""
    if node.op_type == "Quant":
        return float(np.max(constants[node.input[3]]))
    if node.op_type == "MultiThreshold":
        return float(int(constants[node.input[1]].shape[-1]).bit_length())
    return 1.0


def _check_quantizer(place: str, node: NodeProto, constants: Constants) -> None:
    """Refuse a quantizer of 1 bit that does not make −1 and +1."""
    if node.op_type != "Quant":
        return  # what its values are tells
    values = attribute_values(node)
    if not values["signed"] or values["narrow"]:
        kind = "narrow" if values["signed"] else "unsigned"
        raise UnsupportedLayerError(
            place,
            f"has {kind} 1-bit weights (node {node.name}), which are not −1 and +1",
            REMEDY,
        )
    if np.any(constants[node.input[2]]):
        raise UnsupportedLayerError(place, "has weights with a zero point", REMEDY)
