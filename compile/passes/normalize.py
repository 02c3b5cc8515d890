# SPDX-License-Identifier: Apache-2.0
"""Write a network in one form: no defaults left open, one operator for one thing.

The result computes, node by node, what the network as handed in computes: a product
stays a product and a division a division, because each rounds in its own way.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto
from onnx.numpy_helper import to_array

from hwgq.compile.evaluate import ROUNDING_MODES
from hwgq.compile.onnx_file import INT_QUANT, QONNX_ALIASES, QONNX_DOMAIN
from hwgq.compile.onnx_node import attribute_values, opset_of
from hwgq.compile.passes.explicit_pads import write_pads
from hwgq.compile.passes.rewrite import rewrite, split_averages
from hwgq.errors import UnsupportedLayerError, shorten

# As QONNX's documents have them; its executor knows none of the first two.
_QONNX_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "BipolarQuant": {},
    "MultiThreshold": {"out_scale": 1.0, "out_bias": 0.0, "data_layout": ""},
    "Quant": {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"},
}
PARTS = ("window", "unpooled", "pool", "pool.window")
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)


def normalize(model: ModelProto) -> ModelProto:
    """Copy a checked network into the form that the later passes read.

    Parameters
    ----------
    model
        What :func:`hwgq.compile.onnx_file.load_network` returned.

    Returns
    -------
    ModelProto
        The same function of its input, without ``Constant``, ``Identity``,
        ``Dropout``, ``Cast`` and ``Gemm``, every attribute written out, every node
        with a name of its own that fits to print.
    """
    result = ModelProto()
    result.CopyFrom(model)
    _normalize_domains(result)
    write_pads(result)
    split_averages(result)
    nodes = [n for node in result.graph.node for n in rewrite(node, result.graph)]
    nodes = _drop_pass_through(nodes, result.graph)
    nodes = _drop_unused(nodes, result.graph)
    opset = opset_of(result)
    for node in nodes:
        _write_defaults(node, opset)
    _name_nodes(nodes)
    for node in nodes:
        _check_rounding(node)
    _check_spacing(nodes)
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def _normalize_domains(model: ModelProto) -> None:
    for node in model.graph.node:
        if node.domain == "ai.onnx":
            node.domain = ""
        elif node.domain in QONNX_ALIASES:
            node.domain = QONNX_DOMAIN
        if node.op_type == INT_QUANT:
            node.op_type = "Quant"
    opset = max(
        (o.version for o in model.opset_import if o.domain in ("", "ai.onnx")),
        default=13,
    )
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", opset))
    model.opset_import.append(onnx.helper.make_opsetid(QONNX_DOMAIN, 1))


def _drop_pass_through(nodes: list[NodeProto], graph: GraphProto) -> list[NodeProto]:
    """Remove nodes that hand their first input on, and join what they separated."""
    alias: dict[str, str] = {}
    kept = []
    for node in nodes:
        for i, name in enumerate(node.input):
            node.input[i] = alias.get(name, name)
        if _passes_through(node, graph):
            alias[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    output = graph.output[0].name
    if output in alias:
        _rename_tensor(kept, alias[output], output)
    return kept


def _drop_unused(nodes: list[NodeProto], graph: GraphProto) -> list[NodeProto]:
    needed = {graph.output[0].name}
    kept = []
    for node in reversed(nodes):
        if needed & set(node.output):
            needed.update(node.input)
            kept.append(node)
    return kept[::-1]


def _passes_through(node: NodeProto, graph: GraphProto) -> bool:
    values = attribute_values(node)
    if node.op_type == "Dropout":
        if len(node.input) > 2 and node.input[2]:
            training = [
                to_array(t) for t in graph.initializer if t.name == node.input[2]
            ]
            if not training or np.any(training[0]):
                raise UnsupportedLayerError(
                    node.name, "is a Dropout in training mode", "Export in eval()"
                )
        return True
    if node.op_type == "Cast":
        return values.get("to") in _FLOATS
    if node.op_type == "BatchNormalization" and values.get("training_mode", 0):
        raise UnsupportedLayerError(
            node.name, "normalizes by the batch at hand", "Export in eval()"
        )
    return node.op_type == "Identity"


def _rename_tensor(nodes: list[NodeProto], old: str, new: str) -> None:
    for node in nodes:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new


def _write_defaults(node: NodeProto, opset: int) -> None:
    if node.domain:
        present = {a.name for a in node.attribute}
        for name, value in _QONNX_DEFAULTS[node.op_type].items():
            if name not in present:
                node.attribute.append(onnx.helper.make_attribute(name, value))
        return
    schema = onnx.defs.get_schema(node.op_type, opset, "")
    present = {a.name for a in node.attribute}
    for name, attribute in schema.attributes.items():
        default = attribute.default_value
        if name not in present and default.type != AttributeProto.UNDEFINED:
            node.attribute.append(default)


def _check_rounding(node: NodeProto) -> None:
    mode = str(attribute_values(node).get("rounding_mode", "ROUND"))
    if node.op_type == "Quant" and mode.upper() not in ROUNDING_MODES:
        raise UnsupportedLayerError(
            node.name,
            f"has the rounding mode {mode[:20]!r}",
            f"Use one of {', '.join(sorted(ROUNDING_MODES))}",
        )


def _check_spacing(nodes: list[NodeProto]) -> None:
    """Refuse levels whose values are looked up in a table, as hwgq exports them."""
    producers = {n.output[0]: n for n in nodes}
    for node in nodes:
        cast = producers.get(node.input[1]) if node.op_type == "Gather" else None
        quantizer = producers.get(cast.input[0]) if cast is not None else None
        if quantizer is not None and quantizer.op_type == "MultiThreshold":
            raise UnsupportedLayerError(
                quantizer.name,
                "has non-uniform levels, which are no multiples of one step",
                'Train with spacing = "uniform"',
            )


def _name_nodes(nodes: list[NodeProto]) -> None:
    taken = {"input"}  # what the border calls the device's input
    for node in nodes:
        base = shorten(node.name or node.output[0])
        numbered = (f"{base}#{count}" for count in itertools.count(2))
        for name in itertools.chain([base], numbered):
            # Parts of a layer get names of their own, see the border.
            wanted = {name, *(f"{name}.{part}" for part in PARTS)}
            if taken.isdisjoint(wanted):
                break
        taken |= wanted
        node.name = name
