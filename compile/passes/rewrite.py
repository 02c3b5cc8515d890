# SPDX-License-Identifier: Apache-2.0
"""Write nodes that say several things as one node for each."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto
from onnx.numpy_helper import from_array, to_array

from hwgq.compile.onnx_node import attribute_values, opset_of
from hwgq.compile.onnx_schema import infer_shapes
from hwgq.errors import NetworkError, UnsupportedLayerError

_MEAN = "GlobalAveragePool"
_AXES_ARE_AN_INPUT = 13  # of ReduceSum, from this opset on


def rewrite(node: NodeProto, graph: GraphProto) -> Iterator[NodeProto]:
    """Give the nodes in place of one; constants of theirs go into the graph."""
    known = _REWRITES.get(node.op_type)
    return known(node, graph) if known else iter((node,))


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


_REWRITES: dict[str, Callable[[NodeProto, GraphProto], Iterator[NodeProto]]] = {
    "Constant": _constant_to_initializer,
    "Conv": _bias_to_add,
    "Gemm": _gemm_to_matmul,
}


def split_averages(model: ModelProto) -> None:
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
