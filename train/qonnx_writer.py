# SPDX-License-Identifier: Apache-2.0
"""network.onnx: a network written as QONNX."""

import copy

import numpy as np
import torch
from onnx import (
    ModelProto,
    NodeProto,
    StringStringEntryProto,
    TensorAnnotation,
    TensorProto,
    numpy_helper,
)
from qonnx.core.datatype import DataType
from torch import nn

import hwgq
from hwgq.errors import NetworkError, UnsupportedLayerError
from hwgq.train.chain import Chain, chain
from hwgq.train.layers import HWGQ, BinaryConv2d, BinaryLinear, Sign
from hwgq.train.qonnx_handlers import HwgqQonnxManager

INPUT, OUTPUT = "image", "logits"
"""Names of the graph's ends."""


def export_network(model: nn.Module, shape: tuple[int, ...], input_bits: int) -> bytes:
    """Write a network as QONNX; equal weights give equal bytes.

    The graph's input is one image of integers as float32, annotated with their type.
    Each MultiThreshold and its output have the module path of their quantizer; the
    values of levels that are not uniform are a tensor PATH.values.

    Parameters
    ----------
    model
        The network, a chain of layers. It is left as it is.
    shape
        Shape of one image.
    input_bits
        Bits of its unsigned integers.

    Raises
    ------
    UnsupportedLayerError
        If it is no chain of layers.
    """
    layers = chain(model)
    flat = nn.Sequential()
    for path, layer in layers:
        # Not by add_module, which refuses names such as "pop" that Sequential has.
        flat._modules[_scope(path)] = copy.deepcopy(layer)
    exported: ModelProto = HwgqQonnxManager.export(
        flat.cpu().to(memory_format=torch.contiguous_format).eval(),  # type: ignore[call-overload]
        args=torch.zeros(1, *shape),
        dynamo=False,
        opset_version=13,
        input_names=[INPUT],
        output_names=[OUTPUT],
        keep_initializers_as_inputs=False,
    )
    _name_quantizers(exported, layers)
    _annotate(exported, f"UINT{input_bits}")
    _forget_origin(exported)
    _check_scales(exported, layers)
    return bytes(exported.SerializeToString(deterministic=True))


def _scope(path: str) -> str:
    """Write a path without dots: PyTorch's exporter keeps what is behind the last."""
    return path.replace(".", "/")


def _name_quantizers(exported: ModelProto, layers: Chain) -> None:
    """Give quantizers their module path, and each its own thresholds."""
    graph = exported.graph
    paths = {f"/{_scope(path)}": path for path, _ in layers}
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    renamed: dict[str, str] = {}
    for node in graph.node:
        scope, found, _ = node.name.partition("/act_quant/")
        if not found:
            continue
        path = paths[scope]
        if node.op_type in {"MultiThreshold", "BipolarQuant"}:
            node.name = renamed[node.output[0]] = path
            graph.initializer.append(_own(node, 1, tensors, f"{path}.thresholds"))
        elif node.op_type == "Gather":
            graph.initializer.append(_own(node, 0, tensors, f"{path}.values"))
    expected = {path for path, layer in layers if isinstance(layer, HWGQ | Sign)}
    if missing := expected - set(renamed.values()):
        problem, remedy = "is not in the exported graph", "Report this"
        raise UnsupportedLayerError(", ".join(sorted(missing)), problem, remedy)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for info in graph.value_info:
        info.name = renamed.get(info.name, info.name)


def _own(
    node: NodeProto, position: int, tensors: dict[str, TensorProto], name: str
) -> TensorProto:
    """Make a node's constant its own: PyTorch shares equal ones."""
    own = copy.deepcopy(tensors[node.input[position]])
    own.name = node.input[position] = name
    return own


def _annotate(exported: ModelProto, datatype: str) -> None:
    """Say what integers the image is made of, as FINN reads it."""
    entry = StringStringEntryProto(key="finn_datatype", value=DataType[datatype].name)
    annotation = TensorAnnotation(tensor_name=INPUT)
    annotation.quant_parameter_tensor_names.append(entry)
    exported.graph.quantization_annotation.append(annotation)


def _forget_origin(exported: ModelProto) -> None:
    """Take out where and by what it was made: stack traces hold paths."""
    exported.producer_name, exported.producer_version = "hwgq", hwgq.__version__
    for part in (exported, exported.graph, *exported.graph.node):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")


def _check_scales(exported: ModelProto, layers: Chain) -> None:
    """Refuse a file whose stored scales are not those that the reference uses."""
    tensors = {tensor.name: tensor for tensor in exported.graph.initializer}
    binary = {f"/{_scope(path)}": layer for path, layer in layers}
    for node in exported.graph.node:
        scope, found, _ = node.name.partition("/weight_quant/")
        if not found or node.op_type != "BipolarQuant":
            continue
        layer = binary[scope]
        assert isinstance(layer, BinaryLinear | BinaryConv2d)
        stored = numpy_helper.to_array(tensors[node.input[1]])
        if not np.array_equal(stored, layer.alpha().cpu().numpy()):
            raise NetworkError(scope, "has another scale than the layer", "Report this")
