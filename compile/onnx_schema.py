# SPDX-License-Identifier: Apache-2.0
"""What ONNX's own checker and shape inference say of a network.

Both are C++ that knows every operator's definition and computes no tensor; what they
refuse would stop the evaluators later on, in ways of their own.
"""

from collections.abc import Mapping

import onnx
from onnx import AttributeProto, ModelProto, NodeProto

from hwgq.errors import NetworkError
from hwgq.foreign import guarded

_STANDARD = ("", "ai.onnx")

_FLOAT, _INT, _TEXT = AttributeProto.FLOAT, AttributeProto.INT, AttributeProto.STRING
_INPUTS = {"BipolarQuant": 2, "MultiThreshold": 2, "Quant": 4}
_ATTRIBUTES: Mapping[str, Mapping[str, int]] = {
    "BipolarQuant": {},
    "MultiThreshold": {
        "out_dtype": _TEXT,
        "out_scale": _FLOAT,
        "out_bias": _FLOAT,
        "data_layout": _TEXT,
    },
    "Quant": {"signed": _INT, "narrow": _INT, "rounding_mode": _TEXT},
}
# QONNX has defaults for the others.
_NEEDED = {"out_dtype"}


def check_schemas(model: ModelProto, place: str) -> None:
    """Compare every node with its operator's definition.

    Raises
    ------
    NetworkError
        If inputs, outputs or attributes are not what the operator has.
    """
    whole = _copy(model)
    # Exporters forget these, which nothing here depends on.
    whole.graph.name = whole.graph.name or "network"
    for value in (*whole.graph.input, *whole.graph.output):
        value.type.tensor_type.shape.SetInParent()
    known = {opset.domain for opset in whole.opset_import}
    for domain in {node.domain for node in whole.graph.node} - {*known, *_STANDARD}:
        whole.opset_import.append(onnx.helper.make_opsetid(domain, 1))
    with guarded(NetworkError, place, "is not valid ONNX", "Export it again"):
        onnx.checker.check_model(whole)


def check_quantizer(node: NodeProto, place: str) -> None:
    """Compare a QONNX quantizer with its definition, which ONNX does not know.

    Raises
    ------
    NetworkError
        If inputs, outputs or attributes are not what it has.
    """
    kind = node.op_type.removeprefix("Int")
    wanted = _ATTRIBUTES[kind]
    found = {a.name: a.type for a in node.attribute}
    wrong = sorted(n for n, made_as in found.items() if wanted.get(n) != made_as)
    lacking = sorted(wanted.keys() & _NEEDED - found.keys())
    inputs = _INPUTS[kind]
    if wrong or lacking:
        problem = f"has the attributes {wrong}" if wrong else f"lacks {lacking}"
    elif len(found) != len(node.attribute):
        problem = "has an attribute twice"
    elif len(node.input) != inputs or not all(node.input) or len(node.output) != 1:
        problem = f"has {len(node.input)} inputs and {len(node.output)} outputs"
    else:
        return
    raise NetworkError(
        place,
        f"is no {node.op_type} of QONNX: it {problem}",
        f"Give it {inputs} inputs, 1 output and the attributes {sorted(wanted)}",
    )


def infer_shapes(model: ModelProto, place: str) -> dict[str, list[int]]:
    """Infer the sizes of all tensors; 0 stands for one that is not fixed.

    Quantizers, which ONNX does not know, leave shapes as they are. What the file says
    of shapes in between is not believed.

    Raises
    ------
    NetworkError
        If shapes do not fit one another.
    """
    whole = _copy(model)
    graph = whole.graph
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    for node in graph.node:
        if node.domain not in _STANDARD:
            node.op_type, node.domain = "Identity", ""
            del node.input[1:], node.attribute[:]
    remedy = "Export one chain of layers with fixed shapes"
    with guarded(NetworkError, place, "has shapes that do not fit", remedy):
        inferred = onnx.shape_inference.infer_shapes(
            whole, strict_mode=True, data_prop=True
        )
    return {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*inferred.graph.value_info, *inferred.graph.output)
    }


def _copy(model: ModelProto) -> ModelProto:
    whole = ModelProto()
    whole.CopyFrom(model)
    return whole
