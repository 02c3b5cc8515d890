# SPDX-License-Identifier: Apache-2.0
"""Read activation quantizers off QONNX nodes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto

from hwgq.compile.evaluate import Rounding
from hwgq.compile.graph import BIPOLAR, ElementType
from hwgq.compile.network import Integers, Quantizer
from hwgq.compile.onnx_node import attribute_values
from hwgq.errors import UnsupportedLayerError

MAX_BITS = 8
LAYOUTS = ("", "NC", "NWC", "NCW", "NHWC", "NCHW")

Constants = Mapping[str, npt.NDArray[Any]]


def parse_quantizer(node: NodeProto, constants: Constants) -> Quantizer:
    """Read a ``Quant``, ``BipolarQuant`` or ``MultiThreshold`` of activations.

    Raises
    ------
    UnsupportedLayerError
        If its levels have no common scale, or take more than 8 bits.
    """
    return _PARSERS[node.op_type](node, constants)


def integer_output(
    node: NodeProto, constants: Constants
) -> tuple[list[NodeProto], dict[str, npt.NDArray[Any]]]:
    """Rewrite a quantizer to emit the integers that its codes mean.

    The last of the nodes writes the tensor that `node` wrote.

    Returns
    -------
    nodes, constants
        Nodes in place of `node` and the constants that they need besides its own.
    """
    quantizer = parse_quantizer(node, constants)
    copy = NodeProto()
    copy.CopyFrom(node)
    one, nodes = f"{node.output[0]}.one", [copy]
    if node.op_type == "MultiThreshold":
        kept = [a for a in node.attribute if a.name not in ("out_scale", "out_bias")]
        del copy.attribute[:]
        copy.attribute.extend(kept)
        kind = quantizer.type
        for name, value in (("out_scale", kind.step), ("out_bias", kind.offset)):
            copy.attribute.append(onnx.helper.make_attribute(name, float(value)))
        return nodes, {}
    if node.op_type == "Quant":
        scaled = f"{node.output[0]}.scaled"
        divide = onnx.helper.make_node("Div", list(node.input[:2]), [scaled])
        copy.input[0] = scaled
        nodes = [divide, copy]
    copy.input[1] = one
    return nodes, {one: np.asarray(1.0)}


def _parse_bipolar(node: NodeProto, constants: Constants) -> Quantizer:
    return Quantizer(
        output=Integers(
            type=BIPOLAR, step=_common(node, "scale", constants[node.input[1]])
        ),
        rounding=Rounding(bits=1, signed=True, narrow=False),
    )


def _parse_quant(node: NodeProto, constants: Constants) -> Quantizer:
    values = attribute_values(node)
    bits = _common(node, "bit width", constants[node.input[3]])
    mode = str(values.get("rounding_mode", "ROUND"))
    if not (bits.is_integer() and 1 <= bits <= MAX_BITS):
        raise UnsupportedLayerError(
            node.name, f"quantizes to {bits:g} bits", f"Use 1 to {MAX_BITS} whole bits"
        )
    rounding = Rounding(
        bits=int(bits),
        signed=bool(values.get("signed", 1)),
        narrow=bool(values.get("narrow", 0)),
        mode=mode,
    )
    scale = _common(node, "scale", constants[node.input[1]])
    zero_point = _common(node, "zero point", constants[node.input[2]])
    if not zero_point.is_integer():
        raise UnsupportedLayerError(
            node.name, f"has the zero point {zero_point:g}", "Use a whole number"
        )
    low, high = rounding.bounds
    step = 2 if rounding.bipolar else 1
    levels = (high - low) // step
    if levels < 1:
        raise UnsupportedLayerError(node.name, "has one level", "Use more bits")
    return Quantizer(
        output=Integers(
            type=ElementType.unsigned(levels, step=step, offset=low - int(zero_point)),
            step=scale,
        ),
        rounding=rounding,
        scale=scale,
        zero_point=zero_point,
    )


def _parse_thresholds(node: NodeProto, constants: Constants) -> Quantizer:
    values = attribute_values(node)
    thresholds = np.asarray(constants[node.input[1]], np.float64)
    if thresholds.ndim != 2 or not 1 <= thresholds.shape[1] < 2**MAX_BITS:
        raise UnsupportedLayerError(
            node.name,
            f"has thresholds of shape {thresholds.shape}",
            f"Use (channels or 1, 1 to {2**MAX_BITS - 1})",
        )
    if np.any(np.isnan(thresholds)):
        raise UnsupportedLayerError(node.name, "has thresholds of NaN", "Train again")
    layout = str(values.get("data_layout", ""))
    if layout not in LAYOUTS:
        raise UnsupportedLayerError(
            node.name,
            f"has the layout {layout[:20]!r}",
            f"Use one of {', '.join(LAYOUTS[1:])}, or none",
        )
    steps = thresholds.shape[1]
    scale = float(str(values.get("out_scale", 1.0)))
    bias = float(str(values.get("out_bias", 0.0)))
    if not scale or not np.isfinite(scale) or not np.isfinite(bias):
        raise UnsupportedLayerError(
            node.name, f"has the scale {scale:g} and bias {bias:g}", "Use finite ones"
        )
    kind, step, rest = ElementType.unsigned(steps), scale, bias
    if steps == 1 and bias == -scale / 2:
        kind, step, rest = BIPOLAR, scale / 2, 0.0
    elif (bias / scale).is_integer():
        kind, rest = ElementType.unsigned(steps, offset=int(bias / scale)), 0.0
    output = Integers(type=kind, step=step, bias=rest)
    return Quantizer(output=output, thresholds=thresholds, layout=layout)


_PARSERS = {
    "BipolarQuant": _parse_bipolar,
    "MultiThreshold": _parse_thresholds,
    "Quant": _parse_quant,
}


def _common(node: NodeProto, what: str, values: npt.NDArray[Any]) -> float:
    """Read the one value that all entries of a constant have."""
    flat = np.asarray(values, np.float64).reshape(-1)
    if not flat.size or np.any(flat != flat[0]):
        raise UnsupportedLayerError(
            node.name,
            f"has a different {what} for each channel",
            f"Share one {what}: what reads it needs levels of one scale",
        )
    value = float(flat[0])
    if not np.isfinite(value) or (what == "scale" and not value):
        raise UnsupportedLayerError(
            node.name, f"has the {what} {value:g}", "Use a finite one other than 0"
        )
    return value
