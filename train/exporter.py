# SPDX-License-Identifier: Apache-2.0
"""From a trained network to network.onnx, which the compiler reads."""

import copy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import ModelProto, StringStringEntryProto, TensorAnnotation, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from torch import nn

import hwgq
from hwgq.errors import NetworkError, UnsupportedLayerError
from hwgq.stages import run_stage
from hwgq.storage import locked, sha256_file, write_bytes, write_npz
from hwgq.train.exact import Reference, reference
from hwgq.train.float_witness import witness
from hwgq.train.layers import BinaryLinear, quantizers
from hwgq.train.qonnx_handlers import HwgqQonnxManager
from hwgq.train.runs import load_run
from hwgq.train.samples import collect

INPUT, OUTPUT = "image", "logits"
"""Names of the graph's ends."""

CHECKED_FRAMES = 8
"""Frames on which the written file is executed."""

TOLERANCE = 1e-4
"""Largest float32 error of a logit, as a share of the largest logit."""


def export_run(run: Path) -> Path:
    """Write a run's network.onnx and samples.npz.

    Parameters
    ----------
    run
        Folder that `train` wrote.

    Returns
    -------
    Path
        The network; its samples lie beside it.

    Raises
    ------
    MismatchError
        If float32 PyTorch differs from the reference by more than rounding.
    NetworkError
        If what was written does not compute what the reference computes.
    """
    network, kept = run / "network.onnx", run / "samples.npz"

    def work() -> None:
        trained = load_run(run)
        model, dataset = trained.model, trained.dataset
        images = dataset.test.images
        exact = reference(model, images)
        table = witness(model, images)
        data = export_network(model, dataset.shape, dataset.input_bits)
        check_network(data, images[:CHECKED_FRAMES], exact)
        write_npz(kept, **collect(images, dataset.test.labels, exact, table))
        write_bytes(network, data)

    names = ("recipe.toml", "run.json", "weights.safetensors")
    inputs = {name: sha256_file(run / name) for name in names}
    inputs |= {"hwgq": hwgq.__version__, "torch": str(torch.__version__)}
    with locked(run):
        run_stage(run, "export", inputs=inputs, outputs=[network, kept], work=work)
    return network


def export_network(
    model: nn.Sequential, shape: tuple[int, ...], input_bits: int
) -> bytes:
    """Write a network as QONNX; equal weights give equal bytes.

    The graph's input is one image of integers as float32, annotated with their type.
    Each MultiThreshold and its output have the module path of their quantizer.

    Parameters
    ----------
    model
        The network. It is left as it is.
    shape
        Shape of one image.
    input_bits
        Bits of its unsigned integers.

    Raises
    ------
    UnsupportedLayerError
        If an activation quantizer does not reach the graph.
    """
    exported: ModelProto = HwgqQonnxManager.export(
        copy.deepcopy(model).eval(),
        args=torch.zeros(1, *shape),
        dynamo=False,
        opset_version=13,
        input_names=[INPUT],
        output_names=[OUTPUT],
        keep_initializers_as_inputs=False,
    )
    _name_quantizers(exported, set(quantizers(model)))
    _annotate(exported, f"UINT{input_bits}")
    _forget_origin(exported)
    _check_scales(exported, model)
    return bytes(exported.SerializeToString(deterministic=True))


def check_network(
    data: bytes, images: npt.NDArray[np.integer], exact: Reference
) -> None:
    """Execute a written network with qonnx, in float32, and compare its logits.

    Raises
    ------
    NetworkError
        If they are not the reference's, up to rounding.
    """
    graph = ModelWrapper(onnx.load_from_string(data)).transform(InferShapes())
    for index, image in enumerate(images.astype(np.float32)):
        got = execute_onnx(graph, {INPUT: image[None]})[OUTPUT][0]
        error = float(np.abs(got - exact.logits[index]).max())
        if not error <= TOLERANCE * float(np.abs(exact.logits).max()):
            problem = f"gives logits that are {error:.3g} off on image {index}"
            raise NetworkError("network.onnx", problem, "Report this")


def _name_quantizers(exported: ModelProto, expected: set[str]) -> None:
    """Give quantizers their module path, and each its own thresholds."""
    graph = exported.graph
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    renamed: dict[str, str] = {}
    for node in graph.node:
        scope, found, _ = node.name.partition("/act_quant/")
        if not found or node.op_type not in {"MultiThreshold", "BipolarQuant"}:
            continue
        node.name = _module_path(scope)
        renamed[node.output[0]] = node.name
        own = copy.deepcopy(initializers[node.input[1]])  # PyTorch shares equal ones
        own.name = node.input[1] = f"{node.name}.thresholds"
        graph.initializer.append(own)
    if set(renamed.values()) != expected:
        missing = ", ".join(sorted(expected - set(renamed.values())))
        remedy = "Call it in the network's forward, once"
        raise UnsupportedLayerError(missing, "is not in the exported graph", remedy)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for info in graph.value_info:
        info.name = renamed.get(info.name, info.name)


def _module_path(scope: str) -> str:
    """Turn a scope of PyTorch's exporter into a module path: /a/a.0/b is a.0.b."""
    path: list[str] = []
    before = ""
    for part in scope.strip("/").split("/"):
        path.append(part.removeprefix(f"{before}."))
        before = part
    return ".".join(path)


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


def _check_scales(exported: ModelProto, model: nn.Sequential) -> None:
    """Refuse a file whose stored scales are not those that the reference uses."""
    initializers = {tensor.name: tensor for tensor in exported.graph.initializer}
    for node in exported.graph.node:
        scope, found, _ = node.name.partition("/weight_quant/")
        if not found or node.op_type != "BipolarQuant":
            continue
        layer = model.get_submodule(_module_path(scope))
        assert isinstance(layer, BinaryLinear)
        stored = numpy_helper.to_array(initializers[node.input[1]])
        if not np.array_equal(stored, layer.alpha().numpy()):
            raise NetworkError(scope, "has another scale than the layer", "Report this")
