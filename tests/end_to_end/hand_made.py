# SPDX-License-Identifier: Apache-2.0
"""A small QONNX network made by hand, and ways to spoil it."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
SIZES = (16, 12, 8, 4)
"""Inputs, and rows of each layer."""


def make_network(sizes: tuple[int, ...] = SIZES, seed: int = 0) -> ModelProto:
    """Make a network of integers 0 … 15, with HWGQ thresholds and 1-bit weights.

    Each layer is a ``MatMul`` by −1 and +1, a ``Mul`` by a scale per channel; the
    hidden ones have batch normalization and a ``MultiThreshold`` of three steps.
    """
    rng = np.random.default_rng(seed)
    constants, nodes, tensor = {}, [], "image"

    def node(kind: str, output: str, *operands: str, **attributes: object) -> str:
        inputs = [tensor, *(f"{output}.{o}" for o in operands)]
        made = helper.make_node(kind, inputs, [output], output, **attributes)
        if kind == "MultiThreshold":
            made.domain = QONNX
        nodes.append(made)
        return output

    for i, (columns, rows) in enumerate(pairwise(sizes)):
        signs = np.where(rng.random((columns, rows)) < 0.5, -1, 1)
        constants[f"dot{i}.weights"] = signs
        tensor = node("MatMul", f"dot{i}", "weights")
        constants[f"scaled{i}.alpha"] = rng.uniform(0.05, 0.2, rows)
        tensor = node("Mul", f"scaled{i}", "alpha")
        if i == len(sizes) - 2:
            break
        for name, low, high in (
            ("gamma", -1, 1),
            ("beta", -1, 1),
            ("mean", -1, 1),
            ("var", 0.5, 2),
        ):
            constants[f"norm{i}.{name}"] = rng.uniform(low, high, rows)
        tensor = node("BatchNormalization", f"norm{i}", "gamma", "beta", "mean", "var")
        constants[f"levels{i}.thresholds"] = np.array([[0, 0.807, 1.345]])
        tensor = node("MultiThreshold", f"levels{i}", "thresholds", out_dtype="UINT2")
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "hand_made",
        [info("image", TensorProto.FLOAT, (1, sizes[0]))],
        [info(tensor, TensorProto.FLOAT, (1, sizes[-1]))],
        [
            numpy_helper.from_array(np.float32(value), name)
            for name, value in constants.items()
        ],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    annotation = onnx.TensorAnnotation(tensor_name="image")
    annotation.quant_parameter_tensor_names.add(key="finn_datatype", value="UINT4")
    model.graph.quantization_annotation.append(annotation)
    return model


def save(model: ModelProto, path: Path) -> Path:
    """Write a network, however bad."""
    path.write_bytes(model.SerializeToString())
    return path


def node(model: ModelProto, name: str) -> NodeProto:
    """Find a node."""
    return next(n for n in model.graph.node if n.name == name)


def tensor(model: ModelProto, name: str) -> TensorProto:
    """Find an initializer."""
    return next(t for t in model.graph.initializer if t.name == name)


def set_tensor(model: ModelProto, name: str, value: ArrayLike) -> None:
    """Exchange the value of an initializer."""
    tensor(model, name).CopyFrom(numpy_helper.from_array(np.asarray(value), name))
