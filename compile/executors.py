# SPDX-License-Identifier: Apache-2.0
"""Other people's executors, run section by section on the reference's integers."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto
from onnx.numpy_helper import from_array
from qonnx.core import onnx_exec
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.infer_shapes import InferShapes

from hwgq.compile.evaluate import FloatArray, widen
from hwgq.compile.finn_layers import finn_layers
from hwgq.compile.graph import IntArray
from hwgq.compile.network import Network, Section, on_device
from hwgq.compile.onnx_file import QONNX_DOMAIN
from hwgq.compile.reference import Evaluation
from hwgq.compile.streams import channels_first
from hwgq.compile.tape import Tape
from hwgq.errors import VerificationError
from hwgq.foreign import guarded

Float32Array = npt.NDArray[np.float32]


def finn_codes(
    finn: ModelWrapper, network: Network, evaluation: Evaluation
) -> Iterator[IntArray]:
    """Run FINN's hardware layers, with FINN's own thresholds, in Python.

    Parameters
    ----------
    finn
        FINN's graph behind its last step.
    network, evaluation
        The recorded network, and what it computes.

    Yields
    ------
    Codes of each section but a last one without quantizer, shape (frames, *shape).
    """
    integers = evaluation.integers
    layers = finn_layers(finn, network)
    for nodes, section in zip(layers, network.sections, strict=True):
        if section.output is None:
            return
        kind = section.output_type
        output = _run_finn(finn, nodes, section, integers)
        codes = kind.codes(np.round(output).astype(np.int64))
        if section.minimum is not None:
            assert section.quantizer is not None  # FINN's pooling knows no minimum
            codes = np.where(section.minimum, section.quantizer.steps - codes, codes)
        yield codes.reshape(len(integers), *section.shape_out)
        integers = kind.values(evaluation.codes[section.name])


def _run_finn(
    finn: ModelWrapper, nodes: Sequence[NodeProto], section: Section, given: IntArray
) -> Float32Array:
    """Run one section's layers of FINN's; where they know of frames, one by one."""
    windowed = len(section.shape_in) > 1
    model = _finn_model(finn, nodes, 1 if windowed else len(given))
    if not windowed:
        (only,) = model.graph.node
        getCustomOp(only).set_nodeattr("numInputVectors", [len(given)])
        return _execute(model, given.astype(np.float32), "FINN")
    shape = finn.get_tensor_shape(nodes[0].input[0])
    frames = given.astype(np.float32).reshape(-1, *shape)
    return np.concatenate([_execute(model, frame, "FINN") for frame in frames])


def _finn_model(
    finn: ModelWrapper, nodes: Sequence[NodeProto], frames: int
) -> ModelWrapper:
    """Make a graph of some of FINN's layers, for so many frames at once."""
    ends = [
        onnx.helper.make_tensor_value_info(
            name, TensorProto.FLOAT, [frames, *finn.get_tensor_shape(name)[1:]]
        )
        for name in (nodes[0].input[0], nodes[-1].output[0])
    ]
    read = {name for node in nodes for name in node.input}
    constants = [t for t in finn.graph.initializer if t.name in read]
    graph = onnx.helper.make_graph(nodes, "layer", ends[:1], ends[1:], constants)
    inner = {name for node in nodes[:-1] for name in node.output}
    graph.value_info.extend(v for v in finn.graph.value_info if v.name in inner)
    opsets = finn.model.opset_import
    model = ModelWrapper(onnx.helper.make_model(graph, opset_imports=opsets))
    for name in sorted(read | {nodes[-1].output[0]}):
        model.set_tensor_datatype(name, finn.get_tensor_datatype(name))
    return model


def qonnx_codes(
    tape: Tape, network: Network, evaluation: Evaluation
) -> Iterator[IntArray]:
    """Run the nodes of each section by qonnx's executor, in float32.

    Parameters
    ----------
    tape
        The normalized network that `network` was recorded from.
    network, evaluation
        The recorded network, and what it computes.

    Yields
    ------
    Codes of each section but a last one without quantizer, shape (frames, *shape).
    """
    names = [n.name for n in tape.path]
    start = network.start
    source = network.source
    integers = evaluation.integers
    for section in network.sections:
        if section.output is None:
            return
        end = names.index(section.name) + 1
        real = np.float32(source.step) * integers.astype(np.float32)
        real += np.float32(source.bias)
        made = section.output
        assert made is not None
        output = _qonnx_section(tape, tape.path[start:end], real)
        codes = np.round((output - made.bias) / made.step).astype(np.int64)
        yield on_device(made.type.codes(codes), section.shape_out)
        integers = made.type.values(evaluation.codes[section.name])
        source, start = made, end


def _qonnx_section(
    tape: Tape, nodes: Sequence[NodeProto], real: Float32Array
) -> FloatArray:
    """Run nodes on frames as the device has them; give frames as the network does."""
    shape = tape.shape(nodes[0])
    shaped = channels_first(real).reshape(len(real), *shape)
    model = _qonnx_model(tape, nodes, len(shaped))
    return _execute(model, shaped, "qonnx").astype(np.float64)


def _qonnx_model(tape: Tape, nodes: Sequence[NodeProto], batch: int) -> ModelWrapper:
    """Copy nodes and what leads to their constants into a network of their own."""
    start, end = tape.data(nodes[0]), nodes[-1].output[0]
    static, constants = _constant_nodes(tape, nodes)
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [*static, *nodes],
        "section",
        [info(start, TensorProto.FLOAT, (batch, *tape.shape(nodes[0])))],
        [info(end, TensorProto.FLOAT, (batch, *tape.output_shape(nodes[-1])))],
        [from_array(v, k) for k, v in constants.items()],
    )
    opsets = [
        onnx.helper.make_opsetid("", tape.opset),
        onnx.helper.make_opsetid(QONNX_DOMAIN, 1),
    ]
    model = ModelWrapper(
        onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    )
    with guarded(VerificationError, "qonnx", "stopped", "Please report this network"):
        return model.transform(InferShapes())


def _constant_nodes(
    tape: Tape, nodes: Sequence[NodeProto]
) -> tuple[list[NodeProto], dict[str, npt.NDArray[np.generic]]]:
    """Collect what the nodes' constants are made of: nodes, and stored tensors."""
    static: list[NodeProto] = []
    constants: dict[str, npt.NDArray[np.generic]] = {}
    wanted = [i for n in nodes for i in n.input if i in tape.constants]
    while wanted:
        name = wanted.pop()
        maker = tape.producers.get(name)
        if name in tape.initializers:
            constants[name] = tape.initializers[name]
        elif maker is None or any(i not in tape.constants for i in maker.input if i):
            value = widen(tape.constants[name])  # arithmetic on shapes
            constants[name] = value
        elif maker not in static:
            static.insert(0, maker)
            wanted += [i for i in maker.input if i]
    return static, constants


def _execute(model: ModelWrapper, frames: Float32Array, witness: str) -> Float32Array:
    name, output = model.graph.input[0].name, model.graph.output[0].name
    with guarded(VerificationError, witness, "stopped", "Please report this network"):
        context = onnx_exec.execute_onnx(model, {name: frames})
    result: Float32Array = context[output]
    return result
