# SPDX-License-Identifier: Apache-2.0
"""Tell 1-bit weights from float ones."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from hwgq.compile.evaluate import FloatArray
from hwgq.compile.network import BoolArray
from hwgq.compile.onnx_file import ACTIVATIONS
from hwgq.compile.passes.normalize import attribute_values
from hwgq.errors import UnsupportedLayerError

_REMEDY = "Quantize the weights by BipolarQuant, or by Quant of 1 bit with signed=1"


def binary_weights(
    place: str,
    tensor: str,
    constants: Mapping[str, npt.NDArray[Any]],
    producers: Mapping[str, NodeProto],
) -> tuple[BoolArray, FloatArray] | None:
    """Split a matrix into signs and one scale a row.

    Parameters
    ----------
    place
        The node that multiplies by it, for messages.
    tensor
        Name of the matrix, of shape (columns, rows).
    constants, producers
        Values of constants, and the nodes that made them.

    Returns
    -------
    signs, scale
        Signs of shape (rows, columns), True for +1, and α of shape (rows,), such that
        the matrix is ``(scale * ±1).T``; None where the weights are float.

    Raises
    ------
    UnsupportedLayerError
        If the weights are quantized, but not to −α and +α of one α a row.
    """
    quantizer = _weight_quantizer(tensor, producers)
    if quantizer is not None:
        _check_quantizer(place, quantizer, constants)
    matrix = np.asarray(constants[tensor], np.float64)
    if matrix.ndim != 2:
        raise UnsupportedLayerError(
            place,
            f"has weights of {matrix.ndim} dimensions",
            "Use matrix-vector products, with weights of shape (columns, rows)",
        )
    magnitude = np.abs(matrix.T)
    if not np.all(np.isfinite(magnitude)):
        raise UnsupportedLayerError(
            place, "has weights that are no number", "Train again"
        )
    if np.any(magnitude != magnitude[:, :1]):
        if quantizer is None:
            return None
        raise UnsupportedLayerError(
            place,
            "has weights whose scale differs between the columns of a row",
            "Use one scale for all weights, or one an output channel",
        )
    return matrix.T >= 0, magnitude[:, 0]


def _weight_quantizer(
    tensor: str, producers: Mapping[str, NodeProto]
) -> NodeProto | None:
    node = producers.get(tensor)
    while node is not None and node.op_type not in ACTIVATIONS:
        node = next((producers[i] for i in node.input if i in producers), None)
    return node


def _check_quantizer(
    place: str, node: NodeProto, constants: Mapping[str, npt.NDArray[Any]]
) -> None:
    if node.op_type == "BipolarQuant":
        return
    if node.op_type == "MultiThreshold":
        raise UnsupportedLayerError(place, "has weights by MultiThreshold", _REMEDY)
    values = attribute_values(node)
    bits = float(np.max(constants[node.input[3]]))
    if bits != 1:
        raise UnsupportedLayerError(place, f"has weights of {bits:g} bits", _REMEDY)
    if not values["signed"] or values["narrow"]:
        kind = "narrow" if values["signed"] else "unsigned"
        raise UnsupportedLayerError(
            place,
            f"has {kind} 1-bit weights (node {node.name}), which are not −1 and +1",
            _REMEDY,
        )
    if np.any(constants[node.input[2]]):
        raise UnsupportedLayerError(place, "has weights with a zero point", _REMEDY)
