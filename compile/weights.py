# SPDX-License-Identifier: Apache-2.0
"""Tell low-bit weights from float ones."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto

from hwgq.compile.evaluate import FloatArray
from hwgq.compile.onnx_file import ACTIVATIONS
from hwgq.compile.onnx_node import attribute_values
from hwgq.compile.streams import IntArray
from hwgq.compile.tape import Array, Tape
from hwgq.errors import UnsupportedLayerError

Constants = Mapping[str, Array]

MAX_WEIGHT_BITS = 8
REMEDY = "Quantize the weights by BipolarQuant, or by a signed Quant of 1 to 8 bits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights of a product that hardware can hold: ``scale * integers`` row by row.

    Parameters
    ----------
    integers
        Shape (rows, columns): −1 and +1 where `bits` is 1. Columns are in the order in
        which a MatMul reads, or (kernel rows, kernel columns, channels) of a Conv.
    bits
        Bits of a weight, in two's complement where more than 1.
    scale
        α of each row, shape (rows,).
    """

    integers: IntArray
    bits: int
    scale: FloatArray


def low_bit_weights(tape: Tape, node: NodeProto) -> Weights | None:
    """Split the weights of a product into integers and one scale a row.

    Parameters
    ----------
    tape
        The network.
    node
        A ``MatMul`` or ``Conv`` of the network's path.

    Returns
    -------
    Weights
        None where they are float, or of more than 8 bits.

    Raises
    ------
    UnsupportedLayerError
        If they have 1 bit, but are not −α and +α of one α a row, or several bits
        without one scale a row.
    """
    rows = _rows(tape, node)
    quantizer = _weight_quantizer(tape, node)
    if not np.all(np.isfinite(rows)):
        raise UnsupportedLayerError(
            node.name, "has weights that are no number", "Train again"
        )
    if quantizer is not None and _bits(quantizer, tape.constants) > 1:
        return _several_bits(tape, node, quantizer, rows)
    if quantizer is not None:
        _check_quantizer(node.name, quantizer, tape.constants)
    magnitude = np.abs(rows)
    if np.any(magnitude != magnitude[:, :1]):
        if quantizer is None:
            return None
        raise UnsupportedLayerError(
            node.name,
            "has weights whose scale differs between the columns of a row",
            "Use one scale for all weights, or one an output channel",
        )
    signs = np.where(rows >= 0, 1, -1)
    return Weights(integers=signs, bits=1, scale=magnitude[:, 0])


def _rows(tape: Tape, node: NodeProto) -> FloatArray:
    """Give a product's weights as a matrix of shape (rows, columns)."""
    tensor, position = tape.operand(node)
    return _as_rows(node, np.asarray(tensor, np.float64), position)


def _as_rows(node: NodeProto, weights: FloatArray, position: int) -> FloatArray:
    if node.op_type == "Conv":
        return np.moveaxis(weights, 1, -1).reshape(len(weights), -1)
    if weights.ndim != 2:
        raise UnsupportedLayerError(
            node.name,
            f"has weights of {weights.ndim} dimensions",
            "Use matrix-vector products, with weights of shape (columns, rows)",
        )
    return weights if position == 0 else weights.T


def _several_bits(
    tape: Tape, node: NodeProto, quantizer: NodeProto, rows: FloatArray
) -> Weights | None:
    """Find the integers of weights that a ``Quant`` of several bits made."""
    transposed = _transposed(tape, node, quantizer)
    if quantizer.op_type != "Quant" or transposed is None:
        return None
    if np.any(tape.constants[quantizer.input[2]]):
        raise UnsupportedLayerError(node.name, "has weights with a zero point", REMEDY)
    made = np.shape(tape.constants[quantizer.output[0]])
    given = np.asarray(tape.constants[quantizer.input[1]], np.float64)
    scales = np.broadcast_to(given, made)
    scale = _as_rows(node, scales.T if transposed else scales, tape.operand(node)[1])
    if np.any(scale != scale[:, :1]) or not np.all(scale > 0):
        raise UnsupportedLayerError(
            node.name,
            "has weights whose scale differs between the columns of a row",
            "Use one positive scale for all weights, or one an output channel",
        )
    integers = np.round(rows / scale).astype(np.int64)
    bits = int(max(integers.max(), -integers.min() - 1)).bit_length() + 1
    if bits > MAX_WEIGHT_BITS:
        return None
    return Weights(integers=integers, bits=max(2, bits), scale=scale[:, 0])


def _transposed(tape: Tape, node: NodeProto, quantizer: NodeProto) -> bool | None:
    """Tell whether a matrix is transposed behind its quantizer; None if more is."""
    made = quantizer.output[0]
    if made in node.input:
        return False
    between = tape.producers[node.input[tape.operand(node)[1]]]
    turned = between.op_type == "Transpose" and between.input[0] == made
    return True if turned and len(tape.constants[made].shape) == 2 else None


def weight_kind(tape: Tape, node: NodeProto) -> str:
    """Say what weights that are not binary are, for messages."""
    quantizer = _weight_quantizer(tape, node)
    return f"{_bits(quantizer, tape.constants):g}-bit" if quantizer else "float"


def _weight_quantizer(tape: Tape, node: NodeProto) -> NodeProto | None:
    """Find the quantizer that a product's weights come from."""
    made_by = tape.producers
    maker = made_by.get(node.input[tape.operand(node)[1]])
    while maker is not None and maker.op_type not in ACTIVATIONS:
        maker = next((made_by[i] for i in maker.input if i in made_by), None)
    return maker


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
