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

from hwgq.compile.evaluate import widen
from hwgq.compile.graph import IntArray
from hwgq.compile.network import Network, Section
from hwgq.compile.onnx_file import QONNX_DOMAIN
from hwgq.compile.reference import Evaluation
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
    Codes of each quantized section, shape (frames, channels).
    """
    integers = evaluation.integers
    for node, section in zip(finn.graph.node, network.sections, strict=False):
        if section.quantizer is None:
            return
        model = _finn_layer(finn, node, len(integers))
        if finn.get_tensor_datatype(node.input[0]).name == "BINARY":
            integers = section.input_type.codes(integers)  # FINN's layers count 0 and 1
        output = _execute(model, integers.astype(np.float32), "FINN")
        kind = section.quantizer.type
        yield kind.codes(np.round(output).astype(np.int64))
        integers = kind.values(evaluation.codes[section.name])


def _finn_layer(finn: ModelWrapper, node: NodeProto, frames: int) -> ModelWrapper:
    """Make a graph of one of FINN's layers alone, for all frames at once."""
    ends = [
        onnx.helper.make_tensor_value_info(
            name, TensorProto.FLOAT, [frames, *finn.get_tensor_shape(name)[1:]]
        )
        for name in (node.input[0], node.output[0])
    ]
    constants = [t for t in finn.graph.initializer if t.name in node.input]
    graph = onnx.helper.make_graph([node], "layer", ends[:1], ends[1:], constants)
    opsets = finn.model.opset_import
    model = ModelWrapper(onnx.helper.make_model(graph, opset_imports=opsets))
    for name in (*node.input, *node.output):
        model.set_tensor_datatype(name, finn.get_tensor_datatype(name))
    getCustomOp(model.graph.node[0]).set_nodeattr("numInputVectors", [frames])
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
    Codes of each quantized section, shape (frames, channels).
    """
    names = [n.name for n in tape.path]
    start = network.start
    source = network.source
    integers = evaluation.integers
    for section in network.sections:
        if section.quantizer is None:
            return
        end = names.index(section.name) + 1
        real = np.float32(source.step) * integers.astype(np.float32)
        real += np.float32(source.bias)
        yield _qonnx_section(tape, tape.path[start:end], real, section)
        integers = section.quantizer.type.values(evaluation.codes[section.name])
        source, start = section.quantizer.output, end


def _qonnx_section(
    tape: Tape, nodes: Sequence[NodeProto], real: Float32Array, section: Section
) -> IntArray:
    quantizer = section.quantizer
    assert quantizer is not None
    shaped = real.reshape(len(real), *tape.shape(nodes[0]))
    found = _execute(_qonnx_model(tape, nodes, len(shaped)), shaped, "qonnx")
    output = found.reshape(len(real), -1).astype(np.float64)
    made = quantizer.output
    integers = np.round((output - made.bias) / made.step)
    return quantizer.type.codes(integers.astype(np.int64))


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
