# SPDX-License-Identifier: Apache-2.0
"""A network without branches as one list of nodes, with every constant beside it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
from onnx.numpy_helper import to_array

from hwgq.compile.evaluate import Float64, make_model
from hwgq.compile.onnx_file import (
    ACTIVATIONS,
    AFFINE,
    HOST,
    MONOTONE,
    RENAMING,
    WINDOWED,
)
from hwgq.compile.onnx_node import attribute_values, opset_of
from hwgq.errors import NetworkError, UnsupportedLayerError
from hwgq.foreign import guarded

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

_TWO_SIDED = frozenset({"Add", "Concat", "Div", "MatMul", "Mul", "Sub"})
_IMAGE_RANK = 3  # of one frame
_ELEMENT_TYPES: Mapping[int, str] = {
    TensorProto.UINT8: "UINT8",
    TensorProto.INT8: "INT8",
}


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
        They take any number of frames, whatever batch the file was exported for.
    constants
        Everything that does not depend on the input's values, real numbers as float64.
    initializers
        Constants as the file stores them.
    producers
        The node that writes a tensor.
    annotations
        QONNX's ``finn_datatype`` of tensors; of the input, else its 8-bit ONNX type.
    input_shape
        Shape of one frame of the network's input.

    Raises
    ------
    NetworkError
        If shapes do not fit one another, or frames are mixed.
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
        batch, *frame = _batch_shape(value)
        self.input_shape = tuple(frame)
        self.annotations = _element_type(value) | _annotations(graph)
        self.producers = {o: n for n in graph.node for o in n.output}
        whole = make_model(
            graph.node, initial, (self.input, self.input_shape), self.output, self.opset
        )
        remedy = "Export one chain of layers with fixed shapes"
        with guarded(NetworkError, "network", "cannot be evaluated", remedy):
            tensors = Float64(whole).tensors(np.zeros((batch, *frame)))
        static = _static_names(graph.node, initial)
        self.constants: dict[str, Array] = {
            k: tensors[k] for k in static if k in tensors
        }
        self._tensors = tensors
        path = _follow(graph, self.input, self.output, static)
        for node in path:
            self._check_frames(node, batch)
        self.path = tuple(self._for_any_batch(node) for node in path)

    def _check_frames(self, node: NodeProto, batch: int) -> None:
        """Refuse what mixes frames, or makes more elements of a frame."""
        shape, made = self._shape(self.data(node)), self._shape(node.output[0])
        if node.op_type in AFFINE | MONOTONE | ACTIVATIONS and made != shape:
            raise NetworkError(
                node.name,
                f"turns frames of shape {shape} into {made}",
                "Give it constants of one number, or of one number a channel",
            )
        if made[:1] != (batch,) or _mixes_frames(node, len(shape)):
            raise UnsupportedLayerError(
                node.name,
                f"({node.op_type}) mixes the batch dimension with others",
                "Keep the first dimension for the batch",
            )

    def _for_any_batch(self, node: NodeProto) -> NodeProto:
        """Write what only renames dimensions as a Reshape for any number of frames."""
        if node.op_type not in RENAMING:
            return node
        key = f"{node.name}.shape"
        self.constants[key] = np.asarray((-1, *self.output_shape(node)), np.int64)
        inputs = [self.data(node), key]
        return onnx.helper.make_node("Reshape", inputs, node.output, node.name)

    def _shape(self, tensor: str) -> Shape:
        return np.shape(self._tensors[tensor])

    @property
    def has_images(self) -> bool:
        """Whether anything moves a window over images, so that pixels count."""
        return any(node.op_type in WINDOWED for node in self.path)

    def frame(self, shape: Shape) -> Shape:
        """Give the shape that a tensor's frame of `shape` has on the device.

        Images, (channels, rows, columns), are laid out as (rows, columns, channels);
        everything else is flat.
        """
        if self.has_images and len(shape) == _IMAGE_RANK:
            return (*shape[1:], shape[0])
        return (math.prod(shape),)

    def data(self, node: NodeProto) -> str:
        """Name the tensor that flows into a node of the path."""
        return str(next(i for i in node.input if i and i not in self.constants))

    def shape(self, node: NodeProto) -> Shape:
        """Give the shape of one frame of what flows into a node."""
        return self._shape(self.data(node))[1:]

    def output_shape(self, node: NodeProto) -> Shape:
        """Give the shape of one frame of what a node writes."""
        return self._shape(node.output[0])[1:]

    def operand(self, node: NodeProto) -> tuple[Array, int]:
        """Read a binary operator's constant operand, and its place among the inputs."""
        position = next(i for i, n in enumerate(node.input) if n in self.constants)
        return self.constants[node.input[position]], position

    def evaluator(
        self,
        nodes: Sequence[NodeProto],
        start: str,
        shape: Shape,
        extra: Mapping[str, Array] | None = None,
        *,
        made: Shape = (),
    ) -> Float64:
        """Make a float64 evaluator of a chain of nodes.

        Parameters
        ----------
        nodes
            Each reads what the one before it wrote.
        start, shape
            The tensor that the first one reads, and the shape of a frame of it.
        extra
            Constants besides the network's own.
        made
            Shape of a frame of the last output, where that is no tensor of the network.
        """
        constants = {**self.constants, **(extra or {})}
        last = nodes[-1].output
        end = self.output if self.output in last else last[0]
        example = self._tensors.get(end, np.zeros((1, *made)))
        model = make_model(
            nodes, constants, (start, shape), end, self.opset, example=example
        )
        return Float64(model)


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


def _batch_shape(value: ValueInfoProto) -> Shape:
    """Give an input's shape; an open batch dimension counts as 1."""
    sizes = [d.dim_value for d in value.type.tensor_type.shape.dim]
    if len(sizes) < 2 or min(sizes[1:]) < 1:
        raise NetworkError(
            f"input {value.name!r}",
            "has no fixed shape behind its batch dimension",
            "Export it with a shape such as (1, 1, 28, 28)",
        )
    return (max(1, sizes[0]), *sizes[1:])


def _element_type(value: ValueInfoProto) -> dict[str, str]:
    kind = value.type.tensor_type.elem_type
    return {value.name: _ELEMENT_TYPES[kind]} if kind in _ELEMENT_TYPES else {}


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


def _mixes_frames(node: NodeProto, rank: int) -> bool:
    values = attribute_values(node)
    if node.op_type == "Transpose":
        order = values.get("perm", range(rank)[::-1])
        return isinstance(order, list | range) and order[0] != 0
    axis = values.get("axis")
    return node.op_type in HOST and isinstance(axis, int) and axis % rank == 0


def _follow(
    graph: GraphProto, start: str, end: str, static: set[str]
) -> tuple[NodeProto, ...]:
    """Collect the one chain of nodes from `start` to `end`."""
    path: list[NodeProto] = []
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
        if node.op_type not in _TWO_SIDED and node.input[0] != tensor:
            raise UnsupportedLayerError(
                node.name,
                f"({node.op_type}) takes a parameter from the network's input",
                "Use constant parameters",
            )
        path.append(node)
        tensor = node.output[0]
    if not path or end not in path[-1].output:
        raise UnsupportedLayerError(
            "network", "is not one chain from input to output", "Leave branches out"
        )
    return tuple(path)
