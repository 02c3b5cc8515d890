# SPDX-License-Identifier: Apache-2.0
"""Write a network in one form: no defaults left open, one operator for one thing.

The result computes, node by node, what the network as handed in computes: a product
stays a product and a division a division, because each rounds in its own way.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto
from onnx.numpy_helper import from_array, to_array

from hwgq.compile.evaluate import ROUNDING_MODES
from hwgq.compile.onnx_file import INT_QUANT, QONNX_ALIASES, QONNX_DOMAIN
from hwgq.compile.onnx_schema import infer_shapes
from hwgq.errors import NetworkError, UnsupportedLayerError, shorten

# As QONNX's documents have them; its executor knows none of the first two.
_QONNX_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "BipolarQuant": {},
    "MultiThreshold": {"out_scale": 1.0, "out_bias": 0.0, "data_layout": ""},
    "Quant": {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"},
}
_MEAN = "GlobalAveragePool"
_AXES_ARE_AN_INPUT = 13  # of ReduceSum, from this opset on
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
    _split_averages(result)
    nodes = [n for node in result.graph.node for n in _rewrite(node, result.graph)]
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


def opset_of(model: ModelProto) -> int:
    """Give the version of the standard operators that a network uses."""
    return max((o.version for o in model.opset_import if o.domain == ""), default=13)


def attribute_values(node: NodeProto) -> dict[str, object]:
    """Read a node's attributes, texts as `str`."""
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}


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


def _rewrite(node: NodeProto, graph: GraphProto) -> Iterator[NodeProto]:
    rewrite = _REWRITES.get(node.op_type)
    return rewrite(node, graph) if rewrite else iter((node,))


def _constant_to_initializer(node: NodeProto, graph: GraphProto) -> Iterator[NodeProto]:
    values = attribute_values(node)
    if len(values) != 1:
        raise NetworkError(node.name, "is a Constant without one value", "Export again")
    ((name, value),) = values.items()
    if isinstance(value, TensorProto):
        array = to_array(value)
    elif name in ("value_float", "value_floats"):
        array = np.asarray(value, np.float32)
    elif name in ("value_int", "value_ints"):
        array = np.asarray(value, np.int64)
    else:
        raise UnsupportedLayerError(
            node.name, f"is a Constant with {name}", "Use a float or integer tensor"
        )
    graph.initializer.append(from_array(array, node.output[0]))
    yield from ()


def _gemm_to_matmul(node: NodeProto, graph: GraphProto) -> Iterator[NodeProto]:
    values = attribute_values(node)
    if values.get("transA", 0):
        raise UnsupportedLayerError(
            node.name, "is a Gemm with transA=1", "Transpose before it"
        )
    name = node.name or node.output[0]
    left, right = node.input[0], node.input[1]

    def make(op: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
        return onnx.helper.make_node(op, inputs, [output], output, **attributes)

    def constant(suffix: str, value: float) -> str:
        key = f"{name}.{suffix}"
        graph.initializer.append(from_array(np.asarray(value, np.float32), key))
        return key

    if values.get("transB", 0):
        yield make("Transpose", [right], right := f"{name}.weights", perm=[1, 0])
    steps: list[tuple[str, list[str]]] = [("MatMul", [right])]
    if (alpha := values.get("alpha", 1.0)) != 1.0:
        steps.append(("Mul", [constant("alpha", float(str(alpha)))]))
    if len(node.input) > 2 and node.input[2]:
        bias = node.input[2]
        if (beta := values.get("beta", 1.0)) != 1.0:
            scaled = f"{name}.bias"
            yield make("Mul", [bias, constant("beta", float(str(beta)))], scaled)
            bias = scaled
        steps.append(("Add", [bias]))
    for number, (op, operands) in enumerate(steps, 1):
        last = number == len(steps)
        output = node.output[0] if last else f"{name}.{op.lower()}"
        step = make(op, [left, *operands], output)
        step.name = name if op == "MatMul" else f"{name}.{op.lower()}"
        yield step
        left = output


def _bias_to_add(node: NodeProto, graph: GraphProto) -> Iterator[NodeProto]:
    """Split a convolution's bias off, one number a channel."""
    if len(node.input) < 3 or not node.input[2]:
        yield node
        return
    bias, output, dot = node.input[2], node.output[0], f"{node.output[0]}.dot"
    shaped, key = f"{output}.bias", f"{output}.bias.shape"
    shape = np.asarray([1, -1, *(1,) * _spatial(node, graph)], np.int64)
    graph.initializer.append(from_array(shape, key))
    yield onnx.helper.make_node("Reshape", [bias, key], [shaped], shaped)
    conv = NodeProto()
    conv.CopyFrom(node)
    del conv.input[2]
    conv.output[0] = dot
    yield conv
    yield onnx.helper.make_node("Add", [dot, shaped], [output], f"{node.name}.bias")


def _spatial(node: NodeProto, graph: GraphProto) -> int:
    """Count the dimensions over which a convolution moves."""
    kernel = attribute_values(node).get("kernel_shape")
    if isinstance(kernel, list):
        return len(kernel)
    sizes = (len(t.dims) for t in graph.initializer if t.name == node.input[1])
    return next(sizes, 4) - 2


def _split_averages(model: ModelProto) -> None:
    """Split means over all pixels into their sum and a division by their number."""
    graph = model.graph
    if not any(node.op_type == _MEAN for node in graph.node):
        return
    sizes = infer_shapes(model, "network")
    sizes |= {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.input
    }
    nodes: list[NodeProto] = []
    for node in graph.node:
        split = node.op_type == _MEAN
        nodes += _sum_and_count(node, model, sizes) if split else [node]
    del graph.node[:]
    graph.node.extend(nodes)


def _sum_and_count(
    node: NodeProto, model: ModelProto, sizes: Mapping[str, list[int]]
) -> list[NodeProto]:
    pixels = sizes.get(node.input[0], [])[2:]
    if len(pixels) != 2 or 0 in pixels:
        raise UnsupportedLayerError(
            node.name, f"averages over the sizes {pixels}", "Average fixed-size images"
        )
    output = node.output[0]
    summed, axes, count = (f"{output}.{part}" for part in ("sum", "axes", "pixels"))
    number = np.asarray(math.prod(pixels), np.float32)
    model.graph.initializer.append(from_array(number, count))
    name = node.name or output
    if opset_of(model) < _AXES_ARE_AN_INPUT:
        attributes: dict[str, Any] = {"axes": [2, 3]}
        inputs = [node.input[0]]
    else:
        model.graph.initializer.append(from_array(np.asarray([2, 3], np.int64), axes))
        attributes, inputs = {}, [node.input[0], axes]
    make = onnx.helper.make_node
    return [
        make("ReduceSum", inputs, [summed], name, **attributes),
        make("Div", [summed, count], [output], f"{name}.mean"),
    ]


_REWRITES: dict[str, Callable[[NodeProto, GraphProto], Iterator[NodeProto]]] = {
    "Constant": _constant_to_initializer,
    "Conv": _bias_to_add,
    "Gemm": _gemm_to_matmul,
}


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
