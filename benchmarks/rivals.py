# SPDX-License-Identifier: Apache-2.0
"""Others that run a network: qonnx, onnxruntime, PyTorch, and a plain loop in C++.

Each is made once and called with frames of bytes, as the network takes them. It gives
what the network's last node computes, and the seconds of the processor's time that
this took.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.infer_shapes import InferShapes
from torch import nn

from hwgq import tools
from hwgq.compile.bit_planes import pack
from hwgq.compile.graph import Graph, IntArray, Mvau
from hwgq.compile.popcount import layer_weights

Frames = npt.NDArray[np.uint8]
Outputs = npt.NDArray[np.generic]
Rival = Callable[[Frames], tuple[Outputs, float]]

SOURCE = Path(__file__).with_name("xnor.cpp")
BATCH = 256


def _timed(run: Callable[[npt.NDArray[np.float32]], Outputs], batch: int) -> Rival:
    def call(frames: Frames) -> tuple[Outputs, float]:
        real = frames.astype(np.float32)
        begun = time.process_time()
        found = [run(real[i : i + batch]) for i in range(0, len(real), batch)]
        return np.concatenate(found), time.process_time() - begun

    return call


def in_qonnx(path: Path) -> Rival:
    """Run the network's file by qonnx's executor, frame by frame."""
    model = ModelWrapper(onnx.load(path)).transform(InferShapes())
    source, sink = model.graph.input[0].name, model.graph.output[0].name
    return _timed(lambda frame: execute_onnx(model, {source: frame})[sink], 1)


def in_onnxruntime(path: Path) -> Rival:
    """Run the network in ONNX's own operators by onnxruntime, in one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    data = _in_standard_onnx(path).SerializeToString()
    session = onnxruntime.InferenceSession(data, options)
    source = session.get_inputs()[0].name
    return _timed(lambda frames: session.run(None, {source: frames})[0], BATCH)


def in_pytorch(network: nn.Module) -> Rival:
    """Run the network that the file was exported of, in one thread."""
    torch.set_num_threads(1)

    def run(frames: npt.NDArray[np.float32]) -> Outputs:
        with torch.inference_mode():
            return network(torch.from_numpy(frames)).numpy()

    return _timed(run, BATCH)


def in_cpp(graph: Graph, folder: Path) -> Rival:
    """Run a graph of dense layers by the loop of xnor.cpp; give its output's codes."""
    program, data, frames, outputs = (
        folder / name for name in ("xnor", "network", "frames", "outputs")
    )
    options = ("-std=c++17", "-O3", "-march=native")
    argv = ["g++", *options, SOURCE, "-o", program]
    tools.run(argv, cwd=folder, log=folder / "g++.log")
    data.write_bytes(_words(graph).tobytes())

    def call(given: Frames) -> tuple[Outputs, float]:
        frames.write_bytes(given.tobytes())
        argv = [program, data, frames, outputs]
        seconds = tools.run(argv, cwd=folder, log=folder / "xnor.log")
        found = np.fromfile(outputs, np.int64)
        return found.reshape(len(given), -1), float(seconds)

    return call


def _words(graph: Graph) -> IntArray:
    layers = [layer for layer in graph.layers if isinstance(layer, Mvau)]
    words = [np.array([len(layers)])]
    for layer in layers:
        flips = pack((layer_weights(graph, layer) < 0).astype(np.int64), 1)
        thresholds, bias = np.zeros((layer.rows, 0), np.int64), np.zeros(layer.rows)
        if layer.thresholds is not None:
            thresholds = graph.tensors[layer.thresholds]
        if layer.bias is not None:
            bias = graph.tensors[layer.bias]
        bits = graph.streams[layer.inputs[0]].type.bits
        head = [layer.columns, layer.rows, bits, thresholds.shape[1], layer.shift]
        words += [np.array(head), flips.view(np.int64), thresholds, bias]
    return np.concatenate([part.reshape(-1).astype(np.int64) for part in words])


def _in_standard_onnx(path: Path) -> ModelProto:
    """Fold the quantized weights, and write thresholds as comparisons."""
    folding = FoldConstants(exclude_op_types=[])
    model = ModelWrapper(onnx.load(path)).transform(folding).model
    graph = model.graph
    constants = {t.name: t for t in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "MultiThreshold":
            thresholds = numpy_helper.to_array(constants.pop(node.input[1])).reshape(-1)
            nodes += _comparisons(node.input[0], node.output[0], thresholds)
        else:
            nodes.append(node)
    del graph.node[:], graph.value_info[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants.values())
    for end in (*graph.input, *graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "frames"
    return model


def _comparisons(
    given: str, result: str, thresholds: npt.NDArray[np.float32]
) -> Iterator[NodeProto]:
    """Count the thresholds that a tensor reaches, all channels having the same."""
    terms = [f"{result}.{j}" for j in range(len(thresholds))]
    for term, threshold in zip(terms, thresholds, strict=True):
        value = numpy_helper.from_array(threshold)
        yield helper.make_node("Constant", [], [f"{term}.constant"], value=value)
        operands = [given, f"{term}.constant"]
        yield helper.make_node("GreaterOrEqual", operands, [f"{term}.reached"])
        kind = TensorProto.FLOAT
        yield helper.make_node("Cast", [f"{term}.reached"], [term], to=kind)
    yield helper.make_node("Sum", terms, [result])
