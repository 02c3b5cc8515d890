# SPDX-License-Identifier: Apache-2.0
"""A network without branches as one list of nodes, with every constant beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto
from onnx.numpy_helper import to_array

from hwgq.compile.evaluate import Float64, make_model
from hwgq.compile.passes.normalize import opset_of
from hwgq.errors import NetworkError, UnsupportedLayerError
from hwgq.foreign import guarded

Array = npt.NDArray[Any]


class Tape:
    """The nodes between a network's input and its output, in order.

    Parameters
    ----------
    model
        What :func:`hwgq.compile.passes.normalize.normalize` returned.

    Attributes
    ----------
    path
        Nodes that the input flows through; each reads what the one before it wrote.
    constants
        Everything that does not depend on the input's values, real numbers as float64.
    initializers
        Constants as the file stores them.
    producers
        The node that writes a tensor.
    annotations
        QONNX's ``finn_datatype`` of tensors.
    input_shape
        Shape of one frame of the network's input.

    Raises
    ------
    NetworkError
        If shapes do not fit one another.
    UnsupportedLayerError
        If the network has branches.
    """

    def __init__(self, model: ModelProto) -> None:
        graph = model.graph
        self.opset = opset_of(model)
        initial = {t.name: to_array(t) for t in graph.initializer}
        self.initializers = initial
        (value,) = (v for v in graph.input if v.name not in initial)
        self.input, self.output = value.name, graph.output[0].name
        self.input_shape = _frame_shape(value)
        self.annotations = _annotations(graph)
        self.producers = {o: n for n in graph.node for o in n.output}
        whole = make_model(graph.node, initial, self.input, self.output, self.opset)
        remedy = "Export one chain of layers with fixed shapes"
        with guarded(NetworkError, "network", "cannot be evaluated", remedy):
            tensors = Float64(whole).tensors(np.zeros((1, *self.input_shape)))
        static = _static_names(graph.node, initial)
        self.constants: dict[str, Array] = {
            k: tensors[k] for k in static if k in tensors
        }
        self._shapes = {k: np.shape(v) for k, v in tensors.items()}
        self.path = _follow(graph, self.input, self.output, static)

    def data(self, node: NodeProto) -> str:
        """Name the tensor that flows into a node of the path."""
        return str(next(i for i in node.input if i and i not in self.constants))

    def shape(self, node: NodeProto) -> tuple[int, ...]:
        """Give the shape of one frame of what flows into a node."""
        return tuple(self._shapes[self.data(node)][1:])

    def output_shape(self, node: NodeProto) -> tuple[int, ...]:
        """Give the shape of one frame of what a node writes."""
        return tuple(self._shapes[node.output[0]][1:])

    def operand(self, node: NodeProto) -> tuple[Array, int]:
        """Read a binary operator's constant operand, and its place among the inputs."""
        position = next(i for i, n in enumerate(node.input) if n in self.constants)
        return self.constants[node.input[position]], position

    def evaluator(
        self,
        nodes: Sequence[NodeProto],
        start: str,
        extra: Mapping[str, Array] | None = None,
    ) -> Float64:
        """Make a float64 evaluator of a chain of nodes that reads `start`."""
        constants = {**self.constants, **(extra or {})}
        end = nodes[-1].output[0]
        return Float64(make_model(nodes, constants, start, end, self.opset))


def relinked(tape: Tape, nodes: Sequence[NodeProto], start: str) -> list[NodeProto]:
    """Copy nodes into a chain that reads `start`, each the output of the one before."""
    chain = []
    for node in nodes:
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[list(node.input).index(tape.data(node))] = start
        start = copy.output[0]
        chain.append(copy)
    return chain


def _frame_shape(value: ValueInfoProto) -> tuple[int, ...]:
    dims = value.type.tensor_type.shape.dim
    shape = tuple(d.dim_value for d in dims[1:])
    if not shape or min(shape) < 1:
        raise NetworkError(
            f"input {value.name!r}",
            "has no fixed shape behind its batch dimension",
            "Export it with a shape such as (1, 1, 28, 28)",
        )
    return shape


def _annotations(graph: GraphProto) -> dict[str, str]:
    return {
        a.tensor_name: entry.value
        for a in graph.quantization_annotation
        for entry in a.quant_parameter_tensor_names
        if entry.key == "finn_datatype"
    }


def _static_names(nodes: Sequence[NodeProto], initial: Mapping[str, Array]) -> set[str]:
    """Name what does not depend on the input's values."""
    static = set(initial)
    for node in nodes:
        if node.op_type == "Shape" or all(i in static for i in node.input if i):
            static.update(node.output)
    return static


def _follow(
    graph: GraphProto, start: str, end: str, static: set[str]
) -> tuple[NodeProto, ...]:
    """Collect the one chain of nodes from `start` to `end`."""
    path = []
    tensor = start
    for node in graph.node:
        if node.output[0] in static:
            continue
        flowing = [i for i in node.input if i and i not in static]
        if flowing != [tensor]:
            raise UnsupportedLayerError(
                node.name,
                "joins or forks the chain of layers",
                "Use a network without branches: joins are not mapped yet",
            )
        path.append(node)
        tensor = node.output[0]
    if tensor != end or not path:
        raise UnsupportedLayerError(
            "network", "is not one chain from input to output", "Leave branches out"
        )
    return tuple(path)
