# SPDX-License-Identifier: Apache-2.0
"""QONNX networks written by hand, and a literal float64 evaluation of any of them."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from qonnx.custom_op.general.bipolar_quant import binary_quant
from qonnx.custom_op.general.intquant import int_quant
from qonnx.custom_op.general.multithreshold import multithreshold

from hwgq.compile.network import Network
from hwgq.compile.options import declared_input
from hwgq.compile.passes.normalize import normalize
from hwgq.compile.passes.record import record
from hwgq.compile.tape import Tape
from tests.compile.literal_windows import Conv as LiteralConv
from tests.compile.literal_windows import MaxPool as LiteralMaxPool

QONNX = "qonnx.custom_op.general"
QUANTIZERS = {"BipolarQuant", "MultiThreshold", "Quant"}


class Chain:
    """Build a chain of nodes, each fed by the one before.

    Parameters
    ----------
    *shape
        Shape of a frame of the input.
    batch
        The first dimension: a number, or a name for an open one.
    domain
        Operator domain of the quantizers.
    """

    def __init__(self, *shape, batch=1, opset=13, domain=QONNX, seed=0):
        self.shape, self.batch, self.opset, self.domain = shape, batch, opset, domain
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants, self.tensor = [], {}, "in"
        self.annotation = None

    def constant(self, value):
        """Store a constant, real numbers as float32; return its name."""
        array = np.asarray(value)
        name = f"constant{len(self.constants)}"
        self.constants[name] = array.astype(
            np.float32 if array.dtype.kind == "f" else array.dtype
        )
        return name

    def node(self, op, *operands, left=False, **attributes):
        """Append a node; texts among the operands are names of tensors."""
        names = [o if isinstance(o, str) else self.constant(o) for o in operands]
        inputs = [*names, self.tensor] if left else [self.tensor, *names]
        output = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], output, **attributes))
        if op in QUANTIZERS:
            self.nodes[-1].domain = self.domain
        self.tensor = output
        return self

    def weights(self, *shape, scale=0.25, bits=1):
        """Append what makes low-bit weights of floats; return their tensor."""
        largest = max(1, 2 ** (bits - 1) - 1)
        value = self.rng.normal(size=shape) * np.max(scale) * largest / 2
        inputs = [self.constant(value), self.constant(np.float32(scale))]
        output = f"weights{len(self.nodes)}"
        if bits == 1:
            node = helper.make_node("BipolarQuant", inputs, [output], output)
        else:
            inputs += [self.constant(np.float32(v)) for v in (0, bits)]
            node = helper.make_node(
                "Quant", inputs, [output], output, signed=1, narrow=0
            )
        node.domain = self.domain
        self.nodes.append(node)
        return output

    def linear(self, rows, columns, scale=0.25, bits=1):
        """Append a product with low-bit weights."""
        return self.node("MatMul", self.weights(columns, rows, scale=scale, bits=bits))

    def conv(self, rows, columns, kernel=3, *, scale=0.25, bits=1, bias=None, **where):
        """Append a convolution with low-bit weights; `columns` of one group."""
        height, width = np.broadcast_to(kernel, 2)
        operands = [self.weights(rows, columns, height, width, scale=scale, bits=bits)]
        operands += [] if bias is None else [np.float32(bias)]
        return self.node("Conv", *operands, kernel_shape=[height, width], **where)

    def pool(self, kernel=2, **where):
        """Append a max pooling, its windows side by side if nothing else is said."""
        sizes = [int(k) for k in np.broadcast_to(kernel, 2)]
        attributes = {"strides": sizes, **where}
        return self.node("MaxPool", kernel_shape=sizes, **attributes)

    def norm(self, channels, **changed):
        """Append batch normalization, gammas of both signs."""
        draw = self.rng.normal
        values = {
            "gamma": draw(size=channels),
            "beta": draw(size=channels),
            "mean": draw(size=channels),
            "var": 0.1 + draw(size=channels) ** 2,
        } | changed
        return self.node(
            "BatchNormalization", *(np.float32(v) for v in values.values())
        )

    def quant(self, bits, *, scale=0.5, zero=0.0, signed=0, narrow=0, **attributes):
        """Append a ``Quant``."""
        operands = (np.float32(scale), np.float32(zero), np.float32(bits))
        return self.node("Quant", *operands, signed=signed, narrow=narrow, **attributes)

    def annotate(self, kind):
        """Say what integers the input is made of."""
        self.annotation = kind
        return self

    def model(self, output=None) -> ModelProto:
        """Put it together."""
        info = helper.make_tensor_value_info
        end = output or self.tensor
        graph = helper.make_graph(
            self.nodes,
            "by hand",
            [info("in", TensorProto.FLOAT, (self.batch, *self.shape))],
            [info(end, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(v, k) for k, v in self.constants.items()],
        )
        opsets = [
            helper.make_opsetid("", self.opset),
            helper.make_opsetid(self.domain, 1),
        ]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        model.graph.output[0].type.tensor_type.shape.dim.add()
        if self.annotation:
            note = onnx.TensorAnnotation(tensor_name="in")
            note.quant_parameter_tensor_names.add(
                key="finn_datatype", value=self.annotation
            )
            model.graph.quantization_annotation.append(note)
        return model


class Quant(OpRun):
    op_domain = QONNX

    def _run(self, x, *operands, signed=1, narrow=0, rounding_mode="ROUND"):
        return (int_quant(x, *operands, signed, narrow, rounding_mode),)


class BipolarQuant(OpRun):
    op_domain = QONNX

    def _run(self, x, scale):
        return (binary_quant(x, scale),)


class MultiThreshold(OpRun):
    op_domain = QONNX

    def _run(self, x, thresholds, out_scale=1.0, out_bias=0.0, **_):
        return (multithreshold(x, thresholds, out_scale, out_bias),)


class BatchNormalization(OpRun):  # ONNX's own takes opset 9 for training
    op_domain = ""

    def _run(self, x, *statistics, epsilon=None, **_):
        shape = (1, -1) + (1,) * (x.ndim - 2)
        gamma, beta, mean, var = (s.reshape(shape) for s in statistics)
        return (gamma * (x - mean) / np.sqrt(var + epsilon) + beta,)


OPERATORS = [
    Quant,
    BipolarQuant,
    MultiThreshold,
    BatchNormalization,
    LiteralConv,
    LiteralMaxPool,
]


def literal(model: ModelProto, frames) -> np.ndarray:
    """Evaluate a network as it was handed in, node by node, in float64.

    The quantizers are qonnx's own functions. Nothing of the compiler is used.
    """
    return literal_tensors(model, frames)[model.graph.output[0].name]


def literal_tensors(model: ModelProto, frames) -> dict[str, np.ndarray]:
    """Evaluate every tensor of a network likewise."""
    whole = ModelProto()
    whole.CopyFrom(model)
    for tensor in (
        *whole.graph.initializer,
        *(
            a.t
            for n in whole.graph.node
            if n.op_type == "Constant"
            for a in n.attribute
        ),
    ):
        if tensor.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    for node in whole.graph.node:
        if node.op_type in QUANTIZERS:
            node.domain = QONNX
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
    if QONNX not in {o.domain for o in whole.opset_import}:
        whole.opset_import.append(helper.make_opsetid(QONNX, 1))
    evaluator = ReferenceEvaluator(whole, new_ops=OPERATORS)
    (name,) = evaluator.input_names
    first = whole.graph.input[0].type.tensor_type.shape.dim[0]
    batch = len(frames) if first.dim_param else max(1, first.dim_value)
    groups = np.split(np.asarray(frames, np.float64), len(frames) // batch)
    with np.errstate(over="ignore", invalid="ignore"):  # sigmoids compute both halves
        found = [evaluator.run(None, {name: g}, intermediate=True) for g in groups]
    static = static_names(whole)
    return {
        key: tensor if key in static else np.concatenate([t[key] for t in found])
        for key, tensor in found[0].items()
        if key
    }


def static_names(model: ModelProto) -> set[str]:
    """Name the tensors that no input flows into."""
    static = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Shape" or static.issuperset(i for i in node.input if i):
            static.update(node.output)
    return static


def recorded(
    model: ModelProto, kind: str | None = None, scale: str | None = None
) -> Network:
    """Read a network as the compiler's front end does."""
    tape = Tape(normalize(model))
    return record(tape, declared_input(tape.annotations.get(tape.input), kind, scale))


def inputs(network: Network, frames: int = 64, seed: int = 0) -> np.ndarray:
    """Draw frames for a network: integers where it declares them."""
    rng = np.random.default_rng(seed)
    size = (frames, *network.input_shape)
    if network.declared is None:
        return rng.normal(size=size).astype(np.float32)
    kind = network.declared.type
    return kind.values(rng.integers(kind.low, kind.high + 1, size))


def attributes(model: ModelProto) -> Mapping[str, dict[str, object]]:
    """Give every node's attributes, by its name."""
    return {
        node.name: {a.name: helper.get_attribute_value(a) for a in node.attribute}
        for node in model.graph.node
    }
